"""Whom a task waits for: always those on duty whom it is for and who have not read it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import new_id
from schemas.kitchen import Ticket, TicketLine, TicketStatus
from schemas.refusals import RefusalCode
from schemas.staff import Addressee, OnDuty, SendTask, Task
from services.runtime.refusal import Refusal
from services.staff import rules

NOW = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
PEOPLE = ("ada", "bob", "cleo", "dora")
STATIONS = (None, "grill", "bar")

people = st.sampled_from(PEOPLE)
stations = st.sampled_from(STATIONS)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("come"), people, stations),
        st.tuples(st.just("go"), people, st.none()),
        st.tuples(st.just("read"), people, st.none()),
    ),
    max_size=25,
)
addressed = st.one_of(
    st.tuples(st.just(Addressee.PERSON), people),
    st.tuples(st.just(Addressee.STATION), st.sampled_from(["grill", "bar"])),
    st.just((Addressee.ALL, "all")),
)


def task(addressee: Addressee = Addressee.ALL, to: str = "all", *, must_read: bool = True) -> Task:
    wanted = SendTask(addressee=addressee, to=to, text="no nuts", must_read=must_read)
    return rules.task_of(wanted, task_id=new_id(), device="pos-1", at=NOW)


def duty(person: str, station: str | None = None, tickets: tuple[UUID, ...] = ()) -> OnDuty:
    return OnDuty(person=person, station=station, since=NOW, tickets=tickets)


def ticket(station: str = "grill", status: TicketStatus = TicketStatus.HEARD) -> Ticket:
    line = TicketLine(line=1, item="burger", name="Burger", quantity=1)
    return Ticket(
        ticket_id=new_id(),
        station=station,
        order_id=new_id(),
        order_number="A1",
        status=status,
        version=1,
        sequence=1,
        lines=(line,),
        placed_at=NOW,
    )


def refused(error: pytest.ExceptionInfo[Refusal], code: RefusalCode, saying: str) -> None:
    assert error.value.code is code
    assert saying in error.value.message


@given(whom=addressed, happens=moves)
def test_a_task_waits_for_all_on_duty_it_is_for_and_ends_with_the_last_of_them(
    whom: tuple[Addressee, str], happens: list[tuple[str, str, str | None]]
) -> None:
    addressee, to = whom
    one = task(addressee, to)
    there: dict[str, str | None] = {}
    has_read: set[str] = set()
    for what, person, station in happens:
        if rules.is_over(one):
            break
        if what == "come":
            there[person] = station
        elif what == "go":
            there.pop(person, None)
        else:
            theirs = person in there and rules.concerns(one, duty(person, there[person]))
            if theirs or (addressee is Addressee.PERSON and person == to) or person in has_read:
                one = rules.read(one, person, at=NOW)
                has_read.add(person)
            else:
                with pytest.raises(Refusal):
                    rules.read(one, person, at=NOW)
        before = one
        one = rules.waiting(one, [duty(each, at) for each, at in there.items()])
        assert one.version - before.version == (one.waits_for != before.waits_for)
        mine = {
            each
            for each, at in there.items()
            if addressee is Addressee.ALL
            or (addressee is Addressee.PERSON and each == to)
            or (addressee is Addressee.STATION and at == to)
        }
        assert set(one.waits_for) == mine - has_read
        assert {each.person for each in one.read_by} == has_read
        assert rules.is_over(one) == (bool(has_read) and not mine - has_read)


def test_who_reads_twice_changes_nothing_also_when_it_is_over() -> None:
    one = rules.waiting(task(), [duty("ada")])
    once = rules.read(one, "ada", at=NOW)
    assert rules.is_over(once)
    assert rules.read(once, "ada", at=NOW) is once
    with pytest.raises(Refusal) as error:
        rules.read(once, "bob", at=NOW)
    refused(error, RefusalCode.WRONG_STATE, "everybody has read it")


def test_a_task_for_nobody_on_duty_stands_and_says_for_whom_it_waits() -> None:
    one = rules.waiting(task(Addressee.STATION, "grill"), [duty("ada", "bar")])
    assert (one.waits_for, rules.is_over(one)) == ((), False)
    with pytest.raises(Refusal) as error:
        rules.read(one, "ada", at=NOW)
    refused(error, RefusalCode.NOT_ALLOWED, "whoever comes on duty for grill")
    assert rules.waiting(one, [duty("bob", "grill")]).waits_for == ("bob",)


def test_what_need_not_be_read_is_over_at_once() -> None:
    one = task(must_read=False)
    assert rules.is_over(one)
    with pytest.raises(Refusal) as error:
        rules.read(one, "ada", at=NOW)
    refused(error, RefusalCode.WRONG_STATE, "need not be answered")


@pytest.mark.parametrize(
    ("addressee", "to"),
    [(Addressee.ALL, "grill"), (Addressee.PERSON, "all"), (Addressee.STATION, "all")],
)
def test_all_and_a_name_do_not_go_together(addressee: Addressee, to: str) -> None:
    with pytest.raises(Refusal) as error:
        task(addressee, to)
    refused(error, RefusalCode.INVALID, "`all` goes with addressee `all`")


@pytest.mark.parametrize(
    ("station", "whom"),
    [("grill", (Addressee.STATION, "grill")), (None, (Addressee.ALL, "all"))],
)
def test_a_hand_over_note_is_for_who_comes_next_at_the_station(
    station: str | None, whom: tuple[Addressee, str]
) -> None:
    note = rules.hand_over(
        duty("ada", station), "fryer is slow", task_id=new_id(), device="kds-1", at=NOW
    )
    assert (note.addressee, note.to) == whom
    assert note.hand_over
    assert not rules.is_over(note)


@pytest.mark.parametrize(
    "status", [TicketStatus.BUMPED, TicketStatus.CANCELLED, TicketStatus.MOVED]
)
def test_an_ended_ticket_is_given_to_nobody(status: TicketStatus) -> None:
    with pytest.raises(Refusal) as error:
        rules.check_ticket(duty("ada"), ticket(status=status))
    refused(error, RefusalCode.WRONG_STATE, status.value)


def test_nobody_sees_to_a_ticket_of_another_station() -> None:
    rules.check_ticket(duty("ada"), ticket("grill"))
    rules.check_ticket(duty("ada", "grill"), ticket("grill"))
    with pytest.raises(Refusal) as error:
        rules.check_ticket(duty("ada", "bar"), ticket("grill"))
    refused(error, RefusalCode.WRONG_STATION, "ada is at bar")


def test_one_person_has_so_many_tickets_and_keeps_those_they_have() -> None:
    full = duty("ada", tickets=tuple(new_id() for _ in range(rules.MAX_TICKETS)))
    with pytest.raises(Refusal) as error:
        rules.check_ticket(full, ticket())
    refused(error, RefusalCode.WRONG_STATE, "give it to another")
    assert rules.with_ticket(full, full.tickets[0]) is full
    assert rules.without_tickets(full, {new_id()}) is full
    assert len(rules.without_tickets(full, {full.tickets[3]}).tickets) == rules.MAX_TICKETS - 1


def test_who_is_on_duty_does_not_come_again_and_a_house_is_full_once() -> None:
    came = rules.begin("ada", "grill", None, 0, at=NOW)
    assert (came.person, came.station, came.since) == ("ada", "grill", NOW)
    with pytest.raises(Refusal) as error:
        rules.begin("ada", "bar", came, 1, at=NOW)
    refused(error, RefusalCode.WRONG_STATE, "on duty at grill already")
    with pytest.raises(Refusal) as error:
        rules.begin("bob", None, None, rules.MAX_ON_DUTY, at=NOW)
    refused(error, RefusalCode.WRONG_STATE, "take some off first")
