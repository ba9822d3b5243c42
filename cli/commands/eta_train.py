"""`heard eta train`: learn from what was delivered, now."""

from __future__ import annotations

from typing import Any

import click

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import the_house
from cli.printing import counted, say, show_json, show_table
from services.delivery.trainer import Learned, Trainer
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.command(cls=Command)
@tenant_option
@json_option
@pass_application
def train(app: Application, *, tenant: str, as_json: bool) -> None:
    """Learn how long this house's deliveries take, from those that came to their guests.

    The services do so once an hour by themselves. What there is too little of is taken as it is
    assumed of any house; the column n says from how many deliveries each part is known.

    It learns from this house's own deliveries alone. Those of a file can be held against the
    model (`heard eta evaluate FILE`), and no house learns from them: a file has no couriers, no
    kitchen and no stops, and of these its parts are made.

    Examples:
      heard eta train --tenant demo
      heard eta train --tenant demo --json
    """

    async def learn(database: Database) -> Learned | None:
        async with database.read() as connection:
            await the_house(connection, tenant)
        return await Trainer(database, system_clock).learn(tenant)

    learned = app.run(learn)
    if learned is None:
        raise Failure(
            f"nobody has said where {tenant} is: `heard delivery rules set --tenant {tenant}` does"
        )
    if as_json:
        show_json(_document(learned))
        return
    rows: list[tuple[object, ...]] = [
        (kind.value, f"{leg.p50_s / 60:.1f} min", f"{leg.p90_s / 60:.1f} min", f"{leg.n:.0f}")
        for kind, leg in learned.legs.parts.items()
    ]
    rows += [
        (
            f"a kilometre by {mode.value}",
            f"{pace.s_per_m * 1000 / 60:.1f} min",
            f"{pace.s_per_m * pace.slower * 1000 / 60:.1f} min",
            f"{learned.legs.rides.get(mode, 0.0):.0f}",
        )
        for mode, pace in learned.legs.paces.items()
    ]
    show_table(("part", "p50", "p90", "n"), rows, empty="nothing")
    whole = "learned too" if learned.whole is not None else "not learned: there are too few"
    say(f"from {counted(learned.orders, 'delivery', 'deliveries')}; the whole wait is {whole}")


def _document(learned: Learned) -> dict[str, Any]:
    return {"orders": learned.orders, "legs": learned.legs.to_document(), "whole": learned.whole}
