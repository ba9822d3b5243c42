"""The story of an order on one page: for people, and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cli.printing import after, age, when
from cli.story import Books, Kind, Promise, Sources, Told, books, promises
from cli.story_chapters import tell
from schemas.money import digits, to_text
from services.orders.ledger import ACCOUNTS, Posting

_MARKS: Final = {
    Kind.REQUEST: ">",
    Kind.REFUSED: "x",
    Kind.CHANGE: "*",
    Kind.TICKET: "#",
    Kind.STOCK: "%",
    Kind.NOTICE: "@",
}


def document(sources: Sources) -> dict[str, Any]:
    """The story for programs."""
    kept = books(sources.entries)
    return {
        "order": sources.order.model_dump(mode="json"),
        "told": [
            {
                "at": each.at,
                "kind": each.kind.value,
                "text": each.text,
                "by": each.by,
                "more": list(each.more),
                **each.details,
            }
            for each in tell(sources)
        ],
        "times": [
            {
                "what": each.what,
                "promised": each.promised,
                "real": each.real,
                "late_s": each.late_s,
            }
            for each in promises(sources)
        ],
        "money": {
            "currency": sources.order.currency,
            "accounts": {name: getattr(kept.total, name) for name in ACCOUNTS},
            "sum": sum(getattr(kept.total, name) for name in ACCOUNTS),
        },
    }


def page(sources: Sources) -> Iterator[str]:
    """The story for people, line by line."""
    order = sources.order
    yield f"{order.number}  {order.status.value}  placed {when(order.placed_at)} by {order.device}"
    yield f"legend: {'  '.join(f'{mark} {kind.value}' for kind, mark in _MARKS.items())}"
    yield ""
    yield from _told(tell(sources))
    yield ""
    yield "times"
    for each in promises(sources):
        yield f"  {_promise(each, sources)}"
    yield ""
    yield f"money, in {order.currency}"
    yield from _money(books(sources.entries), order.currency)
    yield f"  the guests {_due(order.due_minor, order.currency)}"


def _told(story: Sequence[Told]) -> Iterator[str]:
    day = None
    for each in story:
        local = each.at.astimezone()
        if local.date() != day:
            day = local.date()
            yield f"{day}"
        by = f"  [{each.by}]" if each.by else ""
        clock = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
        yield f"  {clock} {_MARKS[each.kind]} {each.text}{by}"
        for line in each.more:
            yield f"                   {line}"


def _promise(each: Promise, sources: Sources) -> str:
    if each.real is None:
        real = "not yet" if sources.order.closed_at is None else "never"
    else:
        real = f"{when(each.real)}, {after(sources.order.placed_at, each.real)} after placing"
    if each.promised is None:
        return f"{each.what}: {real}"
    late = each.late_s
    if late is None:
        how = ""
    elif late > 0:
        how = f": {age(late)} late"
    else:
        how = f": {age(-late)} early"
    return f"{each.what}: promised {when(each.promised)}, real {real}{how}"


def _due(minor: int, currency: str) -> str:
    if minor == 0:
        return "owe nothing, and are owed nothing"
    if minor > 0:
        return f"owe {to_text(minor, currency)}"
    return f"are owed {to_text(-minor, currency)}"


def _money(kept: Books, currency: str) -> Iterator[str]:
    """Each change that moved money, account by account; every row sums to zero."""
    used = [name for name in ACCOUNTS if any(getattr(each, name) for _, each in kept.postings)]
    rows = [("", *used, "sum")]
    for entry, posting in kept.postings:
        rows.append((f"{entry.version} {entry.change.value}", *_cells(posting, used, currency)))
    rows.append(("together", *_cells(kept.total, used, currency)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *cells = row
        shown = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"  {first.ljust(widths[0])}  {shown}".rstrip()


def _cells(posting: Posting, used: Sequence[str], currency: str) -> tuple[str, ...]:
    amounts = [getattr(posting, name) for name in used]
    sum_ = sum(getattr(posting, name) for name in ACCOUNTS)
    return tuple(_number(each, currency) for each in (*amounts, sum_))


def _number(minor: int, currency: str) -> str:
    return to_text(minor, currency).removesuffix(f" {currency}") if minor else _zero(currency)


def _zero(currency: str) -> str:
    places = digits(currency)
    return f"{0:.{places}f}"
