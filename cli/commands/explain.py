"""`heard explain`: the whole story of something, on one page."""

from __future__ import annotations

import click

from cli import story_page
from cli.application import Application, pass_application
from cli.grammar import Group, json_option, tenant_option
from cli.ordering import find_order
from cli.printing import say, show_json
from cli.story import Sources, gather
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.group(cls=Group)
def explain() -> None:
    """Tell the whole story of something."""


@explain.command("order")
@click.argument("name", metavar="ORDER")
@tenant_option
@json_option
@pass_application
def order_(app: Application, *, name: str, tenant: str, as_json: bool) -> None:
    """Tell the whole story of an order on one page, from first to last.

    Every request with its answer, refused ones too; every change with who made it, why, and
    each rule that decided; each ticket: when it was published, who heard it and after how
    long; whom the house told; times promised and real; and the money as a double entry that
    sums to zero. ORDER is the order's number or its end, its id, or the sender's reference.

    Examples:
      heard explain order ORD-240115103045-A1B2 --tenant demo
      heard explain order A1B2 --tenant demo --json
    """

    async def read(database: Database) -> Sources:
        async with database.read() as connection:
            order = await find_order(connection, tenant, name)
            return await gather(connection, tenant, order, system_clock())

    sources = app.run(read)
    if as_json:
        show_json(story_page.document(sources))
        return
    for line in story_page.page(sources):
        say(line)
