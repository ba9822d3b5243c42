"""What may happen to a party: several guests who put one order together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.house_rules import OrderRules
from schemas.menu import MenuItem
from schemas.money import Currency
from schemas.orders import (
    MAX_LINES,
    OPEN_ORDER,
    LineRequest,
    Order,
    OrderStatus,
    Participant,
    PlaceOrder,
)
from schemas.parties import (
    MAX_PARTY,
    PARTY_STEPS,
    OpenParty,
    Party,
    PartyGuest,
    PartyStatus,
    PartyStep,
)
from schemas.refusals import RefusalCode
from services.orders import pricing, rules
from services.runtime.refusal import Refusal

LASTS: Final = timedelta(hours=4)
"""How long guests may choose; and, from the sending on, how long they follow their order."""
CODE_BITS: Final = 40
MOST_BYTES: Final = 64 * 1024
"""Of a party, written down: each of its guests gets all of it with every change."""
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read as a digit, nor U, which makes words."""
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_LENGTH: Final = CODE_BITS // 5


# -- codes ----------------------------------------------------------------------------------


def code_of(number: int) -> str:
    """Write 40 random bits as a code that is kept: ``K3F79QXM``."""
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(CODE_BITS - 5, -1, -5))


def shown(code: str) -> str:
    """Write a kept code as people read it: ``K3F7-9QXM``."""
    return f"{code[:4]}-{code[4:]}"


def normal_code(text: str) -> str | None:
    """Read a code as people type it: in any case, grouped or not, O for 0.

    Returns:
        None where it is none.
    """
    code = text[:32].upper().translate(_READ_AS)
    return code if len(code) == _LENGTH and set(code) <= set(_ALPHABET) else None


# -- who is there ---------------------------------------------------------------------------


def present(party: Party) -> tuple[PartyGuest, ...]:
    """The guests that have not left, by their numbers."""
    return tuple(each for each in party.guests if not each.left)


def guest_at(party: Party, device: str) -> PartyGuest | None:
    """The guest at a device, if one is there."""
    return next((each for each in present(party) if each.device == device), None)


def is_over(party: Party, at: datetime) -> bool:
    """Tell whether a party has ended, or should have."""
    return party.status is PartyStatus.ENDED or at >= party.ends_at


# -- what changes ---------------------------------------------------------------------------


def step(party: Party, wanted: PartyStep, **changes: Any) -> Party:
    """Move a party one step.

    Raises:
        Refusal: `wrong-state`.
    """
    status = PARTY_STEPS.get((party.status, wanted))
    if status is None:
        raise Refusal(RefusalCode.WRONG_STATE, f"the party {party.code} is {party.status}")
    return _changed(party, status=status, **changes)


def open_party(
    request: OpenParty, *, party_id: UUID, device: str, code: str, currency: Currency, at: datetime
) -> Party:
    """Make a party, with its host as the first guest; `code` as it is kept."""
    return Party(
        party_id=party_id,
        status=PartyStatus.OPEN,
        version=1,
        code=shown(code),
        host=device,
        kind=request.kind,
        table=request.table,
        currency=currency,
        guests=(PartyGuest(guest=1, name=request.name, device=device),),
        opened_at=at,
        ends_at=at + LASTS,
    )


def join(party: Party, device: str, name: str, at: datetime) -> Party:
    """Let a guest in; whoever was in before keeps the number, and whoever is in, the lines.

    Raises:
        Refusal: `wrong-state`, where nobody can join any more.
    """
    check_open(party, at)
    known = next((each for each in party.guests if each.device == device), None)
    if known is not None:
        return _with_guests(party, [known.model_copy(update={"name": name, "left": False})])
    number = len(party.guests) + 1
    if number > MAX_PARTY:
        # A number whose guest has left is on no line.
        free = [each.guest for each in party.guests if each.left]
        if not free:
            raise Refusal(
                RefusalCode.WRONG_STATE, f"the party {party.code} is full: {MAX_PARTY} take part"
            )
        number = free[0]
    return _with_guests(party, [PartyGuest(guest=number, name=name, device=device)])


