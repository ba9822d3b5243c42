"""A house to which anything may be asked: a state machine for hypothesis, on the real worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from cli.recount import Bill, House, Recount
from schemas.house_rules import Acceptance, OrderRules, PaymentRule
from schemas.identifiers import derived_id, new_id
from schemas.kitchen import OPEN_TICKET, Ticket
from schemas.kitchen_requests import BumpTicket, HearTickets, StartTicket
from schemas.menu import ModifierRequest
from schemas.message import Request
from schemas.order_changes import (
    ChangeLine,
    VoidLines,
)
from schemas.orders import (
    AddLines,
    CancelOrder,
    LineRequest,
    OrderKind,
    OrderState,
    OrderStatus,
    Participant,
    PlaceOrder,
)
from schemas.payments import PayOrder, RefundOrder, SplitOrder
from schemas.refusals import RefusalCode
from schemas.replies import OrderReceipt, Outcome, Reply, Shares
from services.kitchen.store import TICKETS, to_ticket
from services.orders.inside import ForgetGuest, Said, SettlePayment, WakeOrder
from services.orders.journal import JOURNAL
from services.orders.store import ORDERS
from services.runtime.tables import OUTBOX, QUARANTINE
from tests.services import order_checks
from tests.services.evenings import Evening
from tests.services.order_draws import (
    CARD,
    ON,
    STEPS,
    TAXES,
    lines,
    menu,
    modifiers,
    nth,
    seen,
)
from tests.services.order_world import (
    MANAGER,
    OTHER,
    OURSELVES,
    POINTS,
    SCREEN,
    TILL,
    Asked,
    OrderWorld,
)


class OrderMachine(Evening):
    """Anything may be asked, in any order, however often; looked at after each batch."""

    @initialize(
        currency=st.sampled_from(("GBP", "JPY", "KWD")),
        taxes=st.sampled_from((TAXES, TAXES, {})),
        included=st.booleans(),
        payment=st.sampled_from(tuple(PaymentRule)),
        acceptance=st.sampled_from((Acceptance.AT_ONCE, Acceptance.AT_ONCE, Acceptance.BY_HAND)),
    )
    def open(
        self,
        currency: str,
        taxes: dict[str, int],
        included: bool,
        payment: PaymentRule,
        acceptance: Acceptance,
    ) -> None:
        house = OrderRules(
            acceptance=acceptance, payment=payment, taxes=taxes, prices_include_tax=included
        )
        offered = menu(currency)
        self.currency = currency
        self.world = OrderWorld(self.database, house, offered)
        self.recount = Recount(
            House(
                {each.item: json.loads(each.model_dump_json()) for each in offered}, taxes, included
            )
        )
        self.orders: list[UUID] = []
        self.rows: dict[UUID, dict[str, Any]] = {}
        self.tickets: list[Ticket] = []
        self.said: list[tuple[Asked, Reply]] = []
        self.gathered: list[Asked] = []
        self.gather = 0
        self.known_replies: dict[UUID, Reply] = {}
        self.runner.run(self.world.open())
        plain = tuple(LineRequest(item=each, quantity=2) for each in ("burger", "fries", "ale"))
        people = (Participant(guest=1, name="Ada"), Participant(guest=2, name="Bob"))
        for device, kind in ((TILL, OrderKind.DINE_IN), (OTHER, OrderKind.DELIVERY)):
            self.ask(device, PlaceOrder(lines=plain, kind=kind, participants=people))

    # -- what is asked ---------------------------------------------------------------------

    @rule(
        asked=lines,
        kind=st.sampled_from(tuple(OrderKind)),
        device=st.sampled_from((TILL, OTHER)),
        guests=st.sampled_from((2, 2, 2, 0)),
        later=st.sampled_from((None,) * 8 + (20, 90, -5)),
    )
    def place(
        self,
        asked: tuple[LineRequest, ...],
        kind: OrderKind,
        device: str,
        guests: int,
        later: int | None,
    ) -> None:
        due_at = None if later is None else self.world.now + timedelta(minutes=later)
        people = tuple(Participant(guest=n, name=f"Guest {n}") for n in range(1, guests + 1))
        self.ask(device, PlaceOrder(lines=asked, kind=kind, participants=people, due_at=due_at))

    @precondition(lambda self: self.orders)
    @rule(which=nth, asked=lines, device=st.sampled_from((TILL, OTHER)))
    def add(self, which: int, asked: tuple[LineRequest, ...], device: str) -> None:
        self.ask(device, AddLines(order_id=self.order(which), lines=asked))

    @precondition(lambda self: self.orders)
    @rule(
        which=nth,
        line=st.integers(1, 5),
        quantity=st.one_of(st.none(), st.integers(1, 6)),
        chosen=st.one_of(st.none(), modifiers.map(tuple)),
        note=st.sampled_from((None, None, "no salt")),
        ago=seen,
        device=st.sampled_from((TILL, OTHER)),
    )
    def change(  # noqa: PLR0917 - hypothesis gives them by name
        self,
        which: int,
        line: int,
        quantity: int | None,
        chosen: tuple[ModifierRequest, ...] | None,
        note: str | None,
        ago: int | None,
        device: str,
    ) -> None:
        id_ = self.order(which)
        request = ChangeLine(
            order_id=id_,
            line=line,
            quantity=quantity,
            modifiers=chosen,
            note=note,
            version=self.version(id_, ago),
        )
        self.ask(device, request)

    @precondition(lambda self: self.orders)
    @rule(
        which=nth,
        numbers=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
        ago=seen,
        device=st.sampled_from((TILL, OTHER, MANAGER, MANAGER)),
    )
    def void_lines(
        self, which: int, numbers: tuple[int, ...], ago: int | None, device: str
    ) -> None:
        id_ = self.order(which)
        request = VoidLines(
            order_id=id_, lines=numbers, reason="mistaken", version=self.version(id_, ago)
        )
        self.ask(device, request)

    @precondition(lambda self: self.orders)
    @rule(
        which=nth,
        step=st.sampled_from((*STEPS, *ON, *ON)),
        ago=seen,
        device=st.sampled_from((TILL, MANAGER)),
    )
    def step(self, which: int, step: str, ago: int | None, device: str) -> None:
        id_ = self.order(which)
        self.ask(device, STEPS[step](id_, self.version(id_, ago)))

    @precondition(lambda self: self.orders)
    @rule(
        which=nth,
        method=st.sampled_from(("cash", CARD)),
        amount=st.one_of(st.none(), st.none(), st.integers(-1, 4000), st.just(10**12)),
        tip=st.sampled_from((0, 0, 0, 50, 333, -1, 10**12)),
        tendered=st.sampled_from((None, None, 5000, 1)),
    )
    def pay(
        self, which: int, method: str, amount: int | None, tip: int, tendered: int | None
    ) -> None:
        request = PayOrder(
            order_id=self.order(which),
            method=method,
            amount_minor=amount,
            tip_minor=tip,
            tendered_minor=tendered if method == "cash" else None,
        )
        self.ask(TILL, request)

    @precondition(lambda self: self.orders)
    @rule(which=nth, guest=st.sampled_from((1, 2, 5)), tip=st.sampled_from((0, 40)))
    def pay_a_share(self, which: int, guest: int, tip: int) -> None:
        self.ask(TILL, PayOrder(order_id=self.order(which), guest=guest, tip_minor=tip))

    @precondition(lambda self: self.payments())
    @rule(
        which=nth,
        said=st.sampled_from((Said.AUTHORISED, Said.PAID, Said.PAID, Said.FAILED)),
        wrong=st.sampled_from((None, None, None, None, "amount", "currency", "provider", "id")),
    )
    def provider_says(self, which: int, said: Said, wrong: str | None) -> None:
        theirs = [each for each in self.payments() if each[1]["method"] == CARD]
        order_id, payment = (theirs or self.payments())[which % len(theirs or self.payments())]
        request = SettlePayment(
            provider="paypal" if wrong == "provider" else CARD,
            order_id=order_id,
            payment_id=new_id() if wrong == "id" else UUID(payment["payment_id"]),
            said=said,
            amount_minor=payment["amount_minor"]
            + payment.get("tip_minor", 0)
            + (wrong == "amount"),
            currency="USD" if wrong == "currency" else self.currency,
            reason="no money" if said is Said.FAILED else None,
        )
        self.ask(OURSELVES, request)

    @precondition(lambda self: self.orders)
    @rule(
        which=nth,
        what=st.sampled_from(("all", "amount", "lines", "lines", "both")),
        amount=st.integers(-1, 1500),
        numbers=st.lists(st.integers(1, 4), min_size=1, max_size=2).map(tuple),
        payment=st.sampled_from((None, None, 0, 1)),
    )
    def refund(
        self, which: int, what: str, amount: int, numbers: tuple[int, ...], payment: int | None
    ) -> None:
        id_ = self.order(which)
        mine = [each["payment_id"] for order, each in self.payments() if order == id_]
        request = RefundOrder(
            order_id=id_,
            payment_id=None if payment is None or not mine else mine[payment % len(mine)],
            amount_minor=amount if what in {"amount", "both"} else None,
            lines=numbers if what in {"lines", "both"} else (),
            reason="a hair",
        )
        self.ask(MANAGER, request)

    @precondition(lambda self: self.refunds())
    @rule(which=nth, done=st.sampled_from((True, True, False)), wrong=st.sampled_from((0, 0, 0, 1)))
    def provider_says_of_a_refund(self, which: int, done: bool, wrong: int) -> None:
        order_id, payment, refund = self.refunds()[which % len(self.refunds())]
        request = SettlePayment(
            provider=CARD,
            order_id=order_id,
            payment_id=UUID(payment["payment_id"]),
            refund_id=UUID(refund["refund_id"]),
            said=Said.REFUND_DONE if done else Said.REFUND_FAILED,
            amount_minor=refund["amount_minor"] + wrong,
            currency=self.currency,
        )
        self.ask(OURSELVES, request)

    @precondition(lambda self: self.tickets)
    @rule(
        which=nth,
        verb=st.sampled_from(("hear", "start", "bump", "bump")),
        ago=st.sampled_from((None, 0, 0, 0, 1, 4)),
    )
    def cook(self, which: int, verb: str, ago: int | None) -> None:
        ticket = self.tickets[which % len(self.tickets)]
        known = None if ago is None else max(0, ticket.sequence - ago)
        id_ = ticket.ticket_id
        request: Request = {
            "hear": HearTickets(ticket_ids=(id_,), sequence=known),
            "start": StartTicket(ticket_id=id_, sequence=known),
            "bump": BumpTicket(ticket_id=id_, sequence=known),
        }[verb]
        self.ask(SCREEN, request)

    @precondition(lambda self: self.tickets)
    @rule(which=nth)
    def cook_all_of_it(self, which: int) -> None:
        id_ = self.order(which)
        open_ = [t for t in self.tickets if t.order_id == id_ and t.status in OPEN_TICKET]
        for ticket in open_:
            known, one = ticket.sequence, ticket.ticket_id
            self.ask(SCREEN, HearTickets(ticket_ids=(one,), sequence=known))
            self.ask(SCREEN, BumpTicket(ticket_id=one, sequence=known))

    @precondition(lambda self: self.orders)
    @rule(which=nth)
    def forget_the_guest(self, which: int) -> None:
        self.ask(OURSELVES, ForgetGuest(order_id=self.order(which)))

    @rule(minutes=st.sampled_from((1, 16, 61)), early=st.booleans())
    def wait(self, minutes: int, early: bool) -> None:
        self.world.wait(timedelta(minutes=minutes))
        for id_, row in list(self.rows.items()):
            if row["wake_at"] is not None and (early or row["wake_at"] <= self.world.now):
                at = row["wake_at"]
                self.ask(OURSELVES, WakeOrder(order_id=id_, wake_at=at), derived_id(at, str(id_)))

    @precondition(lambda self: self.orders)
    @rule(which=nth, ways=st.sampled_from((None, None, 1, 3)))
    def split(self, which: int, ways: int | None) -> None:
        self.flush()
        id_ = self.order(which)
        query = SplitOrder(order_id=id_, ways=ways)
        (reply,) = self.runner.run(self.world.say(Asked(TILL, query, at=self.world.now)))
        assert isinstance(reply.result, Shares), reply
        open_ = self.recount.bills[str(id_)].open
        assert sum(each.amount_minor for each in reply.result.shares) == open_
        if ways is not None and open_ >= 0:
            amounts = [each.amount_minor for each in reply.result.shares]
            assert max(amounts) - min(amounts) <= 1

    @precondition(lambda self: self.said)
    @rule(which=nth, other=st.sampled_from((False, False, True)))
    def say_it_again(self, which: int, other: bool) -> None:
        asked, _ = self.said[-1 - which % len(self.said)]
        if any(each.id == asked.id for each in self.gathered):
            self.flush()  # of two contents under one id each has its own answer
        if not other:
            self.ask(asked.device, asked.message, asked.id, asked.at)
        elif asked.device != OURSELVES:
            request = CancelOrder(order_id=new_id(), reason="another content")
            self.ask(asked.device, request, asked.id)

    @rule(point=st.sampled_from(POINTS))
    def die_at_the_next(self, point: str) -> None:
        self.world.die_at = point

    @rule()
    def restart(self) -> None:
        self.flush()
        self.runner.run(self.world.live())

    @rule(together=st.integers(2, 4))
    def gather_a_batch(self, together: int) -> None:
        self.gather = together

    # -- how it is looked at ---------------------------------------------------------------

    def order(self, which: int) -> UUID:
        return self.orders[-1 - which % len(self.orders)]

    def version(self, id_: UUID, ago: int | None) -> int | None:
        return None if ago is None else max(1, int(self.rows[id_]["version"]) - ago)

    def payments(self) -> list[tuple[UUID, dict[str, Any]]]:
        """The payments of all orders, the newest order's first."""
        return [
            (id_, each)
            for id_ in reversed(self.orders)
            for each in self.rows[id_]["payments"] or ()
        ]

    def refunds(self) -> list[tuple[UUID, dict[str, Any], dict[str, Any]]]:
        return [
            (id_, payment, each)
            for id_, payment in self.payments()
            for each in payment.get("refunds", ())
            if payment["method"] == CARD
        ]

    def ask(self, device: str, message: Request, id_: UUID | None = None, at: Any = None) -> None:
        asked = Asked(device, message, id_ or new_id(), at or self.world.now)
        self.gathered.append(asked)
        if len(self.gathered) > self.gather:
            self.flush()

    def flush(self) -> None:
        batch, self.gathered, self.gather = self.gathered, [], 0
        if not batch:
            return
        # What the services ask of themselves is decided apart, as one batch of its own.
        for part in (
            [each for each in batch if each.device == OURSELVES],
            [each for each in batch if each.device != OURSELVES],
        ):
            if part:
                self.decide(part)

    def decide(self, batch: Sequence[Asked]) -> None:
        before = {id_: dict(row) for id_, row in self.rows.items()}
        replies = self.runner.run(self.world.say(*batch))
        self.look(batch, replies)
        changed = {id_ for id_, row in self.rows.items() if before.get(id_) != row}
        for asked, reply in zip(batch, replies, strict=True):
            self.counts[f"{asked.message.type_name.split('.')[2]}: {reply.code or 'done'}"] += 1
            order_id = getattr(asked.message, "order_id", None)
            if reply.outcome is Outcome.ACCEPTED or order_id not in self.rows:
                continue
            if reply.code is RefusalCode.REQUEST_ID_REUSED:
                continue
            assert isinstance(reply.result, OrderReceipt), f"{asked} was refused without a state"
            if len(batch) == 1 and asked.id not in self.known_replies:
                assert order_id not in changed, f"{asked} was refused, and changed {order_id}"
                row = self.rows[order_id]
                told = (reply.result.version, reply.result.status, reply.result.due_minor)
                assert told == (row["version"], row["status"], row["due_minor"])
        for asked, reply in zip(batch, replies, strict=True):
            if reply.code is not RefusalCode.REQUEST_ID_REUSED:
                assert self.known_replies.setdefault(asked.id, reply) == reply

    def look(self, batch: Sequence[Asked], replies: Sequence[Reply]) -> None:
        """Read everything, recount it, and hold one against the other."""
        run, world = self.runner.run, self.world
        self.hear(batch, replies)
        order_rows, entry_rows, ticket_rows, quarantined = run(
            world.rows(ORDERS, JOURNAL, TICKETS, QUARANTINE)
        )
        rows = {row["order_id"]: row for row in order_rows}
        entries, tickets = order_checks.by_order(entry_rows), order_checks.by_order(ticket_rows)
        assert quarantined == []
        assert rows.keys() == {UUID(id_) for id_ in self.recount.bills}
        for id_, row in rows.items():
            bill = self.recount.bills[str(id_)]
            wrong = list(
                order_checks.wrongs(
                    row, entries.get(id_, []), tickets.get(id_, []), self.rows.get(id_), bill
                )
            )
            assert not wrong, "\n".join([f"after {batch} -> {replies}:", *wrong, str(row)])
        self.orders += [id_ for id_ in rows if id_ not in self.rows]
        self.rows = rows
        self.tickets = [to_ticket(row) for row in ticket_rows]

    def hear(self, batch: Sequence[Asked], replies: Sequence[Reply]) -> None:
        """Let the recount hear what was decided now, in the order in which it was."""
        for asked, reply in zip(batch, replies, strict=True):
            if asked.id in self.known_replies or reply.code is RefusalCode.REQUEST_ID_REUSED:
                continue
            if any(asked.id == other.id for other, _ in self.said):
                continue
            self.said.append((asked, reply))
            if "orders" in asked.message.route.template or asked.device == OURSELVES:
                request = json.loads(self.world.wire_form(asked))
                self.recount.hear(request, json.loads(reply.model_dump_json()))

    def bill(self, id_: UUID) -> Bill:
        return self.recount.bills[str(id_)]

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.flush()
        run, world = self.runner.run, self.world
        assert run(world.rows(OUTBOX)) == [[]], "all is published"
        wanted, standing = run(world.expected()), world.standing()
        mine = {topic: said for topic, said in standing.items() if topic in wanted}
        # The stations' heads beat by a clock of their own, which does not run here.
        heads = {topic for topic in wanted if topic not in mine}
        assert all("/ticket/" not in topic and "/orders/" not in topic for topic in heads), heads
        assert mine == {topic: said for topic, said in wanted.items() if topic in mine}
        assert standing.keys() <= wanted.keys(), standing.keys() - wanted.keys()
        for id_, row in self.rows.items():
            versions = sorted(version for order, version in world.wire.orders if order == id_)
            assert versions == list(range(1, row["version"] + 1)), "each version was told"
            open_ = any(
                isinstance(said, OrderState) and said.order_id == id_ for said in standing.values()
            )
            ended = OrderStatus(row["status"]) in order_checks.ENDED
            assert open_ is not ended
        self.counts["orders"] += len(self.rows)
        self.counts["deaths"] += world.deaths
