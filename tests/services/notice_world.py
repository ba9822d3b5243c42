"""A house with channels and waiting notices, and a sender to see to them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import select

from schemas.identifiers import derived_id
from schemas.notices import ChannelKind, NoticeRule, NoticeRules, NoticeStatus
from schemas.orders import Guest, OrderChange
from services.notices.mail import MailServer
from services.notices.retrying import Patience
from services.notices.sample import sample_order
from services.notices.sender import Sender, SenderSettings
from services.notices.tables import CHANNELS, NOTICES, TEMPLATES
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.relay import Checkpoint, Relay, no_checkpoint
from services.runtime.signatures import new_signing_secret
from tests.patience import PATIENCE_S

SECRET: Final = new_signing_secret()
HASTY: Final = Patience(first_s=0.05, growth=1.5, longest_s=0.2, attempts=4)


def sealed(secret: str) -> str:
    """As a channel keeps it; nothing is hidden here."""
    return base64.b64encode(secret.encode()).decode()


def quick(**changes: Any) -> SenderSettings:
    """A sender that does not keep a test waiting."""
    usual = SenderSettings(
        unseal=base64.b64decode,
        patience=HASTY,
        webhook_timeout_s=PATIENCE_S,
        mail_timeout_s=PATIENCE_S,
        every_s=0.02,
    )
    return replace(usual, **changes)


def mail_at(port: int) -> MailServer:
    """A mail server of this machine."""
    return MailServer("127.0.0.1", port, "orders@roma.example", start_tls=False)


def channel_row(
    tenant: str, channel: str, kind: ChannelKind, url: str | None = None
) -> dict[str, Any]:
    """A channel, as `heard notify channel add` writes it."""
    secret = sealed(SECRET) if kind is ChannelKind.WEBHOOK else None
    return {"tenant": tenant, "channel": channel, "kind": kind.value, "url": url,
            "secret": secret, "created_at": system_clock()}  # fmt: skip


@dataclass
class NoticeWorld:
    """One restaurant, seen through its rows."""

    database: Database
    tenant: str

    @classmethod
    async def make(cls, database: Database, tenant: str = "roma") -> NoticeWorld:
        async with database.write() as connection:
            await add_tenant(connection, Tenant(tenant, "Trattoria Roma", "EUR", system_clock()))
        return cls(database, tenant)

    async def channel(self, channel: str, kind: ChannelKind, url: str | None = None) -> None:
        async with self.database.write() as connection:
            row = channel_row(self.tenant, channel, kind, url)
            await connection.execute(CHANNELS.insert().values(row))

    async def template(self, template: str, language: str, headline: str, body: str) -> None:
        row = {"tenant": self.tenant, "template": template, "language": language,
               "headline": headline, "body": body}  # fmt: skip
        async with self.database.write() as connection:
            await connection.execute(TEMPLATES.insert().values(row))

    async def rules(self, *rules: NoticeRule, **orders: Any) -> None:
        async with self.database.write() as connection:
            before = (await house_rules.read(connection, self.tenant)).orders
            await house_rules.write(
                connection,
                self.tenant,
                orders=before.model_copy(update=orders),
                notices=NoticeRules(rules=rules),
            )

    async def notice(
        self,
        channel: str,
        *,
        change: OrderChange = OrderChange.READY,
        to: str | None = None,
        template: str | None = None,
        language: str = "en",
        rule: str = "told",
        at: datetime | None = None,
        due: datetime | None = None,
        guest: Guest | None = None,
    ) -> UUID:
        """One that waits, as the handlers make it."""
        at = at or system_clock()
        order = sample_order("EUR", "en", at).model_copy(update={"order_id": uuid4()})
        if guest is not None:
            order = order.model_copy(update={"guest": guest})
        made = derived_id(at, str(order.order_id), rule)
        row = {
            "tenant": self.tenant,
            "notice_id": made,
            "order_id": order.order_id,
            "order_version": order.version,
            "rule": rule,
            "channel": channel,
            "change": change.value,
            "status": NoticeStatus.WAITING.value,
            "version": 1,
            "attempts": 0,
            "at": at,
            "next_at": due or at,
            "to": to,
            "template": template or change.value,
            "language": language,
            "snapshot": {"order": order.model_dump(mode="json"), "lines": [1]},
        }
        async with self.database.write() as connection:
            await connection.execute(NOTICES.insert().values(row))
        return made

    async def row(self, notice_id: UUID) -> dict[str, Any]:
        async with self.database.read() as connection:
            query = select(NOTICES).where(
                NOTICES.c.tenant == self.tenant, NOTICES.c.notice_id == notice_id
            )
            return dict((await connection.execute(query)).mappings().one())

    async def until_ended(self, *notice_ids: UUID) -> list[dict[str, Any]]:
        """Wait until none of these waits any more; returns their rows."""
        for notice_id in notice_ids:
            await self.until(notice_id, lambda row: row["status"] != NoticeStatus.WAITING)
        return [await self.row(each) for each in notice_ids]

    async def until(
        self, notice_id: UUID, condition: Callable[[dict[str, Any]], object]
    ) -> dict[str, Any]:
        """Wait until a row is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition(row := await self.row(notice_id)):  # noqa: ASYNC110 - a row tells nobody that it has changed
                await asyncio.sleep(0.01)
            return row

    @asynccontextmanager
    async def sending(
        self,
        settings: SenderSettings | None = None,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> AsyncIterator[Sender]:
        """A sender that runs as long as the context."""
        relay = Relay(self.database, system_clock)
        sender = Sender(self.database, relay, system_clock, checkpoint, settings or quick())
        running = asyncio.create_task(sender.run())
        try:
            yield sender
            assert not running.done(), running.exception()
        finally:
            running.cancel()
            await asyncio.wait([running], timeout=PATIENCE_S)
            assert running.done(), "it does not end"


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - a server on a thread sets no event of this loop
            await asyncio.sleep(0.01)


def on_the_clock(at: datetime, *, minutes: int) -> str:
    """What a clock in UTC shows so many minutes later."""
    return (at.astimezone(UTC) + timedelta(minutes=minutes)).strftime("%H:%M")
