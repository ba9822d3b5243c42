"""How often one may try to log in. Nobody can lock another out by failing in their name.

What is counted, each in buckets of its own (`services.runtime.ratelimit`):

- **by address** (IPv6: by /64): so that one machine cannot try many names;
- **by person and address**: five at once, then one a minute. Failures from one address
  leave those from every other as they were;
- **by person**, over all addresses from which that person never logged in: when that runs
  out, somebody guesses from many places. Then such an address has one attempt in five
  minutes instead of five at once, but it has it: the right password, typed right, opens
  from anywhere at any time. Addresses from which the person did log in are not touched;
- **in all**, in two lanes: a flood from strange addresses uses up the strangers' lane, and
  leaves the one of addresses that people come from.

Codes of an authenticator app are counted apart, and by person from all strange addresses
together: only who has the password already comes so far, and a code has but six digits.

An attempt is taken when it begins, and given back when it succeeds, so that a thousand at
once are no way around. Whoever shares the victim's very address (a colleague on the same
till) can still use up what that address has. All is kept in memory, bounded, and full
again after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from services.runtime.ratelimit import Bucket, Buckets, Rate


@dataclass(frozen=True, slots=True)
class AttemptRates:
    """How much each bucket holds."""

    source: Rate = field(default_factory=lambda: Rate(per_s=10 / 60, burst=30))
    pair: Rate = field(default_factory=lambda: Rate(per_s=1 / 60, burst=5))
    person: Rate = field(default_factory=lambda: Rate(per_s=1 / 180, burst=20))
    code: Rate = field(default_factory=lambda: Rate(per_s=1 / 300, burst=10))
    lane: Rate = field(default_factory=lambda: Rate(per_s=10, burst=50))
    keys: int = 10_000


class Attempts:
    """Counts attempts; times are seconds of a clock that never goes back.

    Args:
        rates: how much there is of each.
    """

    def __init__(self, rates: AttemptRates | None = None) -> None:
        rates = rates or AttemptRates()
        self._rates: Final = rates
        self._by_source: Final = Buckets(rates.source, most=rates.keys)
        self._by_pair: Final = Buckets(rates.pair, most=rates.keys)
        self._by_person: Final = Buckets(rates.person, most=rates.keys)
        self._codes: Final = Buckets(rates.code, most=rates.keys)
        self._lanes: Final = {known: Bucket(rates.lane) for known in (True, False)}
        self._known: dict[tuple[str, str], None] = {}

    def begin(self, person: str, source: str, now: float) -> float:
        """Take an attempt; returns 0.0, or for how many seconds there is none.

        Args:
            person: whoever somebody says to be, ``roma/ada``.
            source: the address it comes from.
            now: the time.
        """
        pair = (person, source)
        known = pair in self._known
        cost = 1.0
        wait = self._by_source.take(source, now) or self._by_pair.take(pair, now)
        if wait:
            return wait
        # Only what was let through so far counts against the person: one address alone
        # cannot use that up.
        if not known and self._by_person.take(person, now):
            cost = self._rates.pair.burst
            wait = self._by_pair.take(pair, now, cost - 1)
            if wait:
                self._by_pair.give_back(pair)
                return wait
        wait = self._lanes[known].take(now)
        if wait:
            self._by_pair.give_back(pair, cost)
        return wait

    def try_code(self, person: str, source: str, now: float) -> float:
        """Take an attempt at a code, the password having been right; as `begin`."""
        return self._codes.take(self._of_code(person, source), now)

    def succeeded(self, person: str, source: str) -> None:
        """Give the attempt back, and know the address as one that the person comes from."""
        pair = (person, source)
        self._codes.give_back(self._of_code(person, source))
        self._by_source.give_back(source)
        self._by_pair.forget(pair)
        if pair not in self._known:
            self._by_person.give_back(person)
        self._known.pop(pair, None)
        self._known[pair] = None
        if len(self._known) > self._rates.keys:
            del self._known[next(iter(self._known))]

    def _of_code(self, person: str, source: str) -> tuple[str, str]:
        return (person, source if (person, source) in self._known else "")
