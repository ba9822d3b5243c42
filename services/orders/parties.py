"""What the orders area does with parties: guests who put one order together."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.orders import OrderChanged
from schemas.parties import (
    ChooseLines,
    JoinParty,
    LeaveParty,
    OpenParty,
    Party,
    PartyState,
    PartyStatus,
    SendParty,
)
from schemas.refusals import RefusalCode
from schemas.replies import PartyReceipt
from services.orders import party_rules, party_store
from services.orders.handlers import place
from services.orders.inside import EndParty
from services.orders.party_rules import CODE_BITS, code_of, normal_code
from services.runtime import house_rules
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.ports import Ports
from services.runtime.refusal import Refusal
from services.runtime.router import Router
from services.runtime.work import Draft

router: Final = Router()


@router.on(OpenParty)
async def open_party(request: OpenParty, context: Context) -> None:
    """Open a party; the device that asks is its host."""
    await _stand_up(context)
    party = party_rules.open_party(
        request,
        party_id=context.request_id,
        device=context.device,
        code=code_of(secrets.randbits(CODE_BITS)),
        currency=await party_store.currency_of(context),
        at=context.now,
    )
    await party_store.sit(context, party.party_id)
    await _keep(context, None, party)


@router.on(JoinParty)
async def join_party(request: JoinParty, context: Context) -> None:
    """Let a guest in who knows the code."""
    code = normal_code(request.code)
    party = None if code is None else await party_store.by_code(context, code)
    if party is None or party.status is not PartyStatus.OPEN:
        raise Refusal(RefusalCode.WRONG_CODE, "no party is open under this code")
    if party_rules.guest_at(party, context.device) is None:
        await _stand_up(context)
    joined = party_rules.join(party, context.device, request.name, context.now)
    await party_store.sit(context, party.party_id)
    await _keep(context, party, joined)


@router.prepare(ChooseLines)
async def read_parties_ahead(
    draft: Draft, ports: Ports, asked: Sequence[tuple[str, ChooseLines]]
) -> None:
    """Read all parties and items of the batch at once."""
    await house_rules.prepare(draft, {tenant for tenant, _ in asked})
    await party_store.prepare(draft, {(tenant, request.party_id) for tenant, request in asked})
    await ports.menu.prepare(
        draft, {(tenant, line.item) for tenant, request in asked for line in request.lines}
    )


@router.on(ChooseLines)
async def choose_lines(request: ChooseLines, context: Context) -> None:
    """Put a guest's lines in the place of those that they had."""
    party = await _load(context, request.party_id)
    lines = [*request.lines, *(line for guest in party.guests for line in guest.lines)]
    chosen = party_rules.choose(
        party,
        context.device,
        request.lines,
        menu=await context.ports.menu.offered(
            context.draft, context.tenant, lines, now=context.now
        ),
        house=await house_rules.order_rules(context.draft, context.tenant),
        at=context.now,
    )
    await _keep(context, party, chosen)


@router.on(LeaveParty)
async def leave_party(request: LeaveParty, context: Context) -> None:
    """Let a guest go; with its host an open party ends."""
    party = await _load(context, request.party_id)
    await _keep(context, party, party_rules.leave(party, context.device, context.now))


@router.on(SendParty)
async def send_party(request: SendParty, context: Context) -> None:
    """Place the order, in this same transaction; where it is refused, the party stays open."""
    party = await _load(context, request.party_id)
    wanted = party_rules.order_of(party, context.device, context.now)
    order = await place(wanted, context)
    await _keep(context, party, party_rules.sent(party, order, context.now))


@router.on(EndParty)
async def end_party(request: EndParty, context: Context) -> None:
    """A party's time is up; one that was sent in the meantime has got more of it."""
    party = await party_store.party_of(context, request.party_id)
    if party is None or party.status is PartyStatus.ENDED:
        return
    if party.ends_at == request.ends_at and party_rules.is_over(party, context.now):
        await _keep(context, party, party_rules.end(party, context.now))


@router.during(OrderChanged)
async def follow_the_order(changed: OrderChanged, context: Context) -> None:
    """Tell the guests how far their order is; when it is over, so is the party."""
    if not changed.order.participants:  # most orders
        return
    party = await party_store.of_order(context, changed.order.order_id)
    if party is not None:
        after = party_rules.follow(party, changed.order.status, context.now)
        await _tell(context, party, after)


@router.state
async def parties_as_seen(
    connection: AsyncConnection, tenant: str, now: datetime
) -> list[Outgoing]:
    """What stands retained on the broker: every party, once for each of its guests."""
    return [
        outgoing(
            PartyState(device=guest.device, party_id=party.party_id, party=party),
            tenant=tenant,
            now=now,
        )
        for party in await party_store.standing(connection, tenant)
        for guest in party_rules.present(party)
    ]


async def _load(context: Context, party_id: UUID) -> Party:
    """Read the party that a guest's request is about; refusals say from now on how it stands.

    Whoever is not in it learns nothing, not even that there is one.

    Raises:
        Refusal: `not-found`, or `wrong-state` where it has ended.
    """
    party = await party_store.party_of(context, party_id)
    if party is not None:
        if party_rules.guest_at(party, context.device) is not None:
            context.standing = _receipt(party, context.device)
            return party
        last = await party_store.seat(context)
        if party.status is PartyStatus.ENDED and last is not None and last.party_id == party_id:
            context.standing = _receipt(party, context.device)
            party_rules.check_open(party, context.now)
    raise Refusal(RefusalCode.NOT_FOUND, "you are in no such party: join it by its code")


async def _stand_up(context: Context) -> None:
    """Let a device leave the party it is in: it can be in one that is open, and no other.

    Raises:
        Refusal: `wrong-state`: it is in one whose guests still choose.
    """
    party = await party_store.seat(context)
    if party is None or party_rules.guest_at(party, context.device) is None:
        return
    if party_rules.is_over(party, context.now):
        await _tell(context, party, party_rules.end(party, context.now))
        return
    if party.status is PartyStatus.OPEN:
        context.standing = _receipt(party, context.device)
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"this device is in the party {party.code} already: leave it first",
        )
    await _tell(context, party, party_rules.leave(party, context.device, context.now))


async def _keep(context: Context, before: Party | None, after: Party) -> None:
    """Keep a change of a party, tell its guests, and answer the one who asked."""
    await _tell(context, before, after)
    context.answer(_receipt(after, context.device))


async def _tell(context: Context, before: Party | None, after: Party) -> None:
    if after == before:
        return
    party_store.save(context, after)
    here = [guest.device for guest in party_rules.present(after)]
    for guest in () if before is None else party_rules.present(before):
        if guest.device not in here:
            context.clear(PartyState, device=guest.device)
    for device in here:
        await context.emit(PartyState(device=device, party_id=after.party_id, party=after))


def _receipt(party: Party, device: str) -> PartyReceipt:
    guest = party_rules.guest_at(party, device)
    return PartyReceipt(guest=None if guest is None else guest.guest, party=party)
