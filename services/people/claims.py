"""Claim codes: how a device gets its credentials on its first day.

An operator invites a device by name and role, and reads out, types or shows a short code.
The device makes a secret of its own, keeps it, and gives code and secret to the gateway:
so the secret is on no screen, in no file of ours, and a lost answer costs nothing, for the
same code with the same secret gets the same answer. With another secret it is refused.

A code has 40 random bits, lives for minutes and opens once. What is kept of it is a digest
under the seal's key: whoever copies the database cannot try the few codes there are.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import RowMapping, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import Role
from services.people import credentials, store
from services.people.accounts import Account
from services.people.admission import Admission
from services.people.seal import Seal
from services.people.store import Device, Taken
from services.people.tables import CLAIMS
from services.runtime.house_rules import no_such_house

log = structlog.get_logger(__name__)

LIFE: Final = timedelta(minutes=15)
LONGEST_LIFE: Final = timedelta(days=1)
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read as a digit, nor U, which makes words."""
_LENGTH: Final = 8
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43,128}", re.ASCII)
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class ClaimRefused(Exception):
    """A code opens nothing; the message is for whoever tried it.

    It is the same whether the code was never there, has expired or was used: a stranger
    learns nothing by trying.
    """


class SecretTooWeak(ValueError):
    """A device's own secret is not 256 random bits; the message says what is wanted."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A device that is expected."""

    tenant: str
    device: str
    role: Role
    station: str | None
    expires_at: datetime


