"""Several guests on one order, over MQTT: each with a device of their own, on all that is real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from devices.guest import PartyGuest
from devices.pending import Rejected
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.kitchen_requests import BumpTicket, HearTickets, StartTicket
from schemas.message import Request
from schemas.orders import CloseOrder, LineRequest, OrderStatus, Participant, PlaceOrder
from schemas.parties import (
    ChooseLines,
    JoinParty,
    LeaveParty,
    OpenParty,
    Party,
    PartyStatus,
    SendParty,
)
from schemas.payments import SplitOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.kitchen.store import TICKETS
from services.orders.party_tables import PARTIES
from services.orders.store import ORDERS
from services.runtime.moment import system_clock
from services.runtime.tables import INBOX
from tests.patience import PATIENCE_S
from tests.running import StartSystem
from tests.spoken import Speaker
from tests.system import RunningSystem, RunningTenant, until


def line(item: str, quantity: int = 1, **more: Any) -> LineRequest:
    return LineRequest(item=item, quantity=quantity, **more)


@contextmanager
def guest(
    tenant: RunningTenant, role: Role = Role.GUEST, outbox: Path | None = None
) -> Iterator[PartyGuest]:
    """A guest's phone that is online, with the menu."""
    address = tenant.system.broker.address
    options = tenant.options(role)
    options["outbox"] = outbox
    with PartyGuest(address.host, address.port, **options) as phone:
        until(lambda: phone.online and len(phone.menu) >= 3, "the phone's menu")
        yield phone


@contextmanager
def table_of(tenant: RunningTenant, guests: int) -> Iterator[tuple[UUID, list[PartyGuest]]]:
    """A party whose guests have all come; the first is its host."""
    with ExitStack() as stack:
        phones = [stack.enter_context(guest(tenant)) for _ in range(guests)]
        opened = phones[0].open_party("Ada", table="7").result(PATIENCE_S)
        for number, phone in enumerate(phones[1:], 2):
            joined = phone.join_party(opened.party.code.lower(), f"Guest {number}").result(
                PATIENCE_S
            )
            assert joined.guest == number
        yield opened.party.party_id, phones


def seen(phone: PartyGuest) -> Party:
    assert phone.party is not None
    return phone.party


def sees(phone: PartyGuest, what: Callable[[Party], bool], told: str) -> None:
    """Wait until a guest's phone shows it."""
    until(lambda: phone.party is not None and what(phone.party), told)


def sees_none(phone: PartyGuest) -> None:
    """Wait until a guest's phone shows no party any more."""
    until(lambda: phone.party is None, "the end of the party")


def test_guests_choose_see_each_other_live_and_the_host_sends(tenant: RunningTenant) -> None:
    with table_of(tenant, 3) as (party_id, phones):
        ada, bob, cleo = phones
        bob.choose(party_id, [line("burger", 2), line("ale")]).result(PATIENCE_S)
        cleo.choose(party_id, [line("fries", note="no salt")]).result(PATIENCE_S)
        for phone in phones:
            sees(phone, lambda party: party.version >= 5, "what the others have chosen")
            assert [each.name for each in seen(phone).guests] == ["Ada", "Guest 2", "Guest 3"]
            assert [each.subtotal_minor for each in seen(phone).guests] == [0, 2470, 350]
        bob.choose(party_id, [line("ale")]).result(PATIENCE_S)
        with pytest.raises(Rejected) as refused:
            bob.send(party_id).result(PATIENCE_S)
        assert refused.value.code is RefusalCode.NOT_THE_HOST
        assert refused.value.state is not None
        assert refused.value.state.kind == "party"
        sent = ada.send(party_id).result(PATIENCE_S)
        assert sent.party.status is PartyStatus.SENT
        (order,) = tenant.rows(ORDERS)
        assert order["order_id"] == sent.party.order_id
        assert order["total_minor"] == 480 + 350
        assert [(each["item"], each["guest"]) for each in order["lines"]] == [
            ("ale", 2),
            ("fries", 3),
        ]
        assert [each["name"] for each in order["participants"]] == ["Ada", "Guest 2", "Guest 3"]
        assert {row["station"] for row in tenant.rows(TICKETS)} == {"bar", "fry"}
        for phone in phones:
            sees(phone, lambda party: party.status is PartyStatus.SENT, "that it is sent")
        with pytest.raises(Rejected, match="is sent"):
            cleo.choose(party_id, [line("ale")]).result(PATIENCE_S)


