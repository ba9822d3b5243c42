"""The sender: gives notices whose time has come to their channels, beside the worker.

Each channel of each restaurant is a lane of its own. A lane has a few letters on their way
at once, and one alone while it fails; so a receiver that hangs delays nobody else, and is
knocked at, not run over, until it answers.

A notice is marked after it was given. A crash in between gives it again, under the same id;
whoever receives it drops what he has. What goes over MQTT is enclosed in the outbox by the
transaction that marks it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.notices import ChannelKind
from services.notices import store
from services.notices.letter import Adapter, Letter, Unopened, Unseal
from services.notices.mail import TIMEOUT_S as MAIL_TIMEOUT_S
from services.notices.mail import Mail, MailServer
from services.notices.marking import Ended, Marker
from services.notices.retrying import Delivered, Failed, Patience
from services.notices.store import Lane, Row
from services.notices.webhook import TIMEOUT_S as WEBHOOK_TIMEOUT_S
from services.notices.webhook import Webhooks
from services.notices.writing import write
from services.runtime.context import Outgoing, outgoing
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.relay import Checkpoint, Relay, no_checkpoint

log = structlog.get_logger(__name__)

MOST: Final = 256
"""Letters on their way at once, of all restaurants."""
IN_LANE: Final = {ChannelKind.MQTT: 64, ChannelKind.WEBHOOK: 4, ChannelKind.EMAIL: 4}
AT_ONCE: Final = 32
"""Letters written in one go: orders wait for no more than that."""
SOON_S: Final = 0.05
GRACE_S: Final = 1.0
"""How long what is on its way may take to arrive when the process ends."""
OUR_FAULT: Final = "a fault of ours: it is logged"


def _nothing_opens(_sealed: str) -> bytes:
    raise Unopened("this process has no key: heard serve has")


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """How notices go out."""

    unseal: Unseal = _nothing_opens
    """Opens the secrets of webhooks."""
    mail_server: MailServer | None = None
    plaintext: bool = False
    """Webhooks of other machines may be http."""
    patience: Patience = field(default_factory=Patience)
    webhook_timeout_s: float = WEBHOOK_TIMEOUT_S
    mail_timeout_s: float = MAIL_TIMEOUT_S
    every_s: float = 0.5
    """How often is looked for what is due."""


@dataclass(slots=True)
class _Lane:
    """What is on its way through one channel."""

    most: int
    going: int = 0
    failing: bool = False

    @property
    def is_full(self) -> bool:
        return self.going >= (1 if self.failing else self.most)


@dataclass(slots=True)
class _Going:
    lanes: dict[Lane, _Lane] = field(default_factory=dict)
    ids: set[tuple[str, UUID]] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Sender:
    """Gives notices to their channels.

    Args:
        database: where they wait.
        relay: publishes what goes over MQTT.
        clock: tells what is due.
        checkpoint: called where a crash would be worst.
        settings: of the channels; may be changed before `run`.
    """

    def __init__(
        self,
        database: Database,
        relay: Relay,
        clock: Clock,
        checkpoint: Checkpoint = no_checkpoint,
        settings: SenderSettings | None = None,
    ) -> None:
        self._database: Final = database
        self._relay: Final = relay
        self._clock: Final = clock
        self.checkpoint = checkpoint
        self.settings = settings or SenderSettings()

    async def run(self) -> None:
        """Send for ever; what is on its way at the end has a moment to arrive."""
        settings = self.settings
        webhooks = Webhooks(
            settings.unseal,
            plaintext=settings.plaintext,
            timeout_s=settings.webhook_timeout_s,
        )
        mail = Mail(settings.mail_server, timeout_s=settings.mail_timeout_s)
        going = _Going()
        marker = Marker(
            self._database, self._relay, self._clock, settings.patience, self.checkpoint
        )
        async with webhooks:
            marking = asyncio.create_task(marker.run())
            adapters: dict[ChannelKind, Adapter] = {
                ChannelKind.WEBHOOK: webhooks,
                ChannelKind.EMAIL: mail,
            }
            try:
                while True:
                    found = await self._begin(going, adapters, marker)
                    await asyncio.sleep(
                        min(SOON_S, settings.every_s) if found else settings.every_s
                    )
            finally:
                await _end(going.tasks)
                marking.cancel()
                await asyncio.wait([marking])

    async def _begin(
        self, going: _Going, adapters: Mapping[ChannelKind, Adapter], marker: Marker
    ) -> int:
        """Put on their way what is due and has room; returns how many these are."""
        room = min(AT_ONCE, MOST - len(going.tasks))
        if room <= 0:
            return 1
        # As it is now: what ends while the rows are read may still be read as waiting.
        busy = set(going.ids)
        full = [each for each, lane in going.lanes.items() if lane.is_full]
        now = self._clock()
        try:
            async with self._database.read() as connection:
                rows = await _due(connection, now, len(busy) + MOST, full)
                fresh = [row for row in rows if _key(row) not in busy]
                houses = (
                    await store.houses(connection, {row["tenant"] for row in fresh})
                    if fresh
                    else {}
                )
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away; notices wait")
            return 0
        begun = 0
        for row in fresh:
            house = houses.get(row["tenant"])
            lane = _lane_of(going, row, house)
            if lane.is_full or begun >= room:
                continue
            begun += 1
            lane.going += 1
            going.ids.add(_key(row))
            task = asyncio.create_task(self._see_to(row, house, lane, adapters, marker))
            going.tasks.add(task)
            task.add_done_callback(partial(_done, going, row))
        return begun

    async def _see_to(
        self,
        row: Row,
        house: store.House | None,
        lane: _Lane,
        adapters: Mapping[ChannelKind, Adapter],
        marker: Marker,
    ) -> None:
        """Bring one notice to the end of this try, whatever happens on the way."""
        now = self._clock()
        messages: list[Outgoing] = []
        try:
            letter = write(row, house, now)
            ended: Ended
            if not isinstance(letter, Letter):
                ended = letter
            elif letter.channel.kind is ChannelKind.MQTT:
                messages.append(outgoing(letter.given(), tenant=letter.tenant, now=now))
                ended = Delivered("in the outbox")
            else:
                ended = await adapters[letter.channel.kind].give(letter, now)
                if isinstance(ended, Delivered):
                    self.checkpoint("notice given")
        except Exception:
            log.exception("a notice failed", tenant=row["tenant"], notice=str(row["notice_id"]))
            ended = Failed(OUR_FAULT)
        if isinstance(ended, Delivered | Failed):
            lane.failing = isinstance(ended, Failed) and not ended.final
        await marker.mark(row, ended, messages)


async def _due(
    connection: AsyncConnection, now: datetime, limit: int, full: list[Lane]
) -> list[Row]:
    """What is due, the longest waiting first; but few lanes with much do not hide the others."""
    rows = await store.due(connection, now, limit=limit, but=full)
    if len(rows) < limit:
        return rows
    seen = {(row["tenant"], row["channel"]) for row in rows}
    return [*await store.due(connection, now, limit=AT_ONCE, but=[*full, *seen]), *rows]


def _key(row: Row) -> tuple[str, UUID]:
    return row["tenant"], row["notice_id"]


def _lane_of(going: _Going, row: Row, house: store.House | None) -> _Lane:
    channel = None if house is None else house.channels.get(row["channel"])
    kind = ChannelKind.MQTT if channel is None else channel.kind
    return going.lanes.setdefault((row["tenant"], row["channel"]), _Lane(IN_LANE[kind]))


def _done(going: _Going, row: Row, task: asyncio.Task[None]) -> None:
    going.tasks.discard(task)
    name = (row["tenant"], row["channel"])
    lane = going.lanes[name]
    lane.going -= 1
    if not lane.going and not lane.failing:
        del going.lanes[name]
    if task.cancelled() or (error := task.exception()) is None:
        going.ids.discard(_key(row))
        return
    # Its row cannot be written. It is not taken up again before the next start: else it
    # would be given again and again, for ever.
    log.error("a notice could not be marked", notice=str(row["notice_id"]), exc_info=error)


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    if not tasks:
        return
    await asyncio.wait(set(tasks), timeout=GRACE_S)
    left = set(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
