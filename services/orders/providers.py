"""Payment providers of a house: under which name, and with which secret, they report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, ColumnElement, ForeignKey, Table, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime import audit
from services.runtime.moment import Moment
from services.runtime.tables import METADATA, SLUG

PROVIDERS: Final = Table(
    "providers",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("provider", SLUG, primary_key=True),
    Column("secret", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)
"""``secret`` signs what the provider sends; it is sealed. While it is changed there are two
in it, the newer first."""

SealIt = Callable[[bytes], str]
OpenIt = Callable[[str], bytes]


class ProviderTaken(Exception):
    """The restaurant has a provider of this name already."""


class NoSuchProvider(Exception):
    """The restaurant has no provider of this name."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One who reports of payments."""

    provider: str
    created_at: datetime


async def secrets_of(
    connection: AsyncConnection, tenant: str, provider: str, open_it: OpenIt
) -> Sequence[str]:
    """The secrets with which a provider may sign; none where there is no such provider."""
    query = select(PROVIDERS.c.secret).where(_just(tenant, provider))
    sealed = await connection.scalar(query)
    return () if sealed is None else open_it(sealed).decode().split()


async def listed(connection: AsyncConnection, tenant: str) -> Sequence[Provider]:
    """A restaurant's providers, by name."""
    query = select(PROVIDERS).where(PROVIDERS.c.tenant == tenant).order_by(PROVIDERS.c.provider)
    return [Provider(row.provider, row.created_at) for row in await connection.execute(query)]


async def add(
    connection: AsyncConnection,
    tenant: str,
    provider: str,
    secret: str,
    *,
    seal_it: SealIt,
    actor: str,
    now: datetime,
) -> None:
    """Believe a provider from now on.

    Args:
        connection: a transaction that writes.
        tenant: whose.
        provider: its name: the payment method under which guests pay with it.
        secret: what it signs with.
        seal_it: seals the secret.
        actor: who does this, for the audit.
        now: the time.

    Raises:
        ProviderTaken: there is one of that name.
    """
    if await connection.scalar(select(PROVIDERS.c.provider).where(_just(tenant, provider))):
        raise ProviderTaken(provider)
    sealed = seal_it(secret.encode())
    row = {"tenant": tenant, "provider": provider, "secret": sealed, "created_at": now}
    await connection.execute(PROVIDERS.insert().values(row))
    await _recorded(connection, "provider.added", tenant, provider, actor=actor, now=now)


async def change_secret(
    connection: AsyncConnection,
    tenant: str,
    provider: str,
    secret: str,
    *,
    seal_it: SealIt,
    open_it: OpenIt,
    actor: str,
    now: datetime,
) -> None:
    """Believe another secret, and the one before it until the next change.

    Raises:
        NoSuchProvider: there is none of that name.
    """
    known = await secrets_of(connection, tenant, provider, open_it)
    if not known:
        raise NoSuchProvider(provider)
    both = dict.fromkeys([secret, known[0]])  # the same again leaves that one alone
    sealed = seal_it(" ".join(both).encode())
    await connection.execute(
        PROVIDERS.update().where(_just(tenant, provider)).values(secret=sealed)
    )
    await _recorded(connection, "provider.secret-changed", tenant, provider, actor=actor, now=now)


async def remove(
    connection: AsyncConnection, tenant: str, provider: str, *, actor: str, now: datetime
) -> None:
    """Believe a provider no longer.

    Raises:
        NoSuchProvider: there is none of that name.
    """
    gone = await connection.execute(delete(PROVIDERS).where(_just(tenant, provider)))
    if not gone.rowcount:
        raise NoSuchProvider(provider)
    await _recorded(connection, "provider.removed", tenant, provider, actor=actor, now=now)


def _just(tenant: str, provider: str) -> ColumnElement[bool]:
    return (PROVIDERS.c.tenant == tenant) & (PROVIDERS.c.provider == provider)


async def _recorded(
    connection: AsyncConnection,
    action: str,
    tenant: str,
    provider: str,
    *,
    actor: str,
    now: datetime,
) -> None:
    await audit.record(
        connection,
        tenant=tenant,
        actor=actor,
        action=action,
        subject=f"{tenant}/{provider}",
        now=now,
    )
