"""`heard dispatch plan` and `heard dispatch status`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from cli.application import Application, pass_application
from cli.dispatching import Looked, look
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import on_screen
from cli.printing import age, counted, note, say, show_json, show_table
from schemas.deliveries import DeliveryStatus
from schemas.dispatch import DispatchState, PlannedTrip
from services.delivery.dispatching.situating import Employed, HouseNow, Stop
from services.runtime.moment import system_clock


@click.command(cls=Command)
@tenant_option
@json_option
@pass_application
def plan(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show who would bring what, as things stand now; nobody is asked by this.

    Of orders that no courier was asked to bring yet. Until a courier has to leave, a later plan
    may do it otherwise. Where several houses share a fleet, they are planned together, and what
    concerns this one is shown.

    Examples:
      heard dispatch plan --tenant roma
      heard dispatch plan --tenant roma --json
    """
    now = system_clock()
    looked = app.run(lambda database: look(database, tenant, now))
    state = looked.state(tenant)
    if as_json:
        show_json(state.model_dump(mode="json"))
        return
    show_table(
        ("courier", "leaves", "has the food", "orders", "at the doors", "why"),
        (_trip(each, looked, now) for each in state.trips),
        empty="no trips are planned",
    )
    for wait in state.waiting:
        say(f"{wait.courier} should wait here: {wait.why}")
    for line in _left_out(state):
        note(line)


def _trip(trip: PlannedTrip, looked: Looked, now: datetime) -> tuple[object, ...]:
    return (
        trip.courier,
        "now" if trip.asked else on_screen(trip.leave_at, now, looked.zone),
        on_screen(trip.pickup_at, now, looked.zone),
        " ".join(door.number for door in trip.doors),
        " ".join(on_screen(door.at, now, looked.zone) for door in trip.doors),
        trip.why,
    )


def _left_out(state: DispatchState) -> Iterator[str]:
    for each in state.left_out:
        yield f"nobody brings {each.number}: {each.why}"
    if state.more:
        yield f"and {state.more} more"


@click.command(cls=Command)
@tenant_option
@json_option
@pass_application
def status(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show where each open order stands, what comes next of it, and what each courier can do.

    Examples:
      heard dispatch status --tenant roma
      heard dispatch status --tenant roma --json
    """
    now = system_clock()
    looked = app.run(lambda database: look(database, tenant, now))
    house = next(each for each in looked.planned.houses if each.tenant == tenant)
    fleet = [each.tenant for each in looked.planned.houses]
    orders = [_order(each, house, looked, now) for each in house.stops]
    couriers = [_courier(each, house, looked, now) for each in house.couriers]
    if as_json:
        show_json(
            {
                "at": now,
                "automatic": looked.rules.automatic,
                "fleet": fleet,
                "orders": orders,
                "couriers": couriers,
            }
        )
        return
    rules = looked.rules
    if rules.automatic:
        shared = f", together with {', '.join(t for t in fleet if t != tenant)}"
        say(
            f"couriers are asked by themselves, {age(rules.ask_ahead_s)} before they have to leave"
            f"{shared if len(fleet) > 1 else ''}"
        )
    else:
        say(f"nobody is asked by itself: heard dispatch run --tenant {tenant} begins that")
    show_table(
        ("order", "status", "courier", "since", "ready", "promised", "next"),
        (
            (
                each["number"],
                each["status"],
                each["courier"] or "",
                each["since"] or "",
                _at(each["ready_at"], now, looked),
                _at(each["promised_at"], now, looked),
                each["next"],
            )
            for each in orders
        ),
        empty="nothing is to be brought",
    )
    if couriers:
        say("")
    show_table(
        ("courier", "duty", "seen", "has", "free", "today"),
        (
            (
                each["courier"],
                each["duty"],
                each["seen"],
                counted(each["stops"], "stop"),
                _at(each["free_at"], now, looked),
                each["had"],
            )
            for each in couriers
        ),
        empty=f"no couriers yet: heard courier add NAME --device DEVICE --tenant {tenant}",
    )


def _at(at: datetime | None, now: datetime, looked: Looked) -> str:
    return "" if at is None else on_screen(at, now, looked.zone)


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(round(seconds), UTC) if math.isfinite(seconds) else None


def _order(stop: Stop, house: HouseNow, looked: Looked, now: datetime) -> dict[str, Any]:
    asked = stop.status is DeliveryStatus.ASSIGNED
    return {
        "order_id": stop.order_id,
        "number": stop.number,
        "status": stop.status.value,
        "courier": stop.courier,
        "since": age(now.timestamp() - stop.assigned_s) if asked else None,
        "ready_at": _moment(stop.ready_p50_s),
        "promised_at": _moment(stop.promised_s),
        "pinned": stop.pinned,
        "declined_by": list(stop.declined_by),
        "next": _next(stop, house, looked, now),
    }


def _next(stop: Stop, house: HouseNow, looked: Looked, now: datetime) -> str:
    """What comes next of an order, in words."""
    said = [f"pinned to {stop.pinned}"] if stop.pinned is not None else []
    if stop.declined_by:
        said.append(f"not {', '.join(stop.declined_by)}")
    if stop.status is DeliveryStatus.ASSIGNED:
        left = stop.assigned_s + house.rules.answer_within_s - now.timestamp()
        said.append(f"{age(left)} left to answer" if left > 0 else "did not answer in time")
    elif stop.status is DeliveryStatus.WAITING:
        said.append(_planned(stop, looked, now))
    return "; ".join(said)


def _planned(stop: Stop, looked: Looked, now: datetime) -> str:
    for route in looked.planned.plan.routes:
        for trip in route.trips:
            if stop.name in trip.orders:
                leave = _moment(trip.leave_s)
                at = "now" if trip.told or leave is None else on_screen(leave, now, looked.zone)
                return f"{trip.courier} leaves {at}: {trip.reason}"
    left = {each.order: each.why for each in looked.planned.plan.left_out}
    return f"nobody: {left[stop.name]}" if stop.name in left else ""


def _courier(each: Employed, house: HouseNow, looked: Looked, now: datetime) -> dict[str, Any]:
    now_s = now.timestamp()
    known = {one.name: one for one in looked.planned.situation.couriers}
    free = known[each.courier].free_s if each.courier in known else math.nan
    until = _moment(each.until_s)
    duty = "off" if not each.on_duty else "on"
    if each.on_duty and until is not None:
        duty = f"until {on_screen(until, now, looked.zone)}" if until > now else "over"
    return {
        "courier": each.courier,
        "duty": duty,
        "seen": f"{age(now_s - each.seen_s)} ago" if math.isfinite(each.seen_s) else "never",
        "stops": sum(stop.courier == each.courier for stop in house.stops),
        "free_at": None if free <= now_s else _moment(free),
        "had": each.had,
    }
