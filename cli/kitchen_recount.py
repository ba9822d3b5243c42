"""A kitchen's day worked out a second time, from the raw messages alone.

Nothing here is shared with what the services reckon with: it reads JSON as it stood on the
wire, remembers the last word on each ticket, and counts as `docs/kitchen.md` says. Where the
two disagree, one of them is wrong.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

ENDED: Final = frozenset({"bumped", "cancelled", "moved"})


class Plates(NamedTuple):
    """The plates of one course of one order."""

    plates: int
    """From how many stations."""
    spread_s: float
    """Between the first and the last."""
    whole_s: float
    """From the order's placing to the last."""


class KitchenRecount:
    """Takes raw messages as they come, twice or out of order too; safe to use from threads."""

    def __init__(self) -> None:
        self.messages = 0
        self._lock = threading.Lock()
        self._last: dict[str, dict[str, Any]] = {}
        self._promised: dict[str, tuple[str, str]] = {}

    def take(self, payload: bytes) -> None:
        """A ticket's state, or its end."""
        if not payload:
            return
        ticket = json.loads(payload)["data"]["ticket"]
        with self._lock:
            self.messages += 1
            known = self._last.get(ticket["ticket_id"])
            if known is None or known["version"] < ticket["version"]:
                self._last[ticket["ticket_id"]] = ticket
            if ticket.get("ready_p90_at") and ticket["ticket_id"] not in self._promised:
                self._promised[ticket["ticket_id"]] = (
                    ticket["ready_p50_at"],
                    ticket["ready_p90_at"],
                )

    def tickets(self) -> list[dict[str, Any]]:
        """The last word on every ticket."""
        with self._lock:
            return list(self._last.values())

    def unheard(self) -> list[str]:
        """Tickets that were sent to the line and never heard."""
        return [
            each["ticket_id"]
            for each in self.tickets()
            if each.get("sent_at") and not each.get("heard_at") and each["status"] != "moved"
        ]

    def kept_promises(self, since: datetime | None = None) -> dict[str, Any]:
        """How often a ticket was ready by the time first told, of those sent since then."""
        count = by_p50 = by_p90 = 0
        for each in self.tickets():
            if each["status"] != "bumped" or each.get("recalls"):
                continue
            told = self._promised.get(each["ticket_id"])
            if told is None or (since is not None and _at(each["sent_at"]) < since):
                continue
            count += 1
            by_p50 += _at(each["ended_at"]) <= _at(told[0])
            by_p90 += _at(each["ended_at"]) <= _at(told[1])
        return {
            "tickets": count,
            "by_p50": round(by_p50 / count, 4) if count else None,
            "by_p90": round(by_p90 / count, 4) if count else None,
        }

    def plates(self, expos: frozenset[str]) -> dict[tuple[str, int], Plates]:
        """How each course of each order came to its end, by order id and course.

        Args:
            expos: stations that make nothing.
        """
        orders: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        for each in self.tickets():
            if each["status"] == "bumped" and each["station"] not in expos:
                orders[each["order_id"], each.get("course", 1)].append(each)
        return {name: _plates(tickets) for name, tickets in orders.items()}

    def spreads(self, expos: frozenset[str]) -> dict[str, Any]:
        """Between the first and the last plate of an order and course, and its whole time.

        Args:
            expos: stations that make nothing.
        """
        plates = self.plates(expos).values()
        apart = [each.spread_s for each in plates if each.plates > 1]
        return {
            "orders": len(plates),
            "orders_of_several": len(apart),
            "spread_mean_s": _mean(apart),
            "whole_mean_s": _mean([each.whole_s for each in plates]),
        }

    def report(self, since: datetime, until: datetime, zone: tzinfo) -> dict[str, Any]:
        """What `heard kitchen report` should say of that span, as far as it is whole numbers.

        Sums of seconds are given where the report has quantiles' inputs, rounded to the
        millisecond.
        """
        stations: dict[str, dict[str, Any]] = defaultdict(
            lambda: {"tickets": 0, "lines": 0, "late": 0, "recalls": 0, "voids": 0,
                     "hear_s": [], "prep_s": []}
        )  # fmt: skip
        hours: dict[str, list[Any]] = defaultdict(lambda: [set(), 0, 0])
        orders = set()
        for each in self.tickets():
            if each["status"] not in ENDED or not since <= _at(each["ended_at"]) < until:
                continue
            lines = each["lines"]
            struck = [line for line in lines if line.get("mark") == "cancelled"]
            mine = stations[each["station"]]
            mine["recalls"] += each.get("recalls", 0)
            mine["voids"] += len(lines) if each["status"] == "cancelled" else len(struck)
            if each["status"] != "bumped":
                continue
            ended = _at(each["ended_at"])
            mine["tickets"] += 1
            mine["lines"] += len(lines) - len(struck)
            mine["late"] += bool(each.get("late_at")) and ended > _at(each["late_at"])
            begun = each.get("started_at") or each.get("heard_at")
            if begun:
                mine["prep_s"].append((ended - _at(begun)).total_seconds())
            if each.get("heard_at") and each.get("sent_at"):
                heard = _at(each["heard_at"]) - _at(each["sent_at"])
                mine["hear_s"].append(heard.total_seconds())
            orders.add(each["order_id"])
            hour = hours[ended.astimezone(zone).strftime("%Y-%m-%d %H")]
            hour[0].add(each["order_id"])
            hour[1] += 1
            hour[2] += len(lines) - len(struck)
        return {
            "orders": len(orders),
            "tickets": sum(each["tickets"] for each in stations.values()),
            "lines": sum(each["lines"] for each in stations.values()),
            "hours": {name: (len(a), b, c) for name, (a, b, c) in sorted(hours.items())},
            "stations": {
                name: {
                    **{key: each[key] for key in ("tickets", "lines", "late", "recalls", "voids")},
                    "hear": _middle(each["hear_s"]),
                    "prep": _middle(each["prep_s"]),
                }
                for name, each in sorted(stations.items())
            },
        }


def _middle(seconds: list[float]) -> tuple[int, float | None, float | None]:
    """How many, the median and the ninth tenth: between neighbours, in proportion."""
    ordered = sorted(seconds)
    if not ordered:
        return 0, None, None

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 3)

    return len(ordered), at(0.5), at(0.9)


def _plates(tickets: Sequence[Mapping[str, Any]]) -> Plates:
    ends = [_at(each["ended_at"]) for each in tickets]
    begin = min(_at(each["placed_at"]) for each in tickets)
    spread, whole = max(ends) - min(ends), max(ends) - begin
    return Plates(len(ends), spread.total_seconds(), whole.total_seconds())


def _mean(seconds: list[float]) -> float | None:
    return round(sum(seconds) / len(seconds), 2) if seconds else None


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
