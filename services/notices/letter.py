"""A notice as it goes out, and the port through which it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from schemas.notices import ChannelKind, NoticeGiven
from schemas.orders import OrderChange
from services.notices.retrying import Verdict

Unseal = Callable[[str], bytes]
"""Opens what was sealed; raises `Unopened` where it cannot."""


class Unusable(ValueError):
    """What somebody has set up cannot be used; the message says what to do."""


class Unopened(Unusable):
    """A channel's secret cannot be opened; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell somebody, as a house has set it up."""

    channel: str
    kind: ChannelKind
    url: str | None = None
    secret: str | None = None
    """What signs a webhook, sealed."""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice, written."""

    notice_id: UUID
    tenant: str
    house: str
    """The restaurant's name, for people."""
    channel: Channel
    rule: str
    change: OrderChange
    order_id: UUID
    order_number: str
    language: str
    headline: str
    """One line."""
    text: str
    to: str | None
    at: datetime
    """When the change happened."""
    snapshot: Mapping[str, Any]
    """The order as it stood then, as JSON, and what the change was about."""

    def given(self) -> NoticeGiven:
        """As a message of the contract."""
        return NoticeGiven(
            channel=self.channel.channel,
            notice_id=self.notice_id,
            rule=self.rule,
            change=self.change,
            order_id=self.order_id,
            order_number=self.order_number,
            language=self.language,
            headline=self.headline,
            text=self.text,
            at=self.at,
        )


class Adapter(Protocol):
    """What carries letters over one kind of channel."""

    async def give(self, letter: Letter, now: datetime) -> Verdict:
        """Carry one; returns how it went, and raises nothing that was to be expected."""
