"""Reading when an item is served, as a file says it. Pure.

In YAML a list of spans, each ``{days: [mon, tue], since: "07:00", until: "11:00"}``, or the same
in words, as a table's cell has it: ``mon-fri 07:00-11:00|sat 08:00-12:00``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import time
from typing import Any, Final

from pydantic import ValidationError

from schemas.kitchen_rules import Weekday
from schemas.menu import MAX_SPANS, ServedHours

Complain = Callable[[str], None]

BETWEEN: Final = "|"
HOW: Final = "hours are spans, as mon-fri 07:00-11:00|sat 08:00-12:00; no days are every day"
_DAYS: Final = tuple(day.value for day in Weekday)
_NAMES: Final = ("days", "since", "until")
_TIME: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])", re.ASCII)
_END_OF_DAY: Final = "24:00"


def hours(value: Any, complain: Complain) -> tuple[ServedHours, ...]:
    """Read when something is served; nothing is always.

    Args:
        value: a list of mappings and texts, or one text; all is text in the end.
        complain: is told what is wrong.
    """
    spans = value.split(BETWEEN) if isinstance(value, str) else value
    if not isinstance(spans, list):
        complain(HOW)
        return ()
    found = []
    for span in spans:
        if isinstance(span, str) and not span.strip():
            continue
        if isinstance(span, str):
            read = _words(span, complain)
        elif isinstance(span, dict):
            read = _mapping(span, complain)
        else:
            complain(HOW)
            read = None
        if read is not None:
            found.append(read)
    if len(found) > MAX_SPANS:
        complain(f"it has {len(found)} spans of hours; there is room for {MAX_SPANS}")
        return ()
    return tuple(found)


def shown(spans: tuple[ServedHours, ...]) -> str:
    """The spans as a cell of a table has them."""
    return BETWEEN.join(_shown(each) for each in spans)


def _shown(span: ServedHours) -> str:
    days = " ".join(day.value for day in span.days)
    if span.since is None and span.until is None:
        return days or "00:00-24:00"
    since = (span.since or time.min).isoformat("minutes")
    until = _END_OF_DAY if span.until is None else span.until.isoformat("minutes")
    return f"{days} {since}-{until}".strip()


def _words(text: str, complain: Complain) -> ServedHours | None:
    words = text.lower().replace(",", " ").split()
    since = until = ""
    if words and ":" in words[-1]:
        since, _, until = words.pop().partition("-")
        if not since or not until:
            complain(f"{text.strip()!r}: {HOW}")
            return None
    return _made({"days": words, "since": since, "until": until}, text.strip(), complain)


def _mapping(span: Mapping[Any, Any], complain: Complain) -> ServedHours | None:
    unknown = [str(name) for name in span if name not in _NAMES]
    if unknown:
        complain(f"hours: {', '.join(unknown)}: there are {', '.join(_NAMES)}")
        return None
    days = span.get("days", [])
    if isinstance(days, str):
        days = days.replace(",", " ").replace(BETWEEN, " ").split()
    values = {"days": days, "since": span.get("since", ""), "until": span.get("until", "")}
    return _made(values, "hours", complain)


def _made(values: Mapping[str, Any], where: str, complain: Complain) -> ServedHours | None:
    days = values["days"]
    if not isinstance(days, list) or not all(isinstance(day, str) for day in days):
        complain(f"{where}: days are a list, as [mon, tue]")
        return None
    named: dict[Weekday, None] = {}
    for word in days:
        between = _between(word.strip().lower())
        if not between:
            complain(f"{where}: {word}: the days are {', '.join(_DAYS)}, or as mon-fri")
            return None
        named.update(dict.fromkeys(between))
    times: dict[str, time | None] = {}
    for name in ("since", "until"):
        text = values[name]
        if not text:
            times[name] = None
            continue
        found = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None or (found[1] == "24" and (name == "since" or found[2] != "00")):
            complain(f"{where}: {name} is {text!r}: it is a time of day, as 07:30")
            return None
        # The end of the day is no time of it: without an end a span runs up to there.
        times[name] = None if found[1] == "24" else time(int(found[1]), int(found[2]))
    try:
        return ServedHours(days=tuple(named), since=times["since"], until=times["until"])
    except ValidationError as error:
        complain(f"{where}: {error.errors()[0]['msg']}")
        return None


def _between(word: str) -> tuple[Weekday, ...]:
    """The days from one to another, as ``fri-mon``; a single one; none, where it names none."""
    first, _, last = word.partition("-")
    last = last or first
    if first not in _DAYS or last not in _DAYS or word.endswith("-"):
        return ()
    begin, end = _DAYS.index(first), _DAYS.index(last)
    length = (end - begin) % len(_DAYS) + 1
    return tuple(Weekday(_DAYS[(begin + away) % len(_DAYS)]) for away in range(length))
