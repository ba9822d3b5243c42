"""`heard db`: the database's version."""

from __future__ import annotations

import click

from cli.application import Application, pass_application
from cli.grammar import Group, json_option
from cli.printing import say, show_json
from services.migrations import upgrade as migrations
from services.runtime.database import Database


@click.group(cls=Group)
def db() -> None:
    """Look after the database."""


@db.command()
@json_option
@pass_application
def upgrade(app: Application, *, as_json: bool) -> None:
    """Bring the database to the version of this program.

    `heard up` does so by itself. Where nothing is to be done, nothing is done.

    Examples:
      heard db upgrade
      HEARD_DATABASE=postgresql://heard@localhost/heard heard db upgrade
    """

    async def migrate(database: Database) -> tuple[str, str | None, str]:
        return (database.shown, *await migrations.upgrade(database))

    where, before, after = app.run(migrate, as_it_is=True)
    if as_json:
        show_json({"database": where, "before": before, "after": after})
    elif before == after:
        say(f"{where} is at version {after} already")
    else:
        say(f"{where}: {before or 'empty'} → {after}")


@db.command()
@json_option
@pass_application
def version(app: Application, *, as_json: bool) -> None:
    """Tell the database's version, and the one this program works with.

    The exit code is 1 where they differ.

    Examples:
      heard db version
      heard db version --json
    """

    async def ask(database: Database) -> tuple[str, str | None]:
        return database.shown, await migrations.version(database)

    where, at = app.run(ask, as_it_is=True)
    newest = migrations.newest()
    if as_json:
        show_json({"database": where, "version": at, "newest": newest})
    else:
        say(f"{where} is at version {at or 'none'}; this program works with {newest}")
    if at != newest:
        click.get_current_context().exit(1)
