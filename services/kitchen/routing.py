"""Which station makes which lines. Pure.

The menu names a station for each item. The house's rules may send it elsewhere, by item, kind
of order, weekday and time; stations of one group share what comes; and where a station is
closed, or nobody stands at it any more, its fallback has its work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple

from schemas.kitchen_rules import KitchenRules, RouteRule, StationKind, Weekday
from schemas.orders import Order, OrderLine

_DAYS: Final = tuple(Weekday)


class Share(NamedTuple):
    """What one ticket will hold."""

    station: str
    course: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a station stands, as far as routing asks.

    Attributes:
        work_s: the work on its line, in seconds of one pair of hands.
        away: why it takes nothing new: it is closed, or all its displays are gone.
    """

    work_s: int = 0
    away: str | None = None


_NOTHING_KNOWN: Final = Standing()


@dataclass(frozen=True, slots=True)
class Floor:
    """What a choice of stations rests on.

    Attributes:
        book: the kitchen's rules.
        local: the time of the house's own clock.
        stations: how those stand that may be chosen; one that is absent is open and idle.
        at: the stations that have tickets of this order already.
    """

    book: KitchenRules
    local: datetime
    stations: Mapping[str, Standing] = field(default_factory=dict)
    at: Collection[str] = ()


def share_out(
    order: Order, chosen: Collection[int] | None = None, floor: Floor | None = None
) -> dict[Share, tuple[OrderLine, ...]]:
    """Share an order's lines (all, or those of the `chosen` numbers) out, by station and course.

    What is voided already is not to be made, and stands nowhere.

    Args:
        order: whose lines.
        chosen: the numbers of the lines; None is all.
        floor: how the stations stand; None sends every line where the menu says.
    """
    shared: dict[Share, list[OrderLine]] = {}
    where: dict[str, str] = {}  # one choice for the whole order, so that it stays together
    for line in to_make(order, chosen):
        station = line.station
        if floor is not None:
            aim = _aim(floor, order, line)
            if aim not in where:
                where[aim] = _station_of(floor, aim)
            station = where[aim]
        shared.setdefault(Share(station, line.course), []).append(line)
    return {share: tuple(shared[share]) for share in sorted(shared)}


def to_make(order: Order, chosen: Collection[int] | None = None) -> Iterator[OrderLine]:
    """The lines that are to be made."""
    for line in order.lines:
        if not line.voided and (chosen is None or line.line in chosen):
            yield line


def is_plain(book: KitchenRules) -> bool:
    """Tell whether every line goes where the menu says, whatever happens."""
    return not book.routes and not any(
        each.group is not None or each.fallback is not None for each in book.stations.values()
    )


def has_groups(book: KitchenRules) -> bool:
    """Tell whether an order's earlier tickets matter for where the later ones go."""
    return any(each.group is not None for each in book.stations.values())


def asks_the_time(book: KitchenRules) -> bool:
    """Tell whether any rule rests on the house's own clock."""
    return any(each.days or each.since or each.until for each in book.routes)


def in_question(book: KitchenRules, named: Iterable[str]) -> set[str]:
    """Every station that lines may come to for which the menu names these."""
    waiting = [*named, *(route.to for route in book.routes)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        for station in _members(book, name) or (name,):
            if station not in found:
                found.add(station)
                rules = book.station(station)
                waiting += [each for each in (rules.fallback, rules.group) if each]
    return found


def fits(rule: RouteRule, order: Order, line: OrderLine, local: datetime) -> bool:
    """Tell whether a rule speaks of this line, at this time of the house's own clock."""
    return (
        (not rule.items or line.item in rule.items)
        and (not rule.stations or line.station in rule.stations)
        and (not rule.kinds or order.kind.value in rule.kinds)
        and _is_time(rule, local)
    )


def _is_time(rule: RouteRule, local: datetime) -> bool:
    shown, day = local.time(), local
    since, until = rule.since or time.min, rule.until
    if until is not None and until <= since:  # over midnight
        if shown < until:
            day -= timedelta(days=1)  # the night belongs to the day on which it began
        elif shown < since:
            return False
    elif shown < since or (until is not None and shown >= until):
        return False
    return not rule.days or _DAYS[day.weekday()] in rule.days


def _aim(floor: Floor, order: Order, line: OrderLine) -> str:
    """The station or group that a line is meant for; a rule that names a station means that."""
    for rule in floor.book.routes:
        if fits(rule, order, line, floor.local):
            return rule.to
    return floor.book.station(line.station).group or line.station


def _station_of(floor: Floor, aim: str) -> str:
    """The station that takes what is meant for a station or a group."""
    members = _members(floor.book, aim)
    if not members:
        return _in_its_place(floor, aim) or aim
    ordered = sorted(members, key=lambda each: _preference(floor, each))
    for station in ordered:
        if not _away(floor, station):
            return station
    for station in ordered:
        if (other := _in_its_place(floor, station)) is not None:
            return other
    return ordered[0]


def _preference(floor: Floor, station: str) -> tuple[bool, float, str]:
    """Sorts those first that have the order already, then those with the least to do."""
    work_s = floor.stations.get(station, _NOTHING_KNOWN).work_s
    return station not in floor.at, work_s / floor.book.station(station).hands, station


def _in_its_place(floor: Floor, station: str) -> str | None:
    """The station itself, or the first of its chain of fallbacks that takes anything.

    None where none does: a ticket at a closed station is seen sooner than one that is nowhere.
    """
    seen: set[str] = set()
    following: str | None = station
    while following is not None and following not in seen:
        if not _away(floor, following):
            return following
        seen.add(following)
        following = floor.book.station(following).fallback
    return None


def _away(floor: Floor, station: str) -> bool:
    return floor.stations.get(station, _NOTHING_KNOWN).away is not None


def _members(book: KitchenRules, group: str) -> list[str]:
    return [
        name
        for name, each in book.stations.items()
        if each.group == group and each.kind is StationKind.PREP
    ]
