"""Whom to tell, and when: for every rule, clock and failure that chance brings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.house_rules import OrderRules
from schemas.notices import (
    NOTICE_STEPS,
    NoticeRule,
    NoticeRules,
    NoticeStatus,
    NoticeStep,
    QuietHours,
    WhileQuiet,
)
from schemas.orders import Guest, Order, OrderChange, OrderKind, OrderStatus
from services.notices import rules
from services.notices.quiet import due_at, is_quiet, quiet_until
from services.notices.retrying import (
    JITTER,
    LONGEST_ASKED_S,
    Delivered,
    Failed,
    Patience,
    asked,
    next_try,
    of_http,
    of_smtp,
    wait_s,
)
from services.notices.sample import sample_order
from services.runtime.wall_clock import zone_of

NOW = datetime(2026, 3, 14, 18, 30, tzinfo=UTC)
ROME = OrderRules(language="it", time_zone="Europe/Rome")
ADA = Guest(name="Ada", email="ada@example.com", language="fr")


def an_order(**changes: object) -> Order:
    return sample_order("EUR", "en", NOW).model_copy(update={"guest": ADA, **changes})


def tell(rule: str, *on: OrderChange, channel: str = "mail", **more: object) -> NoticeRule:
    return NoticeRule.model_validate({"rule": rule, "on": on, "channel": channel, **more})


def told(order: Order, changes: tuple[OrderChange, ...], *book: NoticeRule) -> list[str]:
    found = rules.tellings(NoticeRules(rules=book), ROME, order, changes, NOW)
    return [f"{each.rule.rule}:{each.change}" for each in found]


# Who is told


def test_an_order_accepted_at_once_is_told_of_once() -> None:
    order = an_order(status=OrderStatus.ACCEPTED)
    changes = rules.changes_of_placing(order)
    thanks, taken = tell("thanks", OrderChange.PLACED), tell("taken", OrderChange.ACCEPTED)
    assert told(order, changes, thanks, taken) == ["taken:accepted"]
    assert told(order, changes, thanks) == ["thanks:placed"]
    both = tell("both", OrderChange.PLACED, OrderChange.ACCEPTED)
    assert told(order, changes, both) == ["both:accepted"]
    boss = tell("boss", OrderChange.PLACED, to="boss@roma.example")
    assert told(order, changes, thanks, taken, boss) == ["taken:accepted", "boss:placed"]


def test_an_order_that_waits_is_placed_and_no_more() -> None:
    order = an_order(status=OrderStatus.PLACED)
    assert rules.changes_of_placing(order) == (OrderChange.PLACED,)


def test_two_rules_for_one_recipient_at_one_time_tell_once() -> None:
    order = an_order()
    first, second = tell("first", OrderChange.READY), tell("second", OrderChange.READY)
    later = tell("later", OrderChange.READY, after_s=900)
    other = tell("other", OrderChange.READY, channel="hook")
    found = told(order, (OrderChange.READY,), first, second, later, other)
    assert found == ["first:ready", "later:ready", "other:ready"]


def test_only_orders_of_the_named_kinds_are_told_of() -> None:
    rule = tell("door", OrderChange.READY, kinds=("delivery",))
    assert told(an_order(kind=OrderKind.TAKEAWAY), (OrderChange.READY,), rule) == []
    assert told(an_order(kind=OrderKind.DELIVERY), (OrderChange.READY,), rule) == ["door:ready"]


@pytest.mark.parametrize(
    ("rule", "guest", "language", "to"),
    [
        (tell("r", OrderChange.READY), ADA, "fr", "ada@example.com"),
        (tell("r", OrderChange.READY), Guest(email="a@b"), "it", "a@b"),
        (tell("r", OrderChange.READY), None, "it", None),
        (tell("r", OrderChange.READY, to="boss@roma.example"), ADA, "it", "boss@roma.example"),
        (tell("r", OrderChange.READY, language="en-GB"), ADA, "en-GB", "ada@example.com"),
    ],
)
def test_a_guest_reads_their_language_and_a_manager_the_houses(
    rule: NoticeRule, guest: Guest | None, language: str, to: str | None
) -> None:
    (telling,) = rules.tellings(
        NoticeRules(rules=(rule,)), ROME, an_order(guest=guest), (OrderChange.READY,), NOW
    )
    assert (telling.language, telling.to) == (language, to)


CHANGES = st.sampled_from(list(OrderChange))


@st.composite
def books(draw: st.DrawFn) -> NoticeRules:
    count = draw(st.integers(0, 6))
    return NoticeRules(
        rules=tuple(
            NoticeRule(
                rule=f"rule-{number}",
                on=tuple(draw(st.sets(CHANGES, min_size=1, max_size=4))),
                channel=draw(st.sampled_from(["a", "b"])),
                to=draw(st.sampled_from([None, "x@y", "z@y"])),
                kinds=tuple(draw(st.sets(st.sampled_from(list(OrderKind)), max_size=2))),
                after_s=draw(st.sampled_from([0, 60])),
            )
            for number in range(count)
        )
    )


@given(books(), st.lists(CHANGES, min_size=1, max_size=2, unique=True), st.booleans())
def test_nobody_is_told_twice_over_one_channel_and_nobody_is_left_out(
    book: NoticeRules, changes: list[OrderChange], known: bool
) -> None:
    order = an_order(guest=ADA if known else None)
    found = rules.tellings(book, ROME, order, changes, NOW)
    places = [(each.rule.channel, each.to, each.rule.after_s) for each in found]
    assert len(set(places)) == len(places)
    assert len({each.notice_id for each in found}) == len(found)
    for each in found:
        assert each.change in each.rule.on
        assert each.change in changes
        assert not each.rule.kinds or order.kind in each.rule.kinds
    heard = {(each.rule.channel, each.to) for each in found}
    for rule in book.rules:
        if set(rule.on) & set(changes) and (not rule.kinds or order.kind in rule.kinds):
            assert (rule.channel, rules.recipient(rule, order)) in heard


def test_the_id_of_a_notice_follows_from_order_version_and_rule() -> None:
    order = an_order()
    ids = {
        rules.notice_id(order.order_id, version, rule, NOW)
        for version in (1, 2)
        for rule in ("a", "b")
    }
    assert len(ids) == 4
    assert all(each.version == 7 for each in ids)
    again = rules.notice_id(order.order_id, 1, "a", NOW)
    assert again in ids


@given(st.sampled_from(list(NoticeStatus)), st.sampled_from(list(NoticeStep)))
def test_a_notice_takes_only_the_steps_of_its_table(status: NoticeStatus, step: NoticeStep) -> None:
    if (status, step) in NOTICE_STEPS:
        assert rules.step(status, step) is NOTICE_STEPS[status, step]
    else:
        with pytest.raises(rules.ImpossibleStep):
            rules.step(status, step)


def test_a_notice_that_was_sent_or_dropped_takes_no_step_at_all() -> None:
    ended = {NoticeStatus.SENT, NoticeStatus.DROPPED}
    assert not [each for each in NOTICE_STEPS if each[0] in ended]


# Quiet hours

ZONES = [
    "UTC",
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer
    "Asia/Kathmandu",
    "America/Sao_Paulo",  # its clock jumped at midnight
]
CLOCK = st.tuples(st.integers(0, 23), st.sampled_from([0, 1, 30, 59])).map(
    lambda pair: f"{pair[0]:02d}:{pair[1]:02d}"
)
# Days on which one of these clocks jumps, and one on which none does.
DAYS = [
    datetime(2026, 3, 29, 2, tzinfo=UTC),
    datetime(2026, 10, 25, 2, tzinfo=UTC),
    datetime(2026, 3, 8, 8, tzinfo=UTC),
    datetime(2026, 4, 4, 18, tzinfo=UTC),
    datetime(2018, 11, 4, 4, tzinfo=UTC),
    datetime(2026, 7, 1, 12, tzinfo=UTC),
]
MOMENTS = st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds),
    st.sampled_from(DAYS),
    st.integers(-43_200, 43_200),
)


@st.composite
def quiets(draw: st.DrawFn) -> QuietHours:
    start = draw(CLOCK)
    end = draw(CLOCK.filter(lambda each: each != start))
    return QuietHours(start=start, end=end)


@given(quiets(), MOMENTS, st.sampled_from(ZONES).map(ZoneInfo))
def test_a_held_notice_goes_out_at_the_first_moment_that_is_not_quiet(
    quiet: QuietHours, at: datetime, zone: ZoneInfo
) -> None:
    until = quiet_until(quiet, at, zone)
    assert until >= at
    assert not is_quiet(quiet, until, zone)
    assert until - at <= timedelta(hours=26)
    if not is_quiet(quiet, at, zone):
        assert until == at
        return
    # Every minute before it was quiet: looked at from the other end, by steps of the clock.
    moment = at
    while moment < until:
        assert is_quiet(quiet, moment, zone)
        moment = min(until, (moment + timedelta(minutes=1)).replace(second=0, microsecond=0))


@pytest.mark.parametrize(
    ("at", "until"),
    [
        # Past midnight, on the house's clock.
        ("2026-01-10T23:30:00+01:00", "2026-01-11T07:00:00+01:00"),
        ("2026-01-10T03:00:00+01:00", "2026-01-10T07:00:00+01:00"),
        ("2026-01-10T22:00:00+01:00", "2026-01-11T07:00:00+01:00"),
        ("2026-01-10T21:59:59+01:00", "2026-01-10T21:59:59+01:00"),
        ("2026-01-10T07:00:00+01:00", "2026-01-10T07:00:00+01:00"),
        # A night of seven hours, and one of nine.
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),
    ],
)
def test_a_night_ends_by_the_clock_of_the_house(at: str, until: str) -> None:
    night = QuietHours(start="22:00", end="07:00")
    found = quiet_until(night, datetime.fromisoformat(at), ZoneInfo("Europe/Berlin"))
    assert found == datetime.fromisoformat(until)


def test_hours_that_end_where_the_clock_jumps_end_with_the_jump() -> None:
    early = QuietHours(start="22:00", end="02:30")
    at = datetime.fromisoformat("2026-03-29T01:30:00+01:00")
    jump = datetime.fromisoformat("2026-03-29T03:00:00+02:00")
    assert quiet_until(early, at, ZoneInfo("Europe/Berlin")) == jump


def test_what_falls_into_hours_that_drop_is_dropped() -> None:
    night = QuietHours(start="22:00", end="07:00", then=WhileQuiet.DROP)
    zone = ZoneInfo("UTC")
    assert due_at(night, NOW.replace(hour=23), zone) is None
    assert due_at(night, NOW, zone) == NOW
    assert due_at(None, NOW.replace(hour=23), zone) == NOW.replace(hour=23)


def test_quiet_hours_that_end_as_they_start_are_refused() -> None:
    with pytest.raises(ValueError, match="all of the day"):
        QuietHours(start="22:00", end="22:00")


@pytest.mark.parametrize("name", ["Nowhere/Else", "", "../etc/passwd", "Europe", "/etc/passwd"])
def test_a_clock_that_nobody_knows_is_utc(name: str) -> None:
    assert zone_of(name).key == "UTC"


# Trying again

IDS = st.uuids()
PATIENCE = Patience()


@given(IDS, st.integers(1, 11))
def test_waits_grow_up_to_a_bound_and_are_the_same_each_time(
    notice_id: UUID, attempts: int
) -> None:
    plain = min(PATIENCE.first_s * PATIENCE.growth ** (attempts - 1), PATIENCE.longest_s)
    wait = wait_s(PATIENCE, notice_id, attempts, None)
    assert plain * (1 - JITTER) <= wait <= plain * (1 + JITTER)
    assert wait == wait_s(PATIENCE, notice_id, attempts, None)


@given(IDS, st.integers(1, 11), st.floats(0, 10**9))
def test_a_receiver_is_never_asked_sooner_than_it_wants(
    notice_id: UUID, attempts: int, wanted: float
) -> None:
    wait = wait_s(PATIENCE, notice_id, attempts, wanted)
    assert wait >= min(wanted, LONGEST_ASKED_S)
    assert wait <= max(LONGEST_ASKED_S, PATIENCE.longest_s * (1 + JITTER))


def test_waits_of_notices_that_failed_together_are_spread() -> None:
    waits = {wait_s(PATIENCE, UUID(int=number), 3, None) for number in range(100)}
    assert len(waits) == 100


@given(IDS)
def test_a_notice_is_dead_after_so_many_tries_or_at_once_where_it_is_final(
    notice_id: UUID,
) -> None:
    passing, final = Failed("later"), Failed("never", final=True)
    assert next_try(PATIENCE, notice_id, 1, final, NOW) is None
    for attempts in range(1, PATIENCE.attempts):
        at = next_try(PATIENCE, notice_id, attempts, passing, NOW)
        assert at is not None
        assert at > NOW
    assert next_try(PATIENCE, notice_id, PATIENCE.attempts, passing, NOW) is None


@given(st.integers(100, 599))
def test_every_answer_of_http_is_taken_as_done_passing_or_final(status: int) -> None:
    verdict = of_http(status, "7", "told", NOW)
    if 200 <= status < 300:
        assert isinstance(verdict, Delivered)
        return
    assert isinstance(verdict, Failed)
    later = status in {408, 425, 429} or status >= 500 or status < 200
    later = later or (300 <= status < 400 and status not in {301, 308})
    assert verdict.final is not later
    assert str(status) in verdict.why


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("999999999999999", LONGEST_ASKED_S),
        ("Sat, 14 Mar 2026 18:31:30 GMT", 90.0),
        ("Sat, 14 Mar 2026 18:31:30 -0000", 90.0),
        ("Fri, 13 Mar 2026 18:31:30 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert asked(header, NOW) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_is_too_odd_to_be_read(header: str) -> None:
    found = asked(header, NOW)
    assert found is None or 0 <= found <= LONGEST_ASKED_S


@pytest.mark.parametrize(("code", "final"), [(421, False), (451, False), (550, True), (554, True)])
def test_a_mail_server_says_for_now_or_for_good(code: int, final: bool) -> None:
    assert of_smtp(code, "told").final is final
