"""Files that their owner alone may read, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644


def write_private(
    path: Path, text: str | bytes, *, user: str | None = None, mode: int = PRIVATE
) -> None:
    """Write a file whole, or leave the old one; nobody else may read it at any moment.

    On return it is on the disk: a crash leaves the old file or the new one.

    Args:
        path: where it stands; its folder is there.
        text: what it holds.
        user: the system user that shall own it, where root writes it.
        mode: its permissions at the end; a certificate, say, is no secret.
    """
    content = text.encode() if isinstance(text, str) else text
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if mode != PRIVATE:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if user is not None and os.geteuid() == 0:
            shutil.chown(draft, user)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _keep_entry(path.parent)


def _keep_entry(folder: Path) -> None:
    """Bring the folder's own entries to the disk: a rename is one of them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
