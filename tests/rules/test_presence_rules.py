"""What is believed of births, wills, heartbeats and silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.devices import DevicePresence, PresenceStatus
from schemas.identifiers import derived_id
from services.presence import rules

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
BEAT_S = 10.0
PATIENCE = timedelta(seconds=BEAT_S * rules.MISSED_BEATS)


def epoch(session: int) -> UUID:
    return derived_id(NOON + timedelta(seconds=session), str(session))


def birth(session: int, status: PresenceStatus = PresenceStatus.ONLINE) -> DevicePresence:
    return DevicePresence(status=status, epoch=epoch(session), heartbeat_s=BEAT_S)


def will(session: int) -> DevicePresence:
    return birth(session, PresenceStatus.OFFLINE)


def seen(session: int = 1, at: datetime = NOON) -> rules.Seen:
    first = rules.weigh(None, birth(session), at)
    assert first is not None
    return first


def test_a_birth_brings_a_device_online() -> None:
    assert seen().status is PresenceStatus.ONLINE
    assert (seen().since, seen().heard_at, seen().patience) == (NOON, NOON, PATIENCE)


def test_the_will_of_the_current_session_is_believed() -> None:
    later = NOON + timedelta(seconds=5)
    gone = rules.weigh(seen(), will(1), later)
    assert gone is not None
    assert (gone.status, gone.since) == (PresenceStatus.OFFLINE, later)


@given(old=st.integers(0, 50), new=st.integers(51, 100))
def test_a_late_will_of_an_older_session_never_marks_a_live_device_offline(
    old: int, new: int
) -> None:
    assert rules.weigh(seen(new), will(old), NOON) is None


def test_an_old_retained_birth_does_not_bring_back_a_session_that_is_over() -> None:
    assert rules.weigh(seen(2), birth(1), NOON, retained=True) is None


def test_a_birth_spoken_now_is_believed_although_the_clock_was_put_back() -> None:
    back = rules.weigh(seen(2), birth(1), NOON)
    assert back is not None
    assert (back.status, back.epoch) == (PresenceStatus.ONLINE, epoch(1))


def test_a_retained_birth_does_not_revive_a_device_that_fell_silent() -> None:
    fell_silent = rules.silence(seen(), NOON + timedelta(hours=1))
    assert rules.weigh(fell_silent, birth(1), NOON + timedelta(hours=2), retained=True) is None


def test_a_retained_will_of_the_current_session_is_believed() -> None:
    gone = rules.weigh(seen(), will(1), NOON, retained=True)
    assert gone is not None
    assert gone.status is PresenceStatus.OFFLINE


def test_a_later_birth_corrects_an_offline() -> None:
    gone = rules.weigh(seen(1), will(1), NOON)
    back = rules.weigh(gone, birth(2), NOON + timedelta(seconds=1))
    assert back is not None
    assert (back.status, back.epoch) == (PresenceStatus.ONLINE, epoch(2))


def test_a_second_birth_of_the_same_status_does_not_move_since() -> None:
    again = rules.weigh(seen(1), birth(2), NOON + timedelta(minutes=1))
    assert again is not None
    assert again.since == NOON
    assert again.heard_at == NOON + timedelta(minutes=1)


@given(quiet_s=st.floats(0, 600))
def test_silence_longer_than_the_patience_is_offline_and_nothing_shorter(quiet_s: float) -> None:
    now = NOON + timedelta(seconds=quiet_s)
    after = rules.silence(seen(), now)
    if now - NOON <= PATIENCE:
        assert after == seen()
    else:
        assert (after.status, after.since) == (PresenceStatus.OFFLINE, now)
        assert rules.silence(after, now + timedelta(hours=1)) is after


def test_a_heartbeat_revives_a_device_that_was_believed_silent() -> None:
    fell_silent = rules.silence(seen(), NOON + timedelta(hours=1))
    assert fell_silent.status is PresenceStatus.OFFLINE
    back_at = NOON + timedelta(hours=2)
    revived = rules.beat(fell_silent, epoch(1), back_at)
    assert (revived.status, revived.since) == (PresenceStatus.ONLINE, back_at)


def test_a_heartbeat_of_another_session_says_nothing() -> None:
    gone = rules.weigh(seen(2), will(2), NOON)
    assert gone is not None
    assert rules.beat(gone, epoch(1), NOON) is gone


def test_a_heartbeat_keeps_an_idle_device_idle() -> None:
    idle = rules.weigh(seen(), birth(1, PresenceStatus.IDLE), NOON)
    assert idle is not None
    later = rules.beat(idle, epoch(1), NOON + PATIENCE)
    assert later.status is PresenceStatus.IDLE
    assert rules.silence(later, NOON + PATIENCE * 2).status is PresenceStatus.IDLE


class ADevicesLife(RuleBasedStateMachine):
    """Sessions follow one another; words of old ones arrive whenever they like."""

    @initialize()
    def born(self) -> None:
        self.session = 1
        self.now = NOON
        self.sign_at = NOON
        self.ended = False
        self.seen = seen(1)

    @rule()
    def connects_anew(self) -> None:
        self.session += 1
        self._take(birth(self.session))
        self.sign_at, self.ended = self.now, False

    @rule()
    def dies(self) -> None:
        self._take(will(self.session))
        self.ended = True

    @rule(ago=st.integers(1, 5), gone=st.booleans())
    def an_old_session_speaks(self, ago: int, gone: bool) -> None:
        if ago < self.session:
            before = self.seen
            said = will(self.session - ago) if gone else birth(self.session - ago)
            self.seen = rules.weigh(self.seen, said, self.now, retained=not gone) or self.seen
            assert self.seen == before

    @rule()
    def beats(self) -> None:
        self.seen = rules.beat(self.seen, epoch(self.session), self.now)
        self.sign_at, self.ended = self.now, False

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.seen = rules.silence(self.seen, self.now)

    def _take(self, said: DevicePresence) -> None:
        self.seen = rules.weigh(self.seen, said, self.now) or self.seen

    @invariant()
    def it_is_believed_there_exactly_while_it_gives_signs(self) -> None:
        if not hasattr(self, "seen"):
            return
        there = not self.ended and self.now - self.sign_at <= PATIENCE
        assert (self.seen.status is PresenceStatus.ONLINE) is there
        assert self.seen.epoch == epoch(self.session)


TestADevicesLife = ADevicesLife.TestCase
TestADevicesLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
