"""`heard quarantine`: what nobody could understand."""

from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

import click
from sqlalchemy import delete, select

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import say, show_json, show_table, when
from services.runtime.database import Database
from services.runtime.tables import QUARANTINE


@click.group(cls=Group)
def quarantine() -> None:
    """Look at messages that nobody could understand; they are kept whole."""


async def _read(database: Database, tenant: str | None, limit: int) -> list[dict[str, Any]]:
    query = select(QUARANTINE).order_by(QUARANTINE.c.received_at.desc()).limit(limit)
    if tenant is not None:
        query = query.where(QUARANTINE.c.tenant == tenant)
    async with database.read() as connection:
        if tenant is not None:
            await must_be_there(connection, tenant)
        return [dict(row) for row in (await connection.execute(query)).mappings()]


@quarantine.command("list")
@click.option("--tenant", type=NAME, metavar="NAME", help="Only this restaurant's.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many."
)
@json_option
@pass_application
def list_(app: Application, *, tenant: str | None, limit: int, as_json: bool) -> None:
    """List them, the newest first.

    Examples:
      heard quarantine list
      heard quarantine list --tenant roma --json
    """
    found = app.run(lambda database: _read(database, tenant, limit))
    if as_json:
        show_json([_as_json(row) for row in found])
        return
    show_table(
        ("id", "tenant", "received", "topic", "bytes", "why"),
        (
            (
                row["entry_id"],
                row["tenant"],
                row["received_at"],
                row["topic"],
                len(row["payload"]),
                row["reason"],
            )
            for row in found
        ),
        empty="nothing is in quarantine",
    )


@quarantine.command()
@click.argument("entry", type=click.UUID, metavar="ID")
@click.option("--raw", is_flag=True, help="Only the payload, byte for byte.")
@json_option
@pass_application
def show(app: Application, *, entry: UUID, raw: bool, as_json: bool) -> None:
    """Show one of them, whole.

    Examples:
      heard quarantine show 0197a3b2-5c1e-7a40-9f7e-2f4c5d6e7f80
      heard quarantine show 0197a3b2-5c1e-7a40-9f7e-2f4c5d6e7f80 --raw > payload.bin
    """

    async def read(database: Database) -> dict[str, Any] | None:
        query = select(QUARANTINE).where(QUARANTINE.c.entry_id == entry)
        async with database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
            return None if row is None else dict(row)

    row = app.run(read)
    if row is None:
        raise Failure(f"nothing in quarantine is called {entry}: heard quarantine list")
    if raw:
        sys.stdout.buffer.write(row["payload"])
    elif as_json:
        show_json(_as_json(row))
    else:
        say(f"{when(row['received_at'])}  {row['topic']}")
        say(row["reason"])
        say(_text(row["payload"]))


@quarantine.command()
@click.argument("entries", type=click.UUID, nargs=-1, metavar="ID...")
@click.option("--all", "whole", is_flag=True, help="Everything that is there.")
@pass_application
def clear(app: Application, *, entries: tuple[UUID, ...], whole: bool) -> None:
    """Remove what was looked at.

    Examples:
      heard quarantine clear 0197a3b2-5c1e-7a40-9f7e-2f4c5d6e7f80
      heard quarantine clear --all
    """
    if bool(entries) == whole:
        raise click.UsageError("name what to remove, or say --all")

    async def drop(database: Database) -> int:
        query = delete(QUARANTINE)
        if not whole:
            query = query.where(QUARANTINE.c.entry_id.in_(entries))
        async with database.write() as connection:
            return (await connection.execute(query)).rowcount

    say(f"{app.run(drop)} removed")


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["entry_id"],
        "tenant": row["tenant"],
        "received_at": row["received_at"],
        "topic": row["topic"],
        "reason": row["reason"],
        "payload": _text(row["payload"]),
    }


def _text(payload: bytes) -> str:
    # What a terminal would obey is shown, not done.
    return "".join(
        each if each.isprintable() or each == "\n" else ascii(each)[1:-1]
        for each in payload.decode("utf-8", "backslashreplace")
    )