def choose(
    party: Party,
    device: str,
    lines: Sequence[LineRequest],
    *,
    menu: Mapping[str, MenuItem],
    house: OrderRules,
    at: datetime,
) -> Party:
    """Put a guest's lines in the place of those that they had; all is priced anew.

    Args:
        party: as it stands.
        device: the guest's.
        lines: what they want, all of it.
        menu: the items of the whole party that there are.
        house: says which taxes there are.
        at: the time.

    Raises:
        Refusal: `wrong-state`; `not-allowed` for a line of another guest; `too-many-lines` or
            `too-large` for the party as a whole; else see `pricing.price_lines`.
    """
    check_open(party, at)
    guest = _must_be_there(party, device)
    for number, line in enumerate(lines, 1):
        if line.guest not in {None, guest.guest}:
            raise Refusal(
                RefusalCode.NOT_ALLOWED,
                f"line {number} is for guest {line.guest}, and you are guest {guest.guest}",
            )
    mine = tuple(line.model_copy(update={"guest": guest.guest}) for line in lines)
    others = sum(len(each.lines) for each in party.guests if each is not guest)
    if others + len(mine) > MAX_LINES:
        raise Refusal(
            RefusalCode.TOO_MANY_LINES,
            f"a party has at most {MAX_LINES} lines: {MAX_LINES - others} are left for you",
        )
    subtotal = rules.total(pricing.price_lines(mine, menu, house))
    chosen = guest.model_copy(update={"lines": mine, "subtotal_minor": subtotal})
    guests = [_priced(each, menu, house) for each in party.guests if each is not guest]
    party = _with_guests(party, [*guests, chosen])
    if len(party.model_dump_json().encode()) > MOST_BYTES:
        raise Refusal(RefusalCode.TOO_LARGE, "the party has no room for so much: shorten notes")
    return party


def leave(party: Party, device: str, at: datetime) -> Party:
    """Let a guest go, with the lines that are not ordered yet; with its host a party ends.

    Raises:
        Refusal: `wrong-state` or `not-found`.
    """
    guest = _must_be_there(party, device)
    if party.status is PartyStatus.SENT:
        return _with_guests(party, [guest.model_copy(update={"left": True})])
    check_open(party, at)
    if device == party.host:
        return end(party, at)
    gone = {"left": True, "lines": (), "subtotal_minor": 0}
    return _with_guests(party, [guest.model_copy(update=gone)])


def order_of(party: Party, device: str, at: datetime) -> PlaceOrder:
    """Make the order that the host sends.

    Raises:
        Refusal: `wrong-state`, `not-the-host`; `invalid` where nobody has chosen anything.
    """
    check_open(party, at)
    _must_be_there(party, device)
    if device != party.host:
        raise Refusal(RefusalCode.NOT_THE_HOST, f"only the host sends the party {party.code}")
    lines = tuple(line for guest in present(party) for line in guest.lines)
    if not lines:
        raise Refusal(
            RefusalCode.INVALID, f"nobody in the party {party.code} has chosen anything yet"
        )
    participants = tuple(Participant(guest=each.guest, name=each.name) for each in present(party))
    return PlaceOrder(lines=lines, kind=party.kind, table=party.table, participants=participants)


def sent(party: Party, order: Order, at: datetime) -> Party:
    """The party's order is placed; from now on its guests follow it."""
    return step(
        party,
        PartyStep.SEND,
        order_id=order.order_id,
        order_status=order.status,
        ends_at=at + LASTS,
    )


def follow(party: Party, status: OrderStatus, at: datetime) -> Party:
    """Say how the party's order stands; with the order, the party ends."""
    if party.status is not PartyStatus.SENT or party.order_status is status:
        return party
    if status in OPEN_ORDER:
        return _changed(party, order_status=status)
    return end(party.model_copy(update={"order_status": status}), at)


def end(party: Party, at: datetime) -> Party:
    """End a party. Who was there is forgotten: an order has its own participants.

    Raises:
        Refusal: `wrong-state`.
    """
    return step(party, PartyStep.END, guests=(), ends_at=at)


def check_open(party: Party, at: datetime) -> None:
    """See that guests may still choose.

    Raises:
        Refusal: `wrong-state`.
    """
    if party.status is PartyStatus.SENT:
        raise Refusal(RefusalCode.WRONG_STATE, f"the party {party.code} is sent: its order stands")
    if is_over(party, at):
        raise Refusal(RefusalCode.WRONG_STATE, f"the party {party.code} is over: open another")


def _must_be_there(party: Party, device: str) -> PartyGuest:
    guest = guest_at(party, device)
    if guest is None:
        raise Refusal(RefusalCode.NOT_FOUND, "you are in no such party: join it by its code")
    return guest


def _priced(guest: PartyGuest, menu: Mapping[str, MenuItem], house: OrderRules) -> PartyGuest:
    """Say what a guest's lines cost by the menu now; what it no longer has keeps its price."""
    try:
        now = rules.total(pricing.price_lines(guest.lines, menu, house))
    except Refusal:
        return guest
    return guest.model_copy(update={"subtotal_minor": now})


def _with_guests(party: Party, changed: Iterable[PartyGuest]) -> Party:
    by_number = {each.guest: each for each in (*party.guests, *changed)}
    guests = tuple(by_number[number] for number in sorted(by_number))
    return party if guests == party.guests else _changed(party, guests=guests)


def _changed(party: Party, **changes: Any) -> Party:
    return party.model_copy(update={**changes, "version": party.version + 1})
