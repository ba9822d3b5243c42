"""What comes of moves, in the same transaction: alerts raised and cleared, things sold out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.alerts import Alert, AlertKind, Audience, Severity
from schemas.inventory import StockItem, StockMark
from services.inventory.moves import Moves, Touched, level_of, read_ahead
from services.inventory.stock_book import StockBook
from services.inventory.tables import STOCK_LEVELS
from services.inventory.units import rounded, text
from services.runtime import alerts, house_rules
from services.runtime.context import Context
from services.runtime.facts import PortionsLeft
from services.runtime.work import Row

STANDING: Final = (AlertKind.LOW_STOCK, AlertKind.CRITICAL_STOCK, AlertKind.NEGATIVE_STOCK)
"""What follows from how much there is of an item, and from nothing else."""


async def tell(context: Context, book: StockBook, moves: Moves) -> None:
    """Raise, clear and count down what the moves have changed.

    Most moves change nothing of that, and cost two comparisons an item.
    """
    rules = await house_rules.stock_rules(context.draft, context.tenant)
    scarce: dict[str, int] = {}
    for name, touched in moves.touched.items():
        if not touched.after["counted"]:
            continue
        lower = min(level_of(touched.before).available, level_of(touched.after).available)
        begun = touched.before is None or not touched.before["counted"]
        near = lower <= book.clears_at.get(name, 0) or _below_nothing(touched)
        if begun or near or _marked_anew(touched):
            await _alert(context, book.items[name], touched)
        if begun or lower < book.needs_most.get(name, 0) * (rules.countdown + 1):
            scarce[name] = lower
    if scarce:
        await _count_portions(context, book, scarce, rules.countdown)


# -- alerts -----------------------------------------------------------------------------------


def _below_nothing(touched: Touched) -> bool:
    return level_of(touched.before).on_hand < 0 or level_of(touched.after).on_hand < 0


def _marked_anew(touched: Touched) -> bool:
    """Whether its mark is another, though it is far from all thresholds: those were others."""
    before, after = touched
    return before is not None and before["mark"] != after["mark"]


async def _alert(context: Context, item: StockItem, touched: Touched) -> None:
    """Bring the alerts of an item to how it stands; what did not change is not looked up."""
    before, after = touched
    stood = () if before is None else alerts_of(item, before).keys()
    stand = alerts_of(item, after)
    for kind, said in stand.items():
        if kind not in stood:
            await alerts.raise_(context, _made(context, kind, item, said))
    for kind in STANDING:
        if kind in stood and kind not in stand:
            await alerts.clear(context, alerts.name_of(kind.value, item.item))


async def set_right(context: Context, item: StockItem, row: Row) -> None:
    """Bring the alerts of an item to how it stands, whatever was told before."""
    stand = alerts_of(item, row)
    for kind in STANDING:
        name = alerts.name_of(kind.value, item.item)
        if kind not in stand:
            await alerts.clear(context, name)
        elif await alerts.standing(context.draft, context.tenant, name) is None:
            await alerts.raise_(context, _made(context, kind, item, stand[kind]))


def alerts_of(item: StockItem, row: Row) -> dict[AlertKind, str]:
    """The alerts that should stand by how much there is, with what they say."""
    found: dict[AlertKind, str] = {}
    if not row["counted"]:
        return found
    mark, level = StockMark(row["mark"]), level_of(row)
    left = text(rounded(level.available), item.unit)
    for least, kind, limit in (
        (StockMark.LOW, AlertKind.LOW_STOCK, item.low),
        (StockMark.CRITICAL, AlertKind.CRITICAL_STOCK, item.critical),
    ):
        if _stands(least, mark):
            below = text(limit or 0, item.unit)
            found[kind] = f"{item.name}: {left} left, below {below}. Buy or count it."
    if level.on_hand < 0:
        short = text(rounded(level.on_hand), item.unit)
        found[AlertKind.NEGATIVE_STOCK] = (
            f"{item.name}: more was taken than the books had ({short}). Count it."
        )
    return found


def _stands(mark: StockMark, now: StockMark) -> bool:
    """Whether an alert stands: what is critical is low too."""
    return now is mark or (mark is StockMark.LOW and now is StockMark.CRITICAL)


def _made(context: Context, kind: AlertKind, item: StockItem, said: str) -> Alert:
    low = kind is AlertKind.LOW_STOCK
    return Alert(
        alert=alerts.name_of(kind.value, item.item),
        kind=kind,
        severity=Severity.LOW if low else Severity.CRITICAL,
        audience=Audience.MANAGERS,
        to="managers",
        about=item.item,
        text=said,
        raised_at=context.now,
    )


# -- what can still be made -------------------------------------------------------------------


async def _count_portions(
    context: Context, book: StockBook, scarce: Mapping[str, int], countdown: int
) -> None:
    """Tell how many can still be made of all for which an item that moved is scarce."""
    concerned = {
        name
        for item, lower in scarce.items()
        for name, need in book.used_in.get(item, {}).items()
        if lower < need * (countdown + 1)
    }
    if not concerned:
        return
    items = {item for name in concerned for item in book.takes[name]}
    await read_ahead(context.draft, context.tenant, items)
    rows = {
        item: await context.draft.get(STOCK_LEVELS, context.tenant, item) for item in sorted(items)
    }
    await context.tell(portions_left(book, sorted(concerned), rows, countdown))


def portions_left(
    book: StockBook, names: Iterable[str], rows: Mapping[str, Row | None], countdown: int
) -> PortionsLeft:
    """How many of each can still be made, as far as that is worth telling.

    Args:
        book: the house's.
        names: of recipes.
        rows: of `STOCK_LEVELS`, of all items that they take.
        countdown: more than so many are enough.
    """
    left: dict[str, int | None] = {}
    runs_out: dict[str, str] = {}
    for name in names:
        n, scarcest = portions(book.takes[name], rows)
        left[name] = None if n is None or n > countdown else n
        if n == 0 and scarcest is not None and scarcest in book.items:
            runs_out[name] = book.items[scarcest].name
    return PortionsLeft(left, runs_out)


def portions(
    takes: Mapping[str, int], rows: Mapping[str, Row | None]
) -> tuple[int | None, str | None]:
    """How many can be made of what is available, and what limits that.

    None where nobody has counted any of it.
    """
    least: int | None = None
    scarcest: str | None = None
    for item, need in takes.items():
        row = rows.get(item)
        if row is None or not row["counted"] or not need:
            continue
        n = max(0, level_of(row).available) // need
        if least is None or n < least:
            least, scarcest = n, item
    return least, scarcest
