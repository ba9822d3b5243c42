"""What became of an evening's orders: each delivered or explained, and what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cli.application import Application
from cli.simulated_houses import Staffed
from cli.simulated_office import Move
from cli.simulating_fleet import Fleet, Placed
from devices.simulated_courier import NOT_NOW
from schemas.deliveries import DeliveryStatus, DeliveryStep
from services.delivery import store
from services.delivery.kept import Kept
from services.runtime.database import Database

_SILENT: Final = "was not seen"
_KITCHEN: Final = "the kitchen "
_WITHOUT: Final = "set out without"
_WITH_WHY: Final = frozenset(
    {DeliveryStep.UNASSIGN, DeliveryStep.DECLINE, DeliveryStep.FAIL, DeliveryStep.CANCEL}
)
_ENDED: Final = frozenset({DeliveryStatus.CANCELLED, DeliveryStatus.RETURNED})


def report(app: Application, fleet: Fleet, placed: Sequence[Placed]) -> dict[str, Any]:
    """Reckon it up.

    Args:
        app: whose database has the deliveries.
        fleet: who took part; what they saw is complete.
        placed: every order.
    """
    accepted = [each for each in placed if each.asked.done and each.asked.error is None]
    keys = [(each.tenant, each.asked.result(0).order_id) for each in accepted]

    async def read(database: Database) -> dict[tuple[str, UUID], Kept]:
        async with database.read() as connection:
            return await store.some(connection, keys)

    kept = app.run(read)
    real = fleet.riding.handed_over
    left_out = {
        each.order_id: each.why
        for one in fleet.houses
        if (plan := one.office.plan) is not None
        for each in plan.left_out
    }
    orders = [_order(key, kept.get(key), real, left_out) for key in keys]
    orders += [_refused(each) for each in placed if each not in accepted]
    moves = [move for one in fleet.houses for move in one.office.moves]
    for each in orders:
        each["story"] = [_told(move) for move in moves if move.order_id == each["order_id"]]
    orders.sort(key=lambda each: (each["placed_at"] is None, each["placed_at"]))
    delivered = [each for each in orders if each["became"] == "delivered"]
    return {
        "orders": len(orders),
        "delivered": len(delivered),
        "explained": sum(each["became"] != "delivered" and bool(each["why"]) for each in orders),
        "neither": sum(each["became"] != "delivered" and not each["why"] for each in orders),
        "explanations": dict(Counter(each["why"] for each in orders if each["why"]).most_common()),
        **_late(delivered),
        **_waits(list(kept.values())),
        **_askings(moves),
        **_bundles(moves),
        "alerts": dict(_alerts(fleet.houses)),
        "lost": {
            name: each.lost_at
            for name, each in fleet.riding.couriers.items()
            if each.lost_at is not None
        },
        "rode": len({each["courier"] for each in delivered}),
        "deliveries": orders,
    }


def _order(
    key: tuple[str, UUID],
    kept: Kept | None,
    real: Mapping[UUID, datetime],
    left_out: Mapping[UUID, str],
) -> dict[str, Any]:
    tenant, order_id = key
    if kept is None:
        return _line(tenant, order_id, became="never begun")
    delivery = kept.delivery
    at = real.get(order_id)
    became, why = delivery.status.value, ""
    if delivery.status is DeliveryStatus.DELIVERED:
        if at is None:  # somebody said so, and no guest has it
            became = "said to be delivered"
    elif delivery.status in _ENDED:
        why = delivery.reason or ""
    elif delivery.status is DeliveryStatus.WAITING:
        why = left_out.get(order_id, "")
    promised = delivery.promised_at
    late = None if at is None or promised is None else (at - promised).total_seconds() / 60
    return _line(
        tenant,
        order_id,
        number=delivery.number,
        courier=delivery.courier,
        placed_at=delivery.placed_at,
        ready_at=kept.ready_at,
        picked_up_at=delivery.picked_up_at,
        promised_at=promised,
        real_at=at,
        late_min=None if late is None else round(late, 2),
        became=became,
        why=why,
    )


def _told(move: Move) -> str:
    """One step as people read it: when, what, who, and why where it was taken back."""
    why = move.reason if move.step in _WITH_WHY and move.reason else ""
    who = move.courier or ""
    return " ".join(filter(None, (f"{move.at:%H:%M:%S}", move.step.value, who, why)))


def _refused(each: Placed) -> dict[str, Any]:
    why = "nobody answered" if each.asked.error is None else str(each.asked.error)
    return _line(each.tenant, None, number=each.order.reference, became=f"refused: {why}")


def _line(tenant: str, order_id: UUID | None, **known: Any) -> dict[str, Any]:
    line: dict[str, Any] = {"house": tenant, "order_id": order_id, "number": "", "courier": None}
    times = ("placed_at", "ready_at", "picked_up_at", "promised_at", "real_at", "late_min")
    return line | dict.fromkeys(times) | {"became": "", "why": ""} | known


def _late(delivered: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    promised = [each["late_min"] for each in delivered if each["late_min"] is not None]
    minutes = [(each["real_at"] - each["placed_at"]).total_seconds() / 60 for each in delivered]
    return {
        "promises_kept": round(sum(each <= 0 for each in promised) / len(promised), 3)
        if promised
        else None,
        "late_worst_min": round(max(promised), 1) if promised else None,
        "click_to_door_mean_min": _mean(minutes),
    }


def _waits(kept: Collection[Kept]) -> dict[str, Any]:
    """How long food stood ready before it was fetched, and couriers at counters."""
    food, courier = [], []
    for each in kept:
        fetched, there = each.delivery.picked_up_at, each.delivery.at_restaurant_at
        if fetched is None:
            continue
        if each.ready_at is not None:
            food.append(max(0.0, (fetched - each.ready_at).total_seconds() / 60))
        if there is not None:
            courier.append((fetched - there).total_seconds() / 60)
    return {"food_waited_mean_min": _mean(food), "courier_waited_mean_min": _mean(courier)}


def _askings(moves: Sequence[Move]) -> dict[str, Any]:
    steps = Counter(each.step for each in moves)
    # Who does not answer is taken to decline, in the dispatcher's words and not in their own.
    declined = sum(each.step is DeliveryStep.DECLINE and _says(each, NOT_NOW) for each in moves)
    taken = [each for each in moves if each.step is DeliveryStep.UNASSIGN]
    kinds = {"courier not seen": _SILENT, "kitchen late": _KITCHEN, "left behind": _WITHOUT}
    why = {name: sum(_says(each, said) for each in taken) for name, said in kinds.items()}
    return {
        "asked": steps[DeliveryStep.ASSIGN],
        "accepted": steps[DeliveryStep.ACCEPT],
        "declined": declined,
        "unanswered": steps[DeliveryStep.DECLINE] - declined,
        "taken_back": {**why, "else": len(taken) - sum(why.values())},
    }


def _says(move: Move, what: str) -> bool:
    return what in (move.reason or "")


def _bundles(moves: Sequence[Move]) -> dict[str, Any]:
    """What was fetched together: of one courier's one asking."""
    together = Counter(
        (each.courier, each.asked_at)
        for each in moves
        if each.step is DeliveryStep.PICK_UP and each.asked_at is not None
    )
    sizes = Counter(together.values())
    return {
        "trips": sum(sizes.values()),
        "bundles": sum(count for size, count in sizes.items() if size > 1),
        "bundle_sizes": {str(size): count for size, count in sorted(sizes.items())},
    }


def _alerts(houses: Sequence[Staffed]) -> Counter[str]:
    return Counter(alert.kind.value for one in houses for alert in one.office.raised)


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None
