"""Whether what a token says still stands: its credential, its screen, its person and role."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.access import username_of
from schemas.people import Permission
from services.people import credentials, persons, store
from services.people.permissions import may, screen_role
from services.people.persons import Person
from services.people.store import Device
from services.people.tokens import Grant, TokenRefused


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody whose token was believed."""

    token: str = field(repr=False)
    grant: Grant
    person: Person
    device: Device
    """The screen."""

    def may(self, permission: Permission) -> bool:
        """Tell whether they may do this."""
        return may(self.person.role, permission)


async def look(
    connection: AsyncConnection, grant: Grant, token: str, now: datetime, *, lock: bool = False
) -> Standing:
    """Hold a token that was signed by us against the rows.

    Args:
        connection: a view of the rows; where `lock`, a transaction that writes.
        grant: what the token says.
        token: the token itself.
        now: the time.
        lock: let nobody change the person until the transaction ends.

    Raises:
        TokenRefused: something that it rests on is gone, or another.
    """
    username = username_of(grant.tenant, grant.device, grant.serial)
    credential = await credentials.find(connection, username, now)
    if credential is None or not credential.secret.verify(token):
        raise TokenRefused("its credential does not stand any more")
    home, _, name = grant.subject.partition("/")
    person = await persons.seek(connection, home, name, lock=lock)
    device = await store.seek_device(connection, grant.tenant, grant.device)
    if device is None:
        raise TokenRefused("its screen is gone")
    if person is None or person.disabled_at is not None or person.owner != device.person:
        raise TokenRefused("its person is gone, or may not log in")
    if person.role is not grant.role or screen_role(person.role) is not device.role:
        raise TokenRefused("its person has another role")
    return Standing(token, grant, person, device)
