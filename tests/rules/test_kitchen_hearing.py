"""Who has heard a ticket, who is asked next, and when a display is believed to be gone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import SLUG_PATTERN, derived_id, new_id
from schemas.kitchen import Asked, Hearing, Ticket, TicketStatus, TicketStep
from schemas.kitchen_rules import USUAL_ESCALATION, EscalationStep, EscalationTarget
from services.kitchen import hearing, watching
from services.presence.store import LastWord

AT = datetime(2026, 3, 14, 19, 0, tzinfo=UTC)
TARGETS = st.sampled_from(EscalationTarget)


def ticket(status: TicketStatus = TicketStatus.SENT, **more: object) -> Ticket:
    values = {
        "ticket_id": new_id(),
        "station": "grill",
        "order_id": new_id(),
        "order_number": "ORD-1",
        "status": status,
        "version": 1,
        "sequence": 1,
        "lines": (),
        "placed_at": AT,
        **more,
    }
    return Ticket.model_validate(values)


def asked(step: EscalationTarget, to: str = "somebody") -> Asked:
    return Asked(step=step, to=to, at=AT)


@given(st.lists(TARGETS, max_size=10), st.data())
def test_no_step_is_taken_twice_and_none_that_is_left_is_forgotten(
    targets: list[EscalationTarget], data: st.DataObject
) -> None:
    steps = [EscalationStep(to=each, after_s=1) for each in targets]
    taken: list[Asked] = []
    at = 0
    while at < len(steps):
        if data.draw(st.booleans()):  # somebody is there for it
            taken.append(asked(steps[at].to))
            following = hearing.next_step(steps, taken)
            assert following <= at + 1, "nothing behind it is skipped"
            at = following - 1
        at += 1
    assert len(taken) <= len(steps)


def test_steps_come_in_their_order_whoever_was_there_for_them() -> None:
    steps = USUAL_ESCALATION
    assert hearing.next_step(steps, ()) == 0
    assert hearing.next_step(steps, [asked(EscalationTarget.POS)]) == 4
    assert hearing.next_step(steps, [asked(EscalationTarget.MANAGER)]) == 5
    # One that the house has struck out meanwhile puts nothing out of order.
    assert hearing.next_step(steps[1:], [asked(EscalationTarget.FALLBACK)]) == 0


def test_a_ticket_is_sent_to_all_displays_and_each_is_waited_for() -> None:
    sent = hearing.address(ticket(), ["b", "a"], USUAL_ESCALATION, AT)
    assert sent.displays == (Hearing(device="a"), Hearing(device="b"))
    assert sent.wake_at == AT + timedelta(seconds=20)
    heard = sent.model_copy(update={"status": TicketStatus.HEARD, "wake_at": None})
    heard = hearing.after_step(sent, heard, TicketStep.HEAR, at=AT, by="a")
    assert (hearing.silent(heard), heard.wake_at) == (("b",), sent.wake_at)
    assert hearing.hears_now(heard, "b")
    assert not hearing.hears_now(heard, "a")
    both = hearing.hear(heard, at=AT, by="b")
    assert (hearing.silent(both), both.wake_at) == ((), None)


def test_what_is_held_is_addressed_to_nobody() -> None:
    held = ticket(TicketStatus.HELD, held_for="by-hand", wake_at=AT)
    addressed = hearing.address(held, ["a"], USUAL_ESCALATION, AT)
    assert (addressed.displays, addressed.wake_at) == ((), AT)


def test_only_who_is_told_by_an_alert_counts_as_asking() -> None:
    steps = [asked(each, "till") for each in EscalationTarget]
    assert hearing.asking(TicketStatus.SENT, steps) == {"expo", "pos-till", "manager"}
    assert hearing.asking(TicketStatus.HEARD, steps) == frozenset()


SLUGS = st.from_regex(re.compile(SLUG_PATTERN), fullmatch=True).map(str.strip)
WHO = st.one_of(st.sampled_from(["expo", "manager"]), SLUGS.map(lambda device: f"pos-{device}"))


@given(st.lists(st.tuples(SLUGS, WHO), min_size=2, max_size=2, unique=True))
def test_two_troubles_never_have_one_name(troubles: list[tuple[str, str]]) -> None:
    names = [hearing.alert_name("unheard", station, who) for station, who in troubles]
    assert len(set(names)) == 2
    assert all(re.fullmatch(SLUG_PATTERN, name) for name in names)


@given(st.lists(st.tuples(SLUGS, SLUGS), min_size=2, max_size=2, unique=True))
def test_two_silent_displays_never_have_one_name(troubles: list[tuple[str, str]]) -> None:
    names = [hearing.alert_name("silent", station, device) for station, device in troubles]
    assert len(set(names)) == 2
    assert all(re.fullmatch(SLUG_PATTERN, name) for name in names)


def test_names_that_read_alike_are_told_apart() -> None:
    assert hearing.alert_name("unheard", "grill", "expo") == "unheard-grill-expo"
    assert hearing.alert_name("silent", "grill", "kds-2") == "silent-grill-kds-2"
    at_two = {hearing.alert_name("silent", *each) for each in (("a", "b-c"), ("a-b", "c"))}
    assert len(at_two) == 2
    one = hearing.alert_name("unheard", "grill-pos-x", "expo")
    assert one != hearing.alert_name("unheard", "grill", "pos-x-expo")


@given(st.integers(1, 3_000_000))
def test_a_number_is_told_exactly_where_it_is_small_and_never_too_high(count: int) -> None:
    said = hearing.about(count)
    if count <= hearing.SHOWN:
        assert said == str(count)
    else:
        told = int(said.removeprefix("over "))
        assert told <= count < max(3 * told, 50) or told == 1_000_000


def word(offline: bool, epoch_s: float, since_s: float) -> LastWord:
    return LastWord(offline, epoch(epoch_s), AT + timedelta(seconds=since_s))


def epoch(seconds: float) -> UUID:
    return derived_id(AT + timedelta(seconds=seconds), "session")


@pytest.mark.parametrize(
    ("attends_epoch", "believed", "now_s", "over"),
    [
        (0, word(False, 0, 0), 3_600, False),
        (0, word(True, 0, 5), 6, True),
        (0, word(True, 9, 9), 10, True),
        # Presence has not heard of this session yet: what it says is of the one before.
        (10, word(True, 0, 5), 6, False),
        (10, word(True, 0, 5), 61, True),
        (0, None, 59, False),
        (0, None, 61, True),
        # A newer session that does not say that it attends shows something else.
        (0, word(False, 9, 9), 10, False),
        (0, word(False, 9, 9), 15, True),
        # Devices that name no session are believed by time alone.
        (None, word(True, 0, -1), 3_600, False),
        (None, word(True, 0, 1), 2, True),
        (None, word(False, 0, 1), 3_600, False),
    ],
)
def test_an_attendance_is_over_when_its_session_is(
    attends_epoch: float | None, believed: LastWord | None, now_s: float, over: bool
) -> None:
    named = None if attends_epoch is None else str(epoch(attends_epoch))
    attendance = watching.Attendance("roma", "grill", "grill-1", AT.isoformat(), named)
    assert watching.is_over(attendance, believed, AT + timedelta(seconds=now_s)) is over