def test_all_who_choose_at_once_have_what_they_chose(tenant: RunningTenant) -> None:
    with table_of(tenant, 4) as (party_id, phones):
        rounds = 8
        asked = [
            phone.choose(party_id, [line("ale", number), line("fries", turn)])
            for turn in range(1, rounds + 1)
            for number, phone in enumerate(phones, 1)
        ]
        for each in asked:
            each.result(PATIENCE_S)
        for phone in phones:
            sees(
                phone,
                lambda party: all(
                    [(x.item, x.quantity) for x in each.lines]
                    == [("ale", each.guest), ("fries", rounds)]
                    for each in party.guests
                ),
                "what all have chosen",
            )


def test_after_sending_guests_follow_their_order_until_it_is_over(tenant: RunningTenant) -> None:
    with (
        table_of(tenant, 2) as (party_id, phones),
        tenant.speaker() as till,
        tenant.speaker(Role.KITCHEN_DISPLAY) as kitchen,
    ):
        ada, bob = phones
        bob.choose(party_id, [line("burger")]).result(PATIENCE_S)
        order_id = ada.send(party_id).result(PATIENCE_S).party.order_id
        assert order_id is not None
        (ticket,) = tenant.rows(TICKETS)
        kitchen.accepted(HearTickets(ticket_ids=(ticket["ticket_id"],)))
        kitchen.accepted(StartTicket(ticket_id=ticket["ticket_id"]))
        until(lambda: seen(bob).order_status is OrderStatus.PREPARING, "that it is being made")
        kitchen.accepted(BumpTicket(ticket_id=ticket["ticket_id"]))
        until(lambda: seen(bob).order_status is OrderStatus.READY, "that it is ready")
        bob.leave(party_id).result(PATIENCE_S)
        until(lambda: bob.party is None, "that the one who left is told no more")
        assert seen(ada).status is PartyStatus.SENT
        till.accepted(CloseOrder(order_id=order_id))
        until(lambda: ada.party is None, "the end of the party")
        (row,) = tenant.rows(PARTIES)
        assert (row["status"], row["order_status"], row["guests"]) == ("ended", "closed", [])


def test_what_each_has_to_pay_adds_up_to_the_bill(tenant: RunningTenant) -> None:
    with table_of(tenant, 3) as (party_id, phones), tenant.speaker() as till:
        ada, bob, cleo = phones
        ada.choose(party_id, [line("ale")]).result(PATIENCE_S)
        bob.choose(party_id, [line("burger"), line("fries", 2)]).result(PATIENCE_S)
        cleo.choose(party_id, [line("burger", 3)]).result(PATIENCE_S)
        order_id = ada.send(party_id).result(PATIENCE_S).party.order_id
        assert order_id is not None
        shares = till.accepted(SplitOrder(order_id=order_id)).shares
        assert {each.guest: each.amount_minor for each in shares} == {1: 480, 2: 1695, 3: 2985}
        (order,) = tenant.rows(ORDERS)
        assert sum(each.amount_minor for each in shares) == order["due_minor"]