def new_code() -> str:
    """Make a code, as ``7KQ4-M2XD``."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return f"{text[:4]}-{text[4:]}"


def normal(code: str) -> str | None:
    """Read a code as people type it: in any case, with or without the hyphen, O for 0.

    Returns:
        None where it is none.
    """
    text = code[:32].upper().translate(_READ_AS)
    return text if len(text) == _LENGTH and set(text) <= set(_ALPHABET) else None


def check_secret(secret: str) -> None:
    """Make sure that a device's secret is what `broker_config.secret.new_secret` makes.

    Raises:
        SecretTooWeak: it is too short, of other characters, or plainly not random.
    """
    if _SECRET.fullmatch(secret) is None or len(set(secret)) < 16:
        raise SecretTooWeak(
            "the secret must be 32 random bytes or more in base64url (43 to 128 characters)"
        )


class Claims:
    """Invites devices, and lets those in that know their code.

    Args:
        admission: lets devices in, in the name of whoever invites.
        seal: under whose key codes are kept.
    """

    def __init__(self, admission: Admission, seal: Seal) -> None:
        self._admission: Final = admission
        self._seal: Final = seal

    async def invite(
        self,
        tenant: str,
        device: str,
        role: Role,
        *,
        station: str | None = None,
        life: timedelta = LIFE,
        replace: bool = False,
    ) -> tuple[Invitation, str]:
        """Expect a device; returns the code too, which is told this once.

        An earlier invitation of the same name no longer opens.

        Raises:
            Taken: there is a device of that name already, and it is not to be replaced.
            Unknown: there is no such tenant.
        """
        now = self._admission.clock()
        code = new_code()
        invitation = Invitation(tenant, device, role, station, now + min(life, LONGEST_LIFE))
        async with self._admission.database.write() as connection:
            await self._must_be_free(connection, tenant, device, replace=replace)
            await _remove(connection, tenant, device)
            await connection.execute(
                CLAIMS.insert().values(
                    tenant=tenant,
                    device=device,
                    code=self._mark(normal(code) or ""),
                    role=role.value,
                    station=station,
                    created_at=now,
                    expires_at=invitation.expires_at,
                )
            )
            await self._admission.note(
                connection, tenant, "device.invited", f"{tenant}/{device}", now,
                role=role.value, station=station, replace=replace or None,
            )  # fmt: skip
        return invitation, code

    async def _must_be_free(
        self, connection: AsyncConnection, tenant: str, device: str, *, replace: bool
    ) -> None:
        if await store.find_tenant(connection, tenant) is None:
            raise store.Unknown(no_such_house(tenant))
        if not replace and await store.seek_device(connection, tenant, device) is not None:
            raise Taken(
                f"{tenant} has a device {device} already: replace it by name (--replace), or "
                "choose another"
            )

    async def withdraw(self, tenant: str, device: str) -> bool:
        """Expect a device no longer; tells whether it was expected."""
        async with self._admission.database.write() as connection:
            removed = await _remove(connection, tenant, device)
            if removed:
                await self._admission.note(
                    connection, tenant, "device.uninvited", f"{tenant}/{device}",
                    self._admission.clock(),
                )  # fmt: skip
        return removed

    async def claim(self, code: str, secret: str, source: str) -> Account:
        """Let in the device that knows a code, by a secret of its own.

        Args:
            code: as it was typed.
            secret: 256 random bits that the device made and keeps.
            source: the address it came from, for the audit.

        Raises:
            ClaimRefused: the code opens nothing.
            SecretTooWeak: the secret would not do.
            ConnectionLost: the broker cannot be reached; the code is still good.
        """
        check_secret(secret)
        text = normal(code)
        if text is None:
            raise _refused()
        now = self._admission.clock()
        mark = self._mark(text)
        async with self._admission.database.write() as connection:
            query = select(CLAIMS).where(CLAIMS.c.code == mark).with_for_update()
            row = (await connection.execute(query)).mappings().first()
            if row is None or row["expires_at"] <= now:
                raise _refused()
            if row["used_at"] is not None:
                return await self._again(connection, row, secret, now)
            device = Device(row["tenant"], row["device"], Role(row["role"]), row["station"], now)
            account = Account(device.identity, secret)
            await self._dismiss_older(connection, device)
            await self._admission.place(
                connection, [(device, account)], action="device.claimed", source=source
            )
            await connection.execute(
                CLAIMS.update().where(CLAIMS.c.code == mark).values(used_at=now)
            )
            await self._admission.accounts.admit([account], anew=True)
        log.info("a device claimed its place", tenant=device.tenant, device=device.device)
        return account

    async def _dismiss_older(self, connection: AsyncConnection, device: Device) -> None:
        older = await store.seek_device(connection, device.tenant, device.device)
        if older is not None:
            await self._admission.dismiss(connection, [older], action="device.replaced")

    async def _again(
        self, connection: AsyncConnection, row: RowMapping, secret: str, now: datetime
    ) -> Account:
        """Answer whoever claimed the device already, and nobody else."""
        account = Account(
            Device(row["tenant"], row["device"], Role(row["role"]), row["station"], now).identity,
            secret,
        )
        stored = await credentials.find(connection, account.username, now)
        if stored is None or not stored.secret.verify(secret):
            raise _refused()
        return account

    async def open_(self, tenant: str) -> list[Invitation]:
        """The devices that are expected now."""
        now = self._admission.clock()
        query = select(CLAIMS).where(
            CLAIMS.c.tenant == tenant, CLAIMS.c.used_at.is_(None), CLAIMS.c.expires_at > now
        )
        async with self._admission.database.read() as connection:
            rows = (await connection.execute(query.order_by(CLAIMS.c.device))).mappings().all()
        return [
            Invitation(
                row["tenant"], row["device"], Role(row["role"]), row["station"], row["expires_at"]
            )
            for row in rows
        ]

    def _mark(self, code: str) -> str:
        return self._seal.mark("claim codes", code)


async def forget_old(connection: AsyncConnection, now: datetime) -> None:
    """Forget the invitations whose time is up: none of them opens anything."""
    await connection.execute(delete(CLAIMS).where(CLAIMS.c.expires_at <= now))


async def _remove(connection: AsyncConnection, tenant: str, device: str) -> bool:
    wanted = (CLAIMS.c.tenant == tenant) & (CLAIMS.c.device == device)
    return (await connection.execute(delete(CLAIMS).where(wanted))).rowcount > 0


def _refused() -> ClaimRefused:
    return ClaimRefused("this code opens nothing: it is wrong, was used, or its time is up")
