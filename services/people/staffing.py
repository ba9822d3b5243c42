"""How people come, change and leave. What they had open ends with what it rested on.

Each step is one transaction: the row, its screens, the audit. The broker is told inside it,
as for every device (`services.people.admission`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.people import PersonRole
from services.people import persons
from services.people.admission import Admission
from services.people.password_rules import check_password
from services.people.passwords import Passwords
from services.people.persons import Person
from services.people.seal import Seal
from services.people.store import Taken
from services.people.totp import new_totp_secret
from services.runtime.tables import NO_TENANT


class Staffing:
    """Looks after people, for one actor.

    Args:
        admission: puts their screens out, in the actor's name.
        passwords: hashes.
        seal: what the secrets of authenticator apps are kept in.

    Raises, each of its methods:
        Unknown: there is no such tenant or person.
        ConnectionLost: the broker cannot be reached; nothing was changed.
    """

    def __init__(self, admission: Admission, passwords: Passwords, seal: Seal) -> None:
        self._admission: Final = admission
        self._passwords: Final = passwords
        self._seal: Final = seal

    async def add(
        self, tenant: str, person: str, name: str, role: PersonRole, password: str
    ) -> Person:
        """Let a person log in.

        Raises:
            Taken: there is one of that name.
            WeakPassword: the password will not do.
        """
        check_password(password, person, name, tenant)
        stored = await self._passwords.hash(password)
        now = self._admission.clock()
        new = Person(tenant, person, name, role, stored, None, None, now, None)
        async with self._admission.database.write() as connection:
            await persons.add(connection, new)
            await self._note(connection, new, "person.added", now, role=role.value)
        return new

    async def set_password(self, tenant: str, person: str, password: str) -> None:
        """Give a person another password.

        Raises:
            WeakPassword: it will not do.
        """
        check_password(password, person, tenant)
        stored = await self._passwords.hash(password)
        async with self._changing(tenant, person, "person.password-changed") as (connection, found):
            check_password(password, found.name)
            await persons.change(connection, found, password=stored)

    async def change_role(self, tenant: str, person: str, role: PersonRole) -> None:
        """Give a person another role.

        Raises:
            Taken: operators stay operators, and nobody becomes one.
        """
        if (role is PersonRole.OPERATOR) != (tenant == NO_TENANT):
            raise Taken("operators belong to no restaurant, and everybody else to one")
        async with self._changing(tenant, person, "person.role-changed", role=role.value) as (
            connection,
            found,
        ):
            await persons.change(connection, found, role=role.value)

    async def disable(self, tenant: str, person: str) -> None:
        """Let a person log in no more, for now."""
        async with self._changing(tenant, person, "person.disabled") as (connection, found):
            await persons.change(connection, found, disabled_at=self._admission.clock())

    async def enable(self, tenant: str, person: str) -> None:
        """Let a person log in again."""
        async with self._changing(tenant, person, "person.enabled") as (connection, found):
            await persons.change(connection, found, disabled_at=None)

    async def remove(self, tenant: str, person: str) -> None:
        """Forget a person; what they did stays in the audit."""
        async with self._changing(tenant, person, "person.removed") as (connection, found):
            await persons.remove(connection, found)

    async def ask_for_code(self, tenant: str, person: str) -> str:
        """Ask a person for codes of an app from now on; returns the secret for it, this once."""
        secret = new_totp_secret()
        sealed = self._seal.seal(secret.encode())
        async with self._changing(tenant, person, "person.code-set") as (connection, found):
            await persons.change(connection, found, totp=sealed, totp_last=None)
        return secret

    async def ask_for_no_code(self, tenant: str, person: str) -> None:
        """Ask for no codes any more, as when the app was lost."""
        async with self._changing(tenant, person, "person.code-removed") as (connection, found):
            await persons.change(connection, found, totp=None, totp_last=None)

    @asynccontextmanager
    async def _changing(
        self, tenant: str, person: str, action: str, **details: str
    ) -> AsyncIterator[tuple[AsyncConnection, Person]]:
        """A transaction that changes a person, and ends all that rested on what they were."""
        async with self._admission.database.write() as connection:
            found = await persons.find(connection, tenant, person, lock=True)
            yield connection, found
            ended = await persons.screens(connection, found)
            now = self._admission.clock()
            await self._note(connection, found, action, now, screens=len(ended), **details)
            await self._admission.dismiss(connection, ended, action="screen.ended")

    async def _note(
        self,
        connection: AsyncConnection,
        person: Person,
        action: str,
        now: datetime,
        **details: str | int,
    ) -> None:
        await self._admission.note(
            connection, person.tenant, action, person.subject, now, **details
        )