def test_a_refused_order_leaves_the_party_open(tenant: RunningTenant) -> None:
    with table_of(tenant, 2) as (party_id, phones):
        ada, bob = phones
        bob.choose(party_id, [line("burger"), line("ale")]).result(PATIENCE_S)
        tenant.put_menu({"burger": ("grill", 995), "ale": ("bar", 480)}, sold_out=["burger"])
        with pytest.raises(Rejected, match="sold out: burger") as refused:
            ada.send(party_id).result(PATIENCE_S)
        assert refused.value.code is RefusalCode.ITEM_UNAVAILABLE
        assert refused.value.state is not None
        assert refused.value.state.kind == "party"
        assert refused.value.state.party.status is PartyStatus.OPEN
        assert tenant.count(ORDERS) == 0
        bob.choose(party_id, [line("ale")]).result(PATIENCE_S)
        assert ada.send(party_id).result(PATIENCE_S).party.status is PartyStatus.SENT
        assert tenant.count(ORDERS) == 1


def test_with_its_host_a_party_ends_and_a_guest_takes_only_their_own_away(
    tenant: RunningTenant,
) -> None:
    with table_of(tenant, 3) as (party_id, phones):
        ada, bob, cleo = phones
        for phone in (ada, bob, cleo):
            phone.choose(party_id, [line("ale")]).result(PATIENCE_S)
        gone = bob.leave(party_id).result(PATIENCE_S)
        assert gone.guest is None
        until(lambda: bob.party is None, "that the one who left sees it no more")
        until(lambda: [each.left for each in seen(ada).guests] == [False, True, False], "who left")
        assert [len(each.lines) for each in seen(ada).guests] == [1, 0, 1]
        back = bob.join_party(seen(ada).code, "Bob again").result(PATIENCE_S)
        assert back.guest == 2
        assert ada.leave(party_id).result(PATIENCE_S).party.status is PartyStatus.ENDED
        for phone in phones:
            sees_none(phone)
        with pytest.raises(Rejected, match="is over"):
            cleo.choose(party_id, [line("ale")]).result(PATIENCE_S)
        with pytest.raises(Rejected) as refused:
            cleo.join_party(back.party.code, "Cleo").result(PATIENCE_S)
        assert refused.value.code is RefusalCode.WRONG_CODE


def test_one_device_is_in_one_open_party_at_a_time(tenant: RunningTenant) -> None:
    with table_of(tenant, 2) as (party_id, (ada, bob)), guest(tenant, Role.POS) as till:
        waiter = till.open_party("Waiter", table="9").result(PATIENCE_S)
        for ask in (bob.open_party("Bob"), bob.join_party(waiter.party.code, "Bob")):
            with pytest.raises(Rejected, match="leave it first") as refused:
                ask.result(PATIENCE_S)
            assert refused.value.code is RefusalCode.WRONG_STATE
            assert refused.value.state is not None
            assert refused.value.state.kind == "party"
            assert refused.value.state.party.party_id == party_id
        ada.choose(party_id, [line("ale")]).result(PATIENCE_S)
        # A till hosts one party after the other, while earlier orders are made.
        till.choose(waiter.party.party_id, [line("ale")]).result(PATIENCE_S)
        till.send(waiter.party.party_id).result(PATIENCE_S)
        second = till.open_party("Waiter", table="10").result(PATIENCE_S)
        until(lambda: seen(till).party_id == second.party.party_id, "the till's second party")
        assert second.party.code != waiter.party.code


def test_a_second_name_is_no_second_guest(tenant: RunningTenant) -> None:
    with table_of(tenant, 2) as (party_id, (ada, bob)):
        bob.choose(party_id, [line("ale")]).result(PATIENCE_S)
        again = bob.join_party(seen(bob).code, "Robert").result(PATIENCE_S)
        assert again.guest == 2
        assert [each.name for each in again.party.guests] == ["Ada", "Robert"]
        assert len(again.party.guests[1].lines) == 1
        until(lambda: seen(ada).guests[1].name == "Robert", "the new name")


