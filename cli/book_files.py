"""Files of a book of recipes, as commands take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.failures import Failure
from cli.printing import note
from services.inventory.book_files import Source
from services.people import store
from services.people.store import Tenant, Unknown
from services.runtime.house_rules import no_such_house

F = TypeVar("F", bound=Callable[..., Any])

_KINDS: Final = {".yaml": "yaml", ".yml": "yaml", ".csv": "csv"}

files_argument: Final = click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)


def read_sources(files: Sequence[Path]) -> list[Source]:
    """Read files, told apart by how their names end.

    Raises:
        Failure: one is no UTF-8 text.
        click.BadParameter: one is neither YAML nor CSV.
    """
    sources = []
    for file in files:
        kind = _KINDS.get(file.suffix.lower())
        if kind is None:
            raise click.BadParameter(f"{file.name} is neither .yaml nor .csv", param_hint="FILE")
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            said = f"{error.reason} at byte {error.start}"
            raise Failure(f"{file} is no UTF-8 text: {said}") from None
        sources.append(Source(str(file), text, kind))
    return sources


async def the_tenant(connection: AsyncConnection, tenant: str) -> Tenant:
    """The tenant of this name.

    Raises:
        Unknown: there is none.
    """
    known = await store.find_tenant(connection, tenant)
    if known is None:
        raise Unknown(no_such_house(tenant))
    return known


def refuse(complaints: Sequence[str], what: str) -> Failure:
    """Tell all that is wrong, a line each; the failure is the last of them."""
    for complaint in complaints[:-1]:
        note(complaint)
    return Failure(f"{complaints[-1]} ({what})")
