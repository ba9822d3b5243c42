"""Guessing is slow, and nobody is locked out by it."""

from __future__ import annotations

from dataclasses import replace

from services.people.attempts import AttemptRates, Attempts
from services.runtime.ratelimit import Rate

NOW = 1_000.0
WIDE = Rate(per_s=1_000, burst=100_000)
FREE = replace(AttemptRates(), source=WIDE, lane=WIDE)
"""Only what is counted by person is left."""


def failed(attempts: Attempts, person: str, source: str, times: int, now: float = NOW) -> int:
    """How many of so many attempts were taken, all of which fail."""
    return sum(attempts.begin(person, source, now) == 0.0 for _ in range(times))


def test_one_address_has_five_attempts_at_a_person_and_then_one_a_minute() -> None:
    attempts = Attempts()
    assert failed(attempts, "roma/ada", "a", 100) == 5
    assert failed(attempts, "roma/ada", "a", 100, NOW + 61) == 1


def test_failures_from_one_address_do_not_stop_the_right_password_from_another() -> None:
    attempts = Attempts()
    for second in range(3_600):
        attempts.begin("roma/ada", "the attacker", NOW + second)
    assert attempts.begin("roma/ada", "ada's phone", NOW + 3_600) == 0.0


def test_failures_from_many_addresses_leave_everybody_one_attempt() -> None:
    attempts = Attempts(FREE)
    for number in range(500):
        failed(attempts, "roma/ada", f"bot {number}", 5)
    assert attempts.begin("roma/ada", "ada's new phone", NOW) == 0.0
    assert attempts.begin("roma/ada", "ada's new phone", NOW) > 0
    assert attempts.begin("roma/ada", "ada's new phone", NOW + 301) == 0.0


def test_guessing_from_many_addresses_is_slowed_to_one_attempt_each() -> None:
    attempts = Attempts(FREE)
    taken = [failed(attempts, "roma/ada", f"bot {number}", 5) for number in range(100)]
    assert taken[:4] == [5, 5, 5, 5]
    assert set(taken[4:]) == {1}


def test_an_address_that_a_person_comes_from_is_not_touched_by_guesses_elsewhere() -> None:
    attempts = Attempts(FREE)
    attempts.begin("roma/ada", "the till", NOW)
    attempts.succeeded("roma/ada", "the till")
    for number in range(100):
        failed(attempts, "roma/ada", f"bot {number}", 5)
    assert failed(attempts, "roma/ada", "the till", 100) == 5


def test_one_address_cannot_try_many_names() -> None:
    attempts = Attempts()
    taken = sum(attempts.begin(f"roma/{n}", "a", NOW) == 0.0 for n in range(1_000))
    assert taken == 30


def test_a_whole_shift_may_log_in_from_one_address() -> None:
    attempts = Attempts()
    for number in range(200):
        assert attempts.begin(f"roma/{number}", "the restaurant", NOW + number / 5) == 0.0
        attempts.succeeded(f"roma/{number}", "the restaurant")


def test_a_flood_from_strangers_leaves_the_lane_of_those_who_are_known() -> None:
    attempts = Attempts(replace(AttemptRates(), source=WIDE))
    attempts.begin("roma/ada", "the till", NOW)
    attempts.succeeded("roma/ada", "the till")
    passed = sum(attempts.begin(f"roma/{n}", f"bot {n}", NOW) == 0.0 for n in range(5_000))
    assert passed < 60
    assert attempts.begin("roma/bob", "a stranger", NOW) > 0
    assert attempts.begin("roma/ada", "the till", NOW) == 0.0


def test_of_a_thousand_attempts_at_once_five_are_taken() -> None:
    attempts = Attempts(FREE)
    assert failed(attempts, "roma/ada", "a", 1_000) == 5


def test_codes_are_counted_over_all_strange_addresses_but_not_against_known_ones() -> None:
    attempts = Attempts(FREE)
    attempts.begin("roma/ada", "the till", NOW)
    attempts.succeeded("roma/ada", "the till")
    tried = sum(attempts.try_code("roma/ada", f"bot {n}", NOW) == 0.0 for n in range(1_000))
    assert tried == 10
    assert attempts.try_code("roma/ada", "the till", NOW) == 0.0
    assert attempts.try_code("roma/bob", "bot 1", NOW) == 0.0


def test_memory_is_bounded() -> None:
    attempts = Attempts(replace(FREE, keys=100))
    for number in range(5_000):
        attempts.begin(f"roma/{number}", f"bot {number}", NOW)
        attempts.succeeded(f"roma/{number}", f"bot {number}")
    assert len(attempts._known) == 100
    assert len(attempts._by_source) <= 200
    assert len(attempts._by_pair) <= 200