def test_who_is_not_in_a_party_learns_nothing_of_it(tenant: RunningTenant) -> None:
    with table_of(tenant, 2) as (party_id, (ada, _)), tenant.speaker(Role.GUEST) as stranger:
        ada.choose(party_id, [line("ale")]).result(PATIENCE_S)
        nobodys = new_id()
        for ask in (ChooseLines, LeaveParty, SendParty):
            more: dict[str, Any] = {"lines": (line("ale"),)} if ask is ChooseLines else {}
            theirs = stranger.ask(ask(party_id=party_id, **more))
            none = stranger.ask(ask(party_id=nobodys, **more))
            assert theirs.code is RefusalCode.NOT_FOUND
            assert theirs.result is None
            assert (theirs.code, theirs.message) == (none.code, none.message)
        wrong = stranger.ask(JoinParty(code="0000-0000", name="Eve"))
        assert (wrong.code, wrong.result) == (RefusalCode.WRONG_CODE, None)
        assert stranger.ask(JoinParty(code="not one at all", name="Eve")).code == wrong.code


def test_a_code_opens_in_its_own_restaurant_alone(tenant: RunningTenant) -> None:
    other = tenant.system.add_tenant()
    with table_of(tenant, 1) as (_, (ada,)), other.speaker(Role.GUEST) as stranger:
        assert stranger.ask(JoinParty(code=seen(ada).code, name="Eve")).code is (
            RefusalCode.WRONG_CODE
        )


def test_whatever_is_said_twice_happens_once(tenant: RunningTenant) -> None:
    with tenant.speaker(Role.GUEST) as ada, tenant.speaker(Role.GUEST) as bob:
        opening, joining, choosing, sending = (new_id() for _ in range(4))
        opened = [ada.ask(OpenParty(name="Ada"), opening) for _ in range(2)]
        assert opened[0] == opened[1]
        (row,) = tenant.rows(PARTIES)
        joined = [bob.ask(JoinParty(code=row["code"], name="Bob"), joining) for _ in range(2)]
        assert joined[0] == joined[1]
        wanted = ChooseLines(party_id=opening, lines=(line("ale"),))
        chosen = [bob.ask(wanted, choosing) for _ in range(2)]
        assert chosen[0] == chosen[1]
        sent = [ada.ask(SendParty(party_id=opening), sending) for _ in range(2)]
        assert sent[0] == sent[1]
        assert sent[0].outcome is Outcome.ACCEPTED
        once_more = ada.ask(SendParty(party_id=opening))
        assert once_more.code is RefusalCode.WRONG_STATE
        (order,) = tenant.rows(ORDERS)
        assert order["order_id"] == sending
        (row,) = tenant.rows(PARTIES)
        assert row["version"] == 4
        assert tenant.count(INBOX) == 5


def test_what_is_sent_while_a_guest_changes_is_all_of_before_or_all_of_after(
    tenant: RunningTenant,
) -> None:
    def say(who: Speaker, what: Request, id_: UUID, start: threading.Barrier) -> None:
        start.wait(PATIENCE_S)
        who.say(what, id_)

    before, after = (line("ale"), line("fries")), (line("burger", 2), line("ale", 3))
    for _ in range(5):
        with (
            tenant.speaker(Role.GUEST) as ada,
            tenant.speaker(Role.GUEST) as bob,
        ):
            opened = ada.accepted(OpenParty(name="Ada")).party
            bob.accepted(JoinParty(code=opened.code, name="Bob"))
            bob.accepted(ChooseLines(party_id=opened.party_id, lines=before))
            sending, changing = new_id(), new_id()
            start = threading.Barrier(2)

            asked = [
                threading.Thread(target=say, args=(who, what, id_, start))
                for who, what, id_ in (
                    (ada, SendParty(party_id=opened.party_id), sending),
                    (bob, ChooseLines(party_id=opened.party_id, lines=after), changing),
                )
            ]
            for thread in asked:
                thread.start()
            for thread in asked:
                thread.join(PATIENCE_S)
            sent, changed = ada.reply_to(sending), bob.reply_to(changing)
            assert sent.outcome is Outcome.ACCEPTED
            order = next(row for row in tenant.rows(ORDERS) if row["order_id"] == sending)
            ordered = [(each["item"], each["quantity"]) for each in order["lines"]]
            if changed.outcome is Outcome.ACCEPTED:
                assert ordered == [(each.item, each.quantity) for each in after]
            else:
                assert changed.code is RefusalCode.WRONG_STATE
                assert ordered == [(each.item, each.quantity) for each in before]


