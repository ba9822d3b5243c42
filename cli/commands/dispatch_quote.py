"""`heard dispatch quote`: what a new delivery order would be promised now."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from cli.application import Application, pass_application
from cli.delivering import at_the_desk
from cli.grammar import Command, device_options, json_option
from cli.house_clock import on_screen, zone_of_house
from cli.order_lines import WANTED
from cli.ordering import asking_options
from cli.places import PLACE
from cli.printing import counted, say, show_json, show_table
from schemas.delivery_requests import MOST_DISHES
from schemas.orders import LineRequest
from schemas.positions import Place
from schemas.replies import DeliveryQuote, QuotePart
from services.delivery.pausing import resumes_under
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.command(cls=Command)
@click.argument("place", type=PLACE, required=False, metavar="[LAT,LON]")
@click.option(
    "--items", type=click.IntRange(1, MOST_DISHES), metavar="N", help="How many dishes; else usual."
)
@click.option(
    "--dish",
    "lines",
    type=WANTED,
    multiple=True,
    metavar="ITEM=QUANTITY",
    help="What would be ordered, as in `heard order place`; for each dish once.",
)
@device_options
@asking_options
@json_option
@pass_application
def quote(
    app: Application,
    *,
    place: Place | None,
    items: int | None,
    lines: tuple[LineRequest, ...],
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Say what a delivery order would be promised that is placed now, and whether one is taken.

    The services answer, as they answer a till. Without a place it is for a door as far away as
    most were, and without --dish or --items for as many dishes as most had. The promise holds
    nine times of ten (p90); p50 is as likely later as sooner. Food and courier are waited for
    side by side, then comes the way. Where the whole wait was learned of past orders, the parts
    only say what moves it now, and do not add up.

    Examples:
      heard dispatch quote 60.1719,24.9414 --tenant roma
      heard dispatch quote 60.1719,24.9414 --dish burger=2 --dish fries --tenant roma
      heard dispatch quote --tenant roma --items 4 --json
    """
    with at_the_desk(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        told = ask(lambda desk: desk.quote_delivery(place, lines=lines, items=items))
    # A till elsewhere has no database: there its machine's clock has to do.
    here = tenant if credentials is None else None
    marks = None if here is None else _marks(app, here)
    if as_json:
        show_json(_document(told, average=place is None, marks=marks))
        return
    zone = None if here is None else zone_of_house(app, here)
    _print(told, average=place is None, marks=marks, zone=zone)


def _marks(app: Application, tenant: str) -> tuple[int, float] | None:
    """Above how many minutes deliveries are paused, and below how many they are taken again."""

    async def read(database: Database) -> tuple[int, float] | None:
        async with database.read() as connection:
            house = (await house_rules.read(connection, tenant)).delivery
        over = house.pause_over_min
        return None if over is None else (over, resumes_under(over, house))

    return app.run(read)


def _document(
    told: DeliveryQuote, *, average: bool, marks: tuple[int, float] | None
) -> dict[str, Any]:
    over, under = marks or (None, None)
    more = {"average_door": average, "pause_over_min": over, "resume_under_min": under}
    return {**told.model_dump(mode="json", exclude={"kind"}), **more}


def _print(
    told: DeliveryQuote, *, average: bool, marks: tuple[int, float] | None, zone: tzinfo | None
) -> None:
    now = system_clock()
    p50, promised = (on_screen(at, now, zone) for at in (told.p50_at, told.promised_at))
    say(f"by {promised} nine times of ten (p90), as likely sooner as later than {p50} (p50)")
    where = f"{'an average door, ' if average else ''}{told.distance_m / 1_000:.1f} km away"
    waiting = counted(told.waiting, "delivery waits", "deliveries wait")
    crew = counted(told.couriers, "courier")
    say(f"{where}, {counted(told.items, 'dish', 'dishes')}; {waiting}, {crew}")
    whole = "all, as it was learned" if told.learned else "all"
    rows = (
        ("food ready", told.kitchen),
        ("courier there", told.courier),
        ("into the bag, ride, door", told.way),
        (whole, told.wait),
    )
    show_table(("minutes", "p50", "p90"), (_row(*each) for each in rows), empty="")
    say("deliveries are taken" if told.taken else f"deliveries are not taken: {told.why_not}")
    if marks is not None:
        say(f"paused over {marks[0]} minutes for most doors, taken again below {marks[1]:g}")


def _row(name: str, part: QuotePart) -> tuple[str, str, str]:
    return name, f"{part.p50_s / 60:.1f}", f"{part.p90_s / 60:.1f}"
