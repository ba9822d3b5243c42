"""A sample notice, sent through a channel right now, for whoever sets it up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import new_id
from schemas.notices import ChannelKind, NoticeRule
from schemas.orders import OrderChange
from services.notices.letter import Adapter, Channel, Letter, Unusable
from services.notices.mail import Mail
from services.notices.retrying import Delivered, Failed, Verdict
from services.notices.sample import sample_snapshot
from services.notices.sender import SenderSettings
from services.notices.store import House
from services.notices.webhook import Webhooks
from services.notices.writing import Dropped, Held, write
from services.runtime.context import outgoing
from services.runtime.outbox import enclose


def sample_letter(
    house: House,
    tenant: str,
    channel: Channel,
    *,
    change: OrderChange,
    language: str,
    currency: str,
    to: str | None,
    now: datetime,
    rule: NoticeRule | None = None,
    template: str | None = None,
) -> Letter:
    """Write the notice that a rule would make of the sample order; quiet hours do not count.

    Raises:
        Unusable: the template cannot be filled in, or there is nobody to write to.
    """
    snapshot = sample_snapshot(change, currency, language, now)
    notice_id = new_id()
    row: Mapping[str, Any] = {
        "tenant": tenant,
        "notice_id": notice_id,
        "order_id": notice_id,
        "rule": "sample",
        "channel": channel.channel,
        "change": change.value,
        "at": now,
        "to": to or (rule.to if rule is not None else None),
        "template": template or (rule.template if rule is not None else None) or change.value,
        "language": language,
        "snapshot": snapshot,
    }
    without_rules = House(house.name, house.rules, {}, house.channels, house.words)
    written = write(row, without_rules, now)
    match written:
        case Failed(why=why) | Dropped(why=why):
            raise Unusable(why)
        case Held():
            raise Unusable("its quiet hours are not over")
    return written


async def give(
    connection: AsyncConnection | None, letter: Letter, settings: SenderSettings, now: datetime
) -> Verdict:
    """Send it once, and say what came back; over MQTT it goes into the outbox.

    Args:
        connection: for MQTT, a transaction that writes; the others hold none open.
        letter: what is sent.
        settings: of the channels.
        now: the time.
    """
    adapter: Adapter
    match letter.channel.kind:
        case ChannelKind.MQTT:
            if connection is None:
                raise ValueError("what goes over MQTT needs a transaction that writes")
            message = outgoing(letter.given(), tenant=letter.tenant, now=now)
            await enclose(connection, [message])
            return Delivered("in the outbox: the services publish it within seconds")
        case ChannelKind.EMAIL:
            adapter = Mail(settings.mail_server, timeout_s=settings.mail_timeout_s)
            return await adapter.give(letter, now)
        case ChannelKind.WEBHOOK:
            async with Webhooks(
                settings.unseal,
                plaintext=settings.plaintext,
                timeout_s=settings.webhook_timeout_s,
            ) as adapter:
                return await adapter.give(letter, now)