def test_what_guests_ask_survives_restarts_of_services_and_broker(
    own_system: RunningSystem, tmp_path: Path
) -> None:
    tenant = own_system.add_tenant()
    with (
        guest(tenant, outbox=tmp_path / "ada.db") as ada,
        guest(tenant, outbox=tmp_path / "bob.db") as bob,
    ):
        opened = ada.open_party("Ada").result(PATIENCE_S)
        party_id = opened.party.party_id
        bob.join_party(opened.party.code, "Bob").result(PATIENCE_S)
        own_system.stop()
        waiting = bob.choose(party_id, [line("ale", 2)])
        own_system.start()
        waiting.result(PATIENCE_S)
        own_system.broker.kill()
        asked = ada.choose(party_id, [line("fries")])
        own_system.broker.restart()
        asked.result(PATIENCE_S * 2)
        sending = ada.send(party_id)
        own_system.restart()
        sent = sending.result(PATIENCE_S * 2)
        until(
            lambda: bob.party is not None and bob.party.status is PartyStatus.SENT,
            "that it is sent, retained or live",
            PATIENCE_S * 2,
        )
        (order,) = tenant.rows(ORDERS)
        assert order["order_id"] == sent.party.order_id
        assert order["total_minor"] == 2 * 480 + 350


def test_a_phone_that_comes_back_sees_how_its_party_stands(own_system: RunningSystem) -> None:
    tenant = own_system.add_tenant()
    with guest(tenant) as ada:
        opened = ada.open_party("Ada").result(PATIENCE_S)
        until(lambda: ada.party is not None, "the party")
        # A broker that forgot everything: what stands there is derived from the database.
        own_system.stop()
        own_system.broker.kill()
        own_system.broker.restart()
        own_system.start()
        address = own_system.broker.address
        login = own_system.broker.login(tenant.name, ada.device)
        ada.close()
        with PartyGuest(
            address.host, address.port, tenant=tenant.name, device=ada.device, secret=login.secret
        ) as again:
            until(lambda: again.party is not None, "the party, retained")
            assert seen(again).party_id == opened.party.party_id


def test_a_party_ends_by_itself(start_system: StartSystem) -> None:
    ahead = timedelta()
    system = start_system(clock=lambda: system_clock() + ahead)
    tenant = system.add_tenant()
    with guest(tenant) as ada:
        opened = ada.open_party("Ada").result(PATIENCE_S)
        until(lambda: ada.party is not None, "the party")
        ahead = timedelta(hours=4, minutes=1)
        until(lambda: ada.party is None, "its end")
        (row,) = tenant.rows(PARTIES)
        assert (row["party_id"], row["status"]) == (opened.party.party_id, "ended")
        again = ada.open_party("Ada").result(PATIENCE_S)
        assert again.party.status is PartyStatus.OPEN


def test_an_order_with_participants_and_no_party_bothers_nobody(tenant: RunningTenant) -> None:
    with tenant.speaker() as till, tenant.speaker(Role.KITCHEN_DISPLAY) as kitchen:
        order_id = till.accepted(
            PlaceOrder(
                lines=(line("ale", guest=1),), participants=(Participant(guest=1, name="Ada"),)
            )
        ).order_id
        (ticket,) = tenant.rows(TICKETS)
        for step in (StartTicket, BumpTicket):
            kitchen.accepted(HearTickets(ticket_ids=(ticket["ticket_id"],)))
            kitchen.accepted(step(ticket_id=ticket["ticket_id"]))
        till.accepted(CloseOrder(order_id=order_id))
        assert tenant.count(PARTIES) == 0
