"""From a notice's row to a letter, or to what else becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.notices import ChannelKind, WhileQuiet
from schemas.orders import OrderChange
from services.notices.letter import Channel, Letter
from services.notices.quiet import IN_QUIET_HOURS, is_quiet, quiet_until
from services.notices.rendering import Unrenderable, render
from services.notices.retrying import Failed
from services.notices.store import House, Row
from services.notices.view import view_of
from services.notices.words import NoWords, find, written_in
from services.runtime.wall_clock import zone_of


@dataclass(frozen=True, slots=True)
class Held:
    """Not before this time."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody is told."""

    why: str


def write(row: Row, house: House | None, now: datetime) -> Letter | Held | Dropped | Failed:
    """Write what a notice says, as the house has it now.

    Quiet hours count again here: a notice may be late, because the services were down or
    its receiver away, and must wake nobody for that.
    """
    if house is None:
        return Dropped("its restaurant is gone")
    channel = house.channels.get(row["channel"])
    if channel is None:
        why = f"there is no channel {row['channel']}: heard notify channel add {row['channel']}"
        return Failed(why, final=True)
    if row["snapshot"] is None:
        return Dropped("what it was to tell was erased")
    if channel.kind is ChannelKind.EMAIL and row["to"] is None:
        return Dropped("nobody to tell: neither rule nor order has an address")
    return _quiet(row, house, now) or _letter(row, house, channel)


def _quiet(row: Row, house: House, now: datetime) -> Held | Dropped | None:
    rule = house.book.get(row["rule"])
    zone = zone_of(house.rules.time_zone)
    if rule is None or rule.quiet is None or not is_quiet(rule.quiet, now, zone):
        return None
    if rule.quiet.then is WhileQuiet.DROP:
        return Dropped(IN_QUIET_HOURS)
    return Held(quiet_until(rule.quiet, now, zone))


def _letter(row: Row, house: House, channel: Channel) -> Letter | Failed:
    view = view_of(
        row["snapshot"],
        house=house.name,
        tenant=row["tenant"],
        change=row["change"],
        at=row["at"],
    )
    try:
        words, found = find(house.words, row["template"], row["change"], row["language"])
        language = written_in(row["language"], found)
        zone = zone_of(house.rules.time_zone)
        headline, text = render(words, language, zone, view)
    except (NoWords, Unrenderable) as error:
        return Failed(f"template {row['template']}: {error}", final=True)
    return Letter(
        notice_id=row["notice_id"],
        tenant=row["tenant"],
        house=house.name,
        channel=channel,
        rule=row["rule"],
        change=OrderChange(row["change"]),
        order_id=row["order_id"],
        order_number=view["order"]["number"],
        language=language,
        headline=headline,
        text=text,
        to=row["to"],
        at=row["at"],
        snapshot=row["snapshot"],
    )
