"""A child: `heard` for who only needs it to be there, forked from the nursery.

`live` takes the fields of `Beside` as JSON. It is what `heard` with these arguments is, but for
its beginning: the code of what runs for long is read already.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

READS: Final = (
    "cli.main",
    "cli.commands.up",
    "cli.commands.serve",
    "services.migrations.upgrade",
    "services.notices.forgetting",
    "services.notices.sender",
)
"""What it would read by and by; the nursery does so beforehand."""


class Beside(BaseModel):
    """What to run, and where."""

    model_config = ConfigDict(frozen=True)

    arguments: tuple[str, ...]
    home: Path
    environment: dict[str, str]


def live(given: str) -> None:
    """Be such a process."""
    from cli.main import main  # noqa: PLC0415 - see READS

    said = Beside.model_validate_json(given)
    os.environ.clear()
    os.environ.update(said.environment)
    os.chdir(said.home)
    sys.argv = ["heard", *said.arguments]
    main()
