"""What to buy, of whom, how much of it, and why. Pure.

Each item must last until the delivery after the next one: what is usable today, and what is on
its way, less what spoils before anybody uses it, less what will be used. Where it does not, or
where less than par would be there after the delivery, whole packs are suggested.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.inventory import Lot, Pack, StockItem, StockLevel
from schemas.money import to_text
from schemas.suppliers import Supplier
from services.inventory.arrivals import next_two
from services.inventory.forecast import Profile, expected_use, lasts_until
from services.inventory.units import text

SAFETY: Final = 0.15
"""So much more than a usual week's share is kept ready: weeks differ."""


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """What is ordered and has not come.

    Attributes:
        amount: thousandths of the item's base unit.
        expected_on: when it should come; None where nobody has said.
        number: of the purchase order.
    """

    amount: int
    expected_on: date | None
    number: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """All that is known of one item.

    Attributes:
        item: what it is.
        level: how much there is.
        lots: what is left of its deliveries.
        profile: how it is used; None where nothing ever was.
        coming: what is ordered.
    """

    item: StockItem
    level: StockLevel
    lots: Sequence[Lot] = ()
    profile: Profile | None = None
    coming: Sequence[OnItsWay] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """So many packs of one item.

    Attributes:
        item: what.
        pack: as which it is bought.
        packs: how many.
        reasons: why, in words; the figures that it was reckoned from.
        urgent: it runs out before it comes.
    """

    item: StockItem
    pack: Pack
    packs: int
    reasons: tuple[str, ...]
    urgent: bool = False

    @property
    def cost_minor(self) -> int:
        """What it costs by the pack's price."""
        return self.packs * self.pack.price_minor

    @property
    def amount(self) -> int:
        """Thousandths of the item's base unit."""
        return self.packs * self.pack.holds


