"""Writing an export: to a file that stands there once it is whole, or to the screen."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cli.failures import Failure


@contextmanager
def writing(out: Path | None) -> Iterator[IO[str]]:
    """Where it is written to; None is standard output.

    Raises:
        Failure: there is no such folder.
    """
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    if not out.parent.is_dir():
        raise Failure(f"there is no folder {out.parent}: mkdir -p {shlex.quote(str(out.parent))}")
    part = out.with_name(f"{out.name}.part")
    try:
        # Guests' orders are nobody else's business on this machine.
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
