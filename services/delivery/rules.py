"""What may happen to a delivery. Pure: no clock, no database, no messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final
from uuid import UUID

from schemas.deliveries import (
    DELIVERY_STEPS,
    MAX_STOPS,
    OPEN_DELIVERY,
    Delivery,
    DeliveryStatus,
    DeliveryStep,
    Proof,
    ProofKind,
)
from schemas.delivery_requests import CompleteDelivery
from schemas.delivery_rules import DeliveryRules, ProofRule
from schemas.orders import Guest, Order
from schemas.positions import Place
from schemas.refusals import RefusalCode
from services.delivery.kept import Beside, Kept
from services.runtime.refusal import Refusal

CODE_DIGITS: Final = 4
_TIMES: Final = {
    DeliveryStatus.ASSIGNED: "assigned_at",
    DeliveryStatus.ACCEPTED: "accepted_at",
    DeliveryStatus.AT_RESTAURANT: "at_restaurant_at",
    DeliveryStatus.PICKED_UP: "picked_up_at",
    DeliveryStatus.EN_ROUTE: "set_out_at",
    DeliveryStatus.ARRIVED: "arrived_at",
}
_FORTH: Final = frozenset(
    {DeliveryStep.ASSIGN, DeliveryStep.ACCEPT, DeliveryStep.PICK_UP, DeliveryStep.SET_OUT}
)
"""What leads from the kitchen to the door."""
_BACK: Final = frozenset({DeliveryStep.UNASSIGN, DeliveryStep.DECLINE, DeliveryStep.CANCEL})
_NOBODY: Final[dict[str, Any]] = {
    "courier": None,
    "device": None,
    "stop": None,
    "why": None,
    "assigned_at": None,
    "accepted_at": None,
    "at_restaurant_at": None,
}
_ANEW: Final[dict[str, Any]] = {
    **_NOBODY,
    "picked_up_at": None,
    "set_out_at": None,
    "arrived_at": None,
    "ended_at": None,
    "reason": None,
}
"""What came back and goes out again: nothing of the first time counts any more."""
_PLACES: Final = 2
"""Decimals of a place that is left when its guest is forgotten: about a kilometre."""


def items(order: Order) -> int:
    """How many dishes of an order are brought."""
    return max(1, sum(line.quantity for line in order.lines if not line.voided))


def begin(
    order: Order,
    place: Place,
    house: DeliveryRules,
    *,
    address: str | None = None,
    code: str,
    link: str,
) -> Kept:
    """Make the delivery of an order that is to go to a place.

    Args:
        order: of the kind that is delivered.
        place: the guest's door.
        house: whether a code is wanted.
        address: the door in words; None is as the order says.
        code: what the guest has to say, should one be.
        link: random, never told: under what links are signed.
    """
    guest = order.guest or Guest()
    delivery = Delivery(
        order_id=order.order_id,
        number=order.number,
        status=DeliveryStatus.WAITING,
        version=1,
        place=place,
        placed_at=order.placed_at,
        due_at=order.due_at,
    )
    beside = Beside(
        guest=guest.name or "",
        phone=guest.phone or "",
        address=guest.address or "" if address is None else address,
        code=code if house.proof is ProofRule.CODE else None,
        link=link,
    )
    return Kept(delivery, beside, items(order))


def promise(kept: Kept, p50_at: datetime, promised_at: datetime) -> Kept:
    """What the guest is told as the order is placed; it stands, whatever comes."""
    delivery = kept.delivery.model_copy(update={"promised_at": promised_at})
    return replace(kept, delivery=delivery, quoted_p50_at=p50_at)


def ready(kept: Kept, at: datetime | None) -> Kept:
    """The kitchen has the last of it, or, with None, has it no more."""
    delivery = kept.delivery.model_copy(update={"version": kept.delivery.version + 1})
    return replace(kept, delivery=delivery, ready_at=at)


def put_at(kept: Kept, place: Place, address: str | None) -> Kept:
    """Another door, or its address; the promise stands.

    Args:
        kept: as it stands.
        place: the door.
        address: the same in words; None where nobody says: then the words of another door go.
    """
    said = kept.beside.address if place == kept.delivery.place else ""
    beside = kept.beside.model_copy(update={"address": said if address is None else address})
    changes = {"place": place, "version": kept.delivery.version + 1}
    return replace(kept, delivery=kept.delivery.model_copy(update=changes), beside=beside)


def can(delivery: Delivery, what: DeliveryStep) -> bool:
    """Tell whether a step exists from where a delivery stands."""
    return (delivery.status, what) in DELIVERY_STEPS


def before(status: DeliveryStatus, what: DeliveryStep) -> tuple[DeliveryStep, ...]:
    """Which steps come first, as few as can be, until one can be done; none where none lead there.

    Nobody is told to fail at a door, or to bring food back, for the sake of another step.
    """
    if what in _BACK:
        return ()
    between = {*_FORTH, DeliveryStep.FAIL} if what is DeliveryStep.RETURN else _FORTH
    ways: dict[DeliveryStatus, tuple[DeliveryStep, ...]] = {status: ()}
    for at, way in (looking := list(ways.items())):
        if (at, what) in DELIVERY_STEPS:
            return way
        for (begins, by), ends in DELIVERY_STEPS.items():
            if begins is at and by in between and ends not in ways:
                ways[ends] = (*way, by)
                looking.append((ends, ways[ends]))
    return ()


def _no_such_step(delivery: Delivery, what: DeliveryStep) -> str:
    stands = f"the delivery of {delivery.number} is {delivery.status}: cannot {what}"
    if first := before(delivery.status, what):
        return f"{stands}; first {', then '.join(first)}"
    can_be = [by for at, by in DELIVERY_STEPS if at is delivery.status]
    return f"{stands}; from here: {', '.join(can_be) or 'nothing, it has ended'}"


def step(
    kept: Kept,
    what: DeliveryStep,
    *,
    now: datetime,
    at: datetime | None = None,
    reason: str | None = None,
    **more: Any,
) -> Kept:
    """Move a delivery one step.

    Args:
        kept: as it stands.
        what: the step.
        now: the time of the decision.
        at: when it happened, as its sender says; see `schemas.delivery_requests.Happened`.
        reason: why, where that is said.
        more: other fields of the delivery that change with it.

    Raises:
        Refusal: `wrong-state`, when the table has no such step from here.
    """
    delivery = kept.delivery
    following = DELIVERY_STEPS.get((delivery.status, what))
    if following is None:
        raise Refusal(RefusalCode.WRONG_STATE, _no_such_step(delivery, what))
    happened = when(delivery, at, now)
    changes: dict[str, Any] = {"status": following, "version": delivery.version + 1}
    if delivery.status not in OPEN_DELIVERY:
        changes |= _ANEW
    changes |= more
    if following is DeliveryStatus.WAITING:
        changes |= _NOBODY
    if following is DeliveryStatus.EN_ROUTE:
        # Who sets out again after a failed try is not at that door any more.
        changes["arrived_at"] = None
    if following in _TIMES:
        changes[_TIMES[following]] = happened
    if following not in OPEN_DELIVERY:
        changes["ended_at"] = happened
    if reason is not None:
        changes["reason"] = reason
    beside = kept.beside
    if following is DeliveryStatus.FAILED:
        beside = beside.model_copy(update={"failed_at": happened})
    elif "declined_by" in more:
        beside = beside.model_copy(update={"declined_at": happened})
    return replace(kept, delivery=delivery.model_copy(update=changes), beside=beside)


def declined_too(kept: Kept, courier: str) -> tuple[str, ...]:
    """Who will not bring it, with one more."""
    declined = kept.delivery.declined_by
    return declined if courier in declined else (*declined, courier)


def may_follow(kept: Kept, what: DeliveryStep, at: datetime) -> bool:
    """Tell whether a step follows from where the courier's tracker was at a time.

    It does not where the courier had nothing to do with it then: a phone that was away tells
    late of doors that it passed. And who leaves the restaurant with what failed before has not
    set out for that door by that.
    """
    delivery = kept.delivery
    if what is DeliveryStep.SET_OUT and delivery.status is not DeliveryStatus.PICKED_UP:
        return False
    coming = what is DeliveryStep.REACH_RESTAURANT
    since = delivery.accepted_at if coming else delivery.picked_up_at
    if since is None or not can(delivery, what):
        return False
    return max(since, kept.beside.failed_at or since) <= at


def when(delivery: Delivery, at: datetime | None, now: datetime) -> datetime:
    """The time of a step: as it is told, but neither in the future nor before the last one."""
    told = now if at is None else min(at, now)
    known: list[datetime | None] = [getattr(delivery, name) for name in _TIMES.values()]
    return max([told, delivery.placed_at, *(each for each in known if each is not None)])


def happened_at(delivery: Delivery) -> datetime | None:
    """When a delivery came to stand where it does, where that is kept in it."""
    if delivery.status not in OPEN_DELIVERY:
        return delivery.ended_at
    name = _TIMES.get(delivery.status)
    found: datetime | None = None if name is None else getattr(delivery, name)
    return found


# -- the guest's door -----------------------------------------------------------------------


def check_tries(kept: Kept, house: DeliveryRules) -> None:
    """See that a courier may try one more code.

    Raises:
        Refusal: `too-many-tries`.
    """
    if kept.beside.code is not None and kept.beside.tries >= house.code_tries:
        raise Refusal(
            RefusalCode.TOO_MANY_TRIES,
            f"{kept.beside.tries} wrong codes for {kept.delivery.number}: call the house, "
            "which can say that it was delivered",
        )


def is_code(kept: Kept, said: str) -> bool:
    """Tell whether this is what the guest was given."""
    wanted = kept.beside.code
    given = "".join(letter for letter in said if letter.isalnum())
    return wanted is not None and compare_digest(given.encode(), wanted.encode())


def proof(kept: Kept, asked: CompleteDelivery, house: DeliveryRules, *, by_house: bool) -> Proof:
    """What shows that the guest has it; a code was looked at before.

    Raises:
        Refusal: `proof-missing`, where the house wants another of its couriers.
    """
    if asked.code is not None and is_code(kept, asked.code):
        return Proof(kind=ProofKind.CODE)
    given = asked.proof or Proof(kind=ProofKind.NOTHING)
    if given.kind is ProofKind.CODE:  # nobody but the one above can say that
        given = Proof(kind=ProofKind.NOTHING)
    wants_code = kept.beside.code is not None
    wanted = ProofRule.CODE if wants_code else house.proof
    if by_house or wanted is ProofRule.NONE or (wanted is ProofRule.CODE and not wants_code):
        return given
    if given.kind.value != wanted.value or not given.reference:
        raise Refusal(RefusalCode.PROOF_MISSING, _WANTED[wanted])
    return given


_WANTED: Final = {
    ProofRule.NONE: "",
    ProofRule.CODE: "this house wants the guest's code: ask them for it, their page shows it",
    ProofRule.PHOTO: "this house wants a photo: say where it is kept",
    ProofRule.SIGNATURE: "this house wants a signature: say where it is kept",
}


# -- stops ----------------------------------------------------------------------------------


def with_stop(stops: Sequence[UUID], order_id: UUID, stop: int | None) -> tuple[UUID, ...]:
    """The stops with one more, or with one that is there already at another place.

    Raises:
        Refusal: `too-many-stops`.
    """
    others = [each for each in stops if each != order_id]
    if len(others) >= MAX_STOPS:
        raise Refusal(
            RefusalCode.TOO_MANY_STOPS, f"a courier has at most {MAX_STOPS} stops: ask another"
        )
    place = len(others) if stop is None else min(stop - 1, len(others))
    return (*others[:place], order_id, *others[place:])


def sequence(courier: str, stops: Mapping[UUID, str], wanted: Sequence[UUID]) -> tuple[UUID, ...]:
    """The same stops in another sequence.

    Args:
        courier: whose they are.
        stops: what they have to bring, each with the order's number.
        wanted: the sequence.

    Raises:
        Refusal: `stale-version`, where they are not the same.
    """
    if len(wanted) != len(set(wanted)) or set(wanted) != set(stops):
        raise Refusal(
            RefusalCode.STALE_VERSION,
            f"{courier} has nothing to bring"
            if not stops
            else f"{courier} has to bring {', '.join(stops.values())}: name each of them once, "
            "and nothing else",
        )
    return tuple(wanted)


# -- whose data it is -----------------------------------------------------------------------


def forget_guest(kept: Kept) -> Kept:
    """Erase who the guest was, and where they live; how it went, and about how far, stays."""
    delivery = kept.delivery
    place = rounded(delivery.place)
    proved = None if delivery.proof is None else Proof(kind=delivery.proof.kind)
    changes = {
        "version": delivery.version + 1,
        "place": place,
        "proof": proved,
        "reason": None,
    }
    beside = Beside(failed_at=kept.beside.failed_at)
    return replace(kept, delivery=delivery.model_copy(update=changes), beside=beside)


def rounded(place: Place) -> Place:
    """A place of which nobody can say whose it is; 0/0, which is none, is never made."""
    lat, lon = round(place.lat, _PLACES), round(place.lon, _PLACES)
    return Place(lat=lat, lon=lon or (0.01 if lat == 0 else 0.0))
