"""The keys that sign tokens: Ed25519, kept sealed, and changed without anybody noticing.

The newest key signs. When a newer one comes, by itself after 30 days or by hand, the older
is good for checking until the last token that it may have signed has ended; its private
half is erased at once. Several processes may share the database: each keeps the keys in
memory for a few seconds, and looks at once when a token names a key that it does not know.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.gateway import PublicKey
from services.people.seal import Seal
from services.people.tables import SIGNING_KEYS
from services.people.tokens import LONGEST_LIFETIME
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.moment import Clock, system_clock
from services.runtime.ratelimit import Bucket, Rate
from services.runtime.tables import NO_TENANT

log = structlog.get_logger(__name__)

AGE: Final = timedelta(days=30)
KEPT: Final = timedelta(seconds=15)
"""How long a process believes what it has read."""
OVERLAP: Final = LONGEST_LIFETIME + timedelta(minutes=5)
"""How long a key is good for checking after a newer one came: the longest token, signed by
a process that had not heard of the newer one, and clocks that differ."""
_LOOKS: Final = Rate(per_s=1.0, burst=5.0)
"""How often made-up key names may have the database asked."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key."""

    kid: str
    public: Ed25519PublicKey = field(repr=False)
    created_at: datetime
    retires_at: datetime | None
    """None for one that no newer one has followed yet."""
    private: Ed25519PrivateKey | None = field(repr=False)
    """None once a newer one signs."""

    def counts(self, now: datetime) -> bool:
        """Whether tokens that it signed are still believed."""
        return self.retires_at is None or self.retires_at > now

    @property
    def as_jwk(self) -> PublicKey:
        """Its public half, for a JWKS."""
        return PublicKey(kid=self.kid, x=_text(self.public.public_bytes_raw()))


class SigningKeys:
    """The keys of this database.

    Args:
        database: where they are kept.
        seal: what their private halves are sealed with.
        clock: tells when one is old.
    """

    def __init__(self, database: Database, seal: Seal, clock: Clock = system_clock) -> None:
        self._database: Final = database
        self._seal: Final = seal
        self._clock: Final = clock
        self._looks: Final = Bucket(_LOOKS)
        self._known: dict[str, SigningKey] = {}
        self._read_at: datetime | None = None

    async def signing(self) -> tuple[str, Ed25519PrivateKey]:
        """The key to sign with, by name; made where there is none, or none young enough."""
        now = self._clock()
        await self._refresh(now)
        newest = self._newest()
        while newest is None or newest[0].created_at + AGE <= now:
            await self.rotate("heard", only_if_older_than=AGE)
            newest = self._newest()
        return newest[0].kid, newest[1]

    async def checking(self, kid: str) -> Mapping[str, Ed25519PublicKey]:
        """The keys that may have signed, `kid` among them if it is one of ours."""
        now = self._clock()
        await self._refresh(now)
        if kid not in self._known and not self._looks.take(now.timestamp()):
            await self._read()
        return {each.kid: each.public for each in self._known.values() if each.counts(now)}

    async def listed(self) -> list[SigningKey]:
        """Every key that still counts, newest first."""
        await self._read()
        now = self._clock()
        return [each for each in self._known.values() if each.counts(now)]

    async def rotate(self, actor: str, *, only_if_older_than: timedelta | None = None) -> str:
        """Let a new key sign from now on; returns the name of the one that signs.

        Two processes may do this at once: then there are two keys, which does no harm.

        Args:
            actor: who does it, for the audit.
            only_if_older_than: leave a younger one where it is.
        """
        now = self._clock()
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = hashlib.sha256(public).hexdigest()[:16]
        async with self._database.write() as connection:
            newest = await _newest(connection)
            if (
                newest is None
                or only_if_older_than is None
                or newest[1] + only_if_older_than <= now
            ):
                await connection.execute(
                    SIGNING_KEYS.update()
                    .where(SIGNING_KEYS.c.retires_at.is_(None))
                    .values(retires_at=now + OVERLAP, private="")
                )
                await connection.execute(
                    delete(SIGNING_KEYS).where(SIGNING_KEYS.c.retires_at <= now)
                )
                await connection.execute(
                    SIGNING_KEYS.insert().values(
                        tenant=NO_TENANT,
                        kid=kid,
                        public=_text(public),
                        private=self._seal.seal(private.private_bytes_raw()),
                        created_at=now,
                    )
                )
                await audit.record(
                    connection,
                    actor=actor,
                    action="keys.rotated",
                    subject=kid,
                    now=now,
                    before=None if newest is None else newest[0],
                )
                log.info("a new key signs tokens", kid=kid)
            else:
                kid = newest[0]
        await self._read()
        return kid

    async def _refresh(self, now: datetime) -> None:
        if self._read_at is None or not self._read_at <= now < self._read_at + KEPT:
            await self._read()

    async def _read(self) -> None:
        async with self._database.read() as connection:
            query = select(SIGNING_KEYS).order_by(
                SIGNING_KEYS.c.created_at.desc(), SIGNING_KEYS.c.kid.desc()
            )
            rows = (await connection.execute(query)).all()
        self._known = {
            row.kid: SigningKey(
                row.kid,
                Ed25519PublicKey.from_public_bytes(_octets(row.public)),
                row.created_at,
                row.retires_at,
                self._private(row.private) if row.retires_at is None else None,
            )
            for row in rows
        }
        self._read_at = self._clock()

    def _private(self, sealed: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._seal.open(sealed))

    def _newest(self) -> tuple[SigningKey, Ed25519PrivateKey] | None:
        for each in self._known.values():
            if each.private is not None:
                return each, each.private
        return None


async def _newest(connection: AsyncConnection) -> tuple[str, datetime] | None:
    query = (
        select(SIGNING_KEYS.c.kid, SIGNING_KEYS.c.created_at)
        .where(SIGNING_KEYS.c.retires_at.is_(None))
        .order_by(SIGNING_KEYS.c.created_at.desc(), SIGNING_KEYS.c.kid.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else (row.kid, row.created_at)


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