@dataclass(frozen=True, slots=True)
class Basket:
    """What to ask one supplier for.

    Attributes:
        supplier: of whom.
        arrives_on: when it comes, if it is sent today.
        lines: by item.
        below_minimum: what is missing to the supplier's minimum; 0 where it is reached.
    """

    supplier: Supplier
    arrives_on: date
    lines: tuple[Suggestion, ...]
    below_minimum: int = 0

    @property
    def total_minor(self) -> int:
        """What all of it costs."""
        return sum(line.cost_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What to buy, and of what nothing can be said.

    Attributes:
        baskets: by supplier.
        not_counted: items that are used, and of which nobody knows how much there is.
        not_sold: items that are short, and that nobody sells as far as is known.
    """

    baskets: tuple[Basket, ...]
    not_counted: tuple[str, ...]
    not_sold: tuple[str, ...]


def suggest(
    shelves: Collection[Shelf],
    suppliers: Mapping[str, Supplier],
    now: datetime,
    zone: ZoneInfo,
    currency: str,
) -> Suggestions:
    """Suggest what to order today.

    Args:
        shelves: all items.
        suppliers: by name; one that is not there brings things the day after, every day.
        now: the time.
        zone: the house's clock.
        currency: of prices, for the reasons.
    """
    baskets: dict[str, list[tuple[Suggestion, Shelf]]] = {}
    not_counted, not_sold = [], []
    for shelf in sorted(shelves, key=lambda each: each.item.item):
        if not shelf.level.counted:
            if shelf.profile is not None or shelf.level.reserved:
                not_counted.append(shelf.item.item)
            continue
        pack = shelf.item.packs[0] if shelf.item.packs else None
        supplier = supplier_of(pack, suppliers)
        found = _for(shelf, pack, supplier, now, zone)
        if isinstance(found, Suggestion):
            baskets.setdefault(supplier.supplier, []).append((found, shelf))
        elif found:
            not_sold.append(shelf.item.item)
    made = [
        _basket(supplier_of(lines[0][0].pack, suppliers), lines, now, zone, currency)
        for _, lines in sorted(baskets.items())
    ]
    return Suggestions(tuple(made), tuple(not_counted), tuple(not_sold))


def supplier_of(pack: Pack | None, suppliers: Mapping[str, Supplier]) -> Supplier:
    """Who sells a pack; one of whom nothing is known brings things the day after."""
    name = "nobody" if pack is None else pack.supplier
    return suppliers.get(name) or Supplier(supplier=name, name=name)


def spoils(
    lots: Sequence[Lot], profile: Profile | None, now: datetime, until: datetime, zone: ZoneInfo
) -> int:
    """How much goes off before anybody uses it, up to a time; what expires first is used first."""
    gone = used = 0
    dated = [each for each in lots if each.expires_on is not None and each.left]
    for lot in sorted(dated, key=lambda each: each.expires_on or date.max):
        ends = _end_of(lot.expires_on or date.max, zone)
        if ends > until:
            break
        could = 0 if profile is None else expected_use(profile, now, ends)
        takes = max(0, min(lot.left, could - used))
        used += takes
        gone += lot.left - takes
    return gone


@dataclass(frozen=True, slots=True)
class _Need:
    """What one item needs, in thousandths of its base unit, and from what that follows.

    Attributes:
        arrives_on: when an order of today comes.
        next_on: when one of a later day comes at the earliest.
        usable: what is on hand and whole.
        off: what goes off before it is used.
        before: what is used until the order comes.
        between: what is used from then until the later one is used up.
        promised: what orders were promised.
        coming: what is ordered, and comes before the later one.
        by: the purchase orders by which it comes.
        soon: whether some of it comes before an order of today would.
        par: how much there should be after a delivery.
    """

    arrives_on: date
    next_on: date
    usable: int
    off: int
    before: int
    between: int
    promised: int
    coming: int
    by: tuple[str, ...]
    soon: bool
    par: int

    @property
    def kept(self) -> int:
        """What is kept ready besides."""
        return round(SAFETY * self.between)

    @property
    def wanted(self) -> int:
        """What should be there when it has come."""
        return max(self.between + self.kept, self.par)

    @property
    def short(self) -> int:
        """What will be missing; not above nothing where there is enough."""
        return self.wanted - max(0, self.usable - self.off - self.before) - self.coming

    @property
    def urgent(self) -> bool:
        """Whether it runs out before anything comes."""
        return self.usable < self.before and not self.soon


def _need(shelf: Shelf, supplier: Supplier, now: datetime, zone: ZoneInfo) -> _Need:
    level, profile = shelf.level, shelf.profile
    arrives_on, next_on = next_two(supplier, now.astimezone(zone).date())
    arrives, until = _start_of(arrives_on, now, zone), _end_of(next_on, zone)
    before = _use(profile, now, arrives)
    promised = level.reserved + level.planned
    coming = [
        each for each in shelf.coming if each.expected_on is None or each.expected_on < next_on
    ]
    return _Need(
        arrives_on=arrives_on,
        next_on=next_on,
        usable=level.on_hand - level.damaged,
        off=spoils(shelf.lots, profile, now, until, zone),
        before=before,
        between=max(_use(profile, arrives, until), promised - before),
        promised=promised,
        coming=sum(each.amount for each in coming),
        by=tuple(each.number for each in coming),
        soon=any(each.expected_on is not None and each.expected_on < arrives_on for each in coming),
        par=shelf.item.par or 0,
    )


def _for(
    shelf: Shelf, pack: Pack | None, supplier: Supplier, now: datetime, zone: ZoneInfo
) -> Suggestion | bool:
    """What to buy of one item; whether it is short, where nobody sells it."""
    need = _need(shelf, supplier, now, zone)
    if need.short <= 0 or pack is None:
        return need.short > 0
    packs = -(-need.short // pack.holds)
    reasons = [*_reasons(shelf.item, need)]
    if need.urgent and shelf.profile is not None:
        ends = lasts_until(
            shelf.profile, now, max(0, need.usable), _start_of(need.arrives_on, now, zone)
        )
        when = "at once" if ends is None else f"on {ends.astimezone(zone):%a %d %b, %H:00}"
        reasons.append(f"it runs out {when}, before it comes")
    missing = text(_rounded(need.short), shelf.item.unit)
    reasons.append(
        f"{missing} is missing: {packs} x {pack.name or text(pack.holds, shelf.item.unit)}"
    )
    return Suggestion(shelf.item, pack, packs, tuple(reasons), need.urgent)


def _reasons(item: StockItem, need: _Need) -> Iterator[str]:
    """The figures, in words; what is nothing is not said."""

    def said(amount: int) -> str:
        return text(_rounded(amount), item.unit)

    yield f"{said(need.usable)} is usable"
    if need.coming:
        yield f"{said(need.coming)} is on its way ({', '.join(need.by)})"
    if need.off:
        yield f"{said(need.off)} goes off before it is used"
    if need.before:
        yield f"{said(need.before)} is used until it comes on {_day(need.arrives_on)}"
    if need.between:
        later = _day(need.next_on)
        yield f"{said(need.between)} is used between this delivery and that of {later}"
    if need.promised and need.promised - need.before == need.between:
        yield f"{said(need.promised)} is promised to orders"
    if need.wanted > need.between + need.kept:
        yield f"par is {text(need.par, item.unit)}"
    elif need.kept:
        yield f"{said(need.kept)} more, for weeks differ"


def _basket(
    supplier: Supplier,
    wanted: Sequence[tuple[Suggestion, Shelf]],
    now: datetime,
    zone: ZoneInfo,
    currency: str,
) -> Basket:
    """What is suggested of one supplier, filled up to their minimum where that can be."""
    lines = [line for line, _ in wanted]
    minimum = supplier.minimum_minor
    missing = minimum - sum(line.cost_minor for line in lines)
    least = to_text(minimum, currency)
    more = [0] * len(lines)
    while missing > 0:
        # One pack at a time of what is used up first; never more than two weeks of anything.
        days = [
            (_days_of(line, shelf, n), at)
            for at, ((line, shelf), n) in enumerate(zip(wanted, more, strict=True))
            if line.pack.price_minor
        ]
        fit = [each for each in days if each[0] < _MOST_DAYS]
        if not fit:
            break
        _, at = min(fit)
        more[at] += 1
        missing -= lines[at].pack.price_minor
    if missing > 0:
        more = [0] * len(lines)
    filled = tuple(
        replace(
            line,
            packs=line.packs + n,
            reasons=(*line.reasons, f"{n} more, for they bring nothing below {least}"),
        )
        if n
        else line
        for line, n in zip(lines, more, strict=True)
    )
    arrives_on, _ = next_two(supplier, now.astimezone(zone).date())
    basket = Basket(supplier, arrives_on, filled)
    return replace(basket, below_minimum=max(0, minimum - basket.total_minor))


_MOST_DAYS: Final = 14.0


def _days_of(line: Suggestion, shelf: Shelf, more: int) -> float:
    """For how many usual days there is enough, with so many packs more than suggested."""
    daily = 0.0 if shelf.profile is None else shelf.profile.weekly / 7
    held = shelf.level.on_hand - shelf.level.damaged + line.amount + more * line.pack.holds
    return held / daily if daily else float("inf")


def _use(profile: Profile | None, since: datetime, until: datetime) -> int:
    return 0 if profile is None else expected_use(profile, since, until)


def _start_of(day: date, now: datetime, zone: ZoneInfo) -> datetime:
    """When what comes on a day can be used: from its morning, or now."""
    return max(now, datetime.combine(day, time.min, zone).astimezone(UTC))


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)


def _rounded(amount: int) -> int:
    """Without fractions that nobody can foretell."""
    return amount if abs(amount) < 10_000 else round(amount, -3)


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"
