"""The rows of notices: channels, templates, and each notice until it is delivered."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from schemas.notices import ChannelKind, NoticeStatus
from services.runtime.changed import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG

_KINDS: Final = ", ".join(f"'{each}'" for each in ChannelKind)
_STATUSES: Final = ", ".join(f"'{each}'" for each in NoticeStatus)

CHANNELS: Final = Table(
    "channels",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("channel", SLUG, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("url", String(500)),
    Column("secret", Text),
    Column("created_at", Moment, nullable=False),
    CheckConstraint(f"kind in ({_KINDS})", name="kind"),
    CheckConstraint(
        "(kind = 'webhook') = (url is not null) and (kind = 'webhook') = (secret is not null)",
        name="webhook",
    ),
)
"""``secret`` signs what a webhook is sent; it is sealed."""

TEMPLATES: Final = Table(
    "templates",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("template", SLUG, primary_key=True),
    Column("language", String(8), primary_key=True),
    Column("headline", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""A house's own words, in place of those that come with Heard."""

NOTICES: Final = Table(
    "notices",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("notice_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("order_version", Integer, nullable=False),
    Column("rule", SLUG, nullable=False),
    Column("channel", SLUG, nullable=False),
    Column("change", String(24), nullable=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("next_at", Moment),
    Column("to", String(120)),
    Column("template", SLUG, nullable=False),
    Column("language", String(8), nullable=False),
    Column("snapshot", DOCUMENT),
    Column("ended_at", Moment),
    Column("error", Text),
    # The order first: see `services.orders.store`. And so none is made twice.
    UniqueConstraint("order_id", "order_version", "rule", "tenant"),
    CheckConstraint(f"status in ({_STATUSES})", name="status"),
    CheckConstraint("attempts >= 0", name="attempts"),
    CheckConstraint("(status = 'waiting') = (next_at is not null)", name="waiting"),
    CheckConstraint("(status = 'waiting') = (ended_at is null)", name="ended"),
    CheckConstraint("status != 'dead' or error is not null", name="dead"),
    info={GUARD: "version"},
)
"""``snapshot`` is the change with the order as it stood then; it goes, with the address in
``to``, when nobody needs it any more."""
_waiting = NOTICES.c.status == NoticeStatus.WAITING.value
Index("ix_notices_next", NOTICES.c.next_at, sqlite_where=_waiting, postgresql_where=_waiting)
