"""`heard stock rules`: how a house looks after its stock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click
from pydantic import ValidationError

from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure, explain
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import the_house
from cli.printing import show_json, show_table
from cli.span import SPAN
from schemas.stock_rules import StockRules
from services.runtime import audit, house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

_APART: Final = frozenset({"sensors"})
"""They have a command of their own."""


@click.group(cls=Group)
def rules() -> None:
    """Say how a house looks after its stock."""


@rules.command()
@tenant_option
@json_option
@pass_application
def show(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show how a house looks after its stock.

    Examples:
      heard stock rules show --tenant roma
    """

    async def read(database: Database) -> StockRules:
        async with database.read() as connection:
            await the_house(connection, tenant)
            return (await house_rules.read(connection, tenant)).stock

    _show(app.run(read), as_json=as_json)


@rules.command("set")
@click.option("--plan-ahead", "plan_ahead_s", type=SPAN, metavar="SPAN",
              help="Orders for a time further away take nothing from today.")  # fmt: skip
@click.option("--countdown", type=click.IntRange(0, 100), metavar="N",
              help="From so many portions on, screens say how many are left.")  # fmt: skip
@click.option("--expiry-warning-days", type=click.IntRange(0, 60), metavar="N",
              help="So long before a lot expires somebody is told.")  # fmt: skip
@tenant_option
@json_option
@pass_application
def set_(app: Application, *, tenant: str, as_json: bool, **said: Any) -> None:
    """Change how a house looks after its stock; what is not named stays as it is.

    Examples:
      heard stock rules set --tenant roma --expiry-warning-days 3
      heard stock rules set --tenant roma --plan-ahead 24h --countdown 5
    """
    named = {name: value for name, value in said.items() if value is not None}
    if not named:
        raise Failure("name what is to be another: heard stock rules set --help")
    if "plan_ahead_s" in named:
        named["plan_ahead_s"] = round(named["plan_ahead_s"])

    async def write(database: Database) -> StockRules:
        async with database.write() as connection:
            await the_house(connection, tenant)
            before = (await house_rules.read(connection, tenant)).stock
            after = StockRules.model_validate({**before.model_dump(), **named})
            await house_rules.write(connection, tenant, stock=after)
            await audit.record(
                connection,
                tenant=tenant,
                actor=actor(),
                action="stock-rules.set",
                subject=tenant,
                now=system_clock(),
                **{name: str(value) for name, value in named.items()},
            )
            return after

    try:
        after = app.run(write)
    except ValidationError as error:
        raise Failure(f"{explain(error)} (nothing was changed)") from None
    _show(after, as_json=as_json)


def _show(house: StockRules, *, as_json: bool) -> None:
    if as_json:
        show_json(house.model_dump(mode="json", exclude=set(_APART)))
    else:
        show_table(("rule", "value"), _rows(house), empty="no rules")


def _rows(house: StockRules) -> Iterator[tuple[str, str]]:
    for name, value in house.model_dump(mode="json", exclude=set(_APART)).items():
        if name.endswith("_s"):
            yield name.removesuffix("_s").replace("_", "-"), f"{value}s"
        else:
            yield name.replace("_", "-"), str(value)
