"""The rows of people: staff of a restaurant, and operators, who belong to none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, RowMapping, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.people import PersonRole
from services.people import store
from services.people.store import Device, Taken, Unknown
from services.people.tables import PEOPLE
from services.runtime.house_rules import no_such_house
from services.runtime.tables import NO_TENANT

LONGEST_NAME: Final = 60
"""So that an operator's name with its prefix stands where a device's person does."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logs in."""

    tenant: str
    """`NO_TENANT` for an operator."""
    person: str
    name: str
    role: PersonRole
    password: str = field(repr=False)
    """The hash."""
    totp: str | None = field(repr=False)
    """Sealed; None where no code is asked for."""
    totp_last: int | None
    created_at: datetime
    disabled_at: datetime | None

    @property
    def subject(self) -> str:
        """The name that is theirs alone: ``roma/ada``, ``-/ada`` for an operator."""
        return subject_of(self.tenant, self.person)

    @property
    def actor(self) -> str:
        """Who they are to the audit."""
        return f"person:{self.subject}"

    @property
    def owner(self) -> str:
        """What stands in the rows of their screens."""
        return self.subject if self.tenant == NO_TENANT else self.person


def subject_of(tenant: str, person: str) -> str:
    """Name a person among all people."""
    return f"{tenant}/{person}"


async def add(connection: AsyncConnection, person: Person) -> None:
    """Add a person.

    Raises:
        Unknown: there is no such tenant.
        Taken: there is one of that name, or the role is of another kind of person.
    """
    if (person.role is PersonRole.OPERATOR) != (person.tenant == NO_TENANT):
        raise Taken("operators belong to no restaurant, and everybody else to one")
    if len(person.person) > LONGEST_NAME:
        raise Taken(f"the name of a person has at most {LONGEST_NAME} characters")
    if person.tenant != NO_TENANT and await store.find_tenant(connection, person.tenant) is None:
        raise Unknown(no_such_house(person.tenant))
    if await seek(connection, person.tenant, person.person) is not None:
        raise Taken(f"there is a person {person.subject} already")
    await connection.execute(
        PEOPLE.insert().values(
            tenant=person.tenant,
            person=person.person,
            name=person.name,
            role=person.role.value,
            password=person.password,
            totp=person.totp,
            totp_last=person.totp_last,
            created_at=person.created_at,
            disabled_at=person.disabled_at,
        )
    )


async def seek(
    connection: AsyncConnection, tenant: str, person: str, *, lock: bool = False
) -> Person | None:
    """One person, or None.

    Args:
        connection: a view of the rows.
        tenant: `NO_TENANT` for an operator.
        person: the name.
        lock: in a transaction that writes: let nobody change the row until it ends.
    """
    query = select(PEOPLE).where(_just(tenant, person))
    if lock:
        query = query.with_for_update()  # SQLite has one writer anyhow, and ignores it
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _person(row)


async def find(
    connection: AsyncConnection, tenant: str, person: str, *, lock: bool = False
) -> Person:
    """One person; see `seek`.

    Raises:
        Unknown: there is none.
    """
    found = await seek(connection, tenant, person, lock=lock)
    if found is None:
        if tenant != NO_TENANT and await store.find_tenant(connection, tenant) is None:
            raise Unknown(no_such_house(tenant))
        raise Unknown(f"there is no person {subject_of(tenant, person)}")
    return found


async def people(connection: AsyncConnection, tenant: str | None = None) -> list[Person]:
    """Everybody, or the people of one tenant, by name."""
    query = select(PEOPLE).order_by(PEOPLE.c.tenant, PEOPLE.c.person)
    if tenant is not None:
        query = query.where(PEOPLE.c.tenant == tenant)
    return [_person(row) for row in (await connection.execute(query)).mappings()]


async def change(
    connection: AsyncConnection, person: Person, **values: str | int | datetime | None
) -> None:
    """Write columns of a person anew."""
    await connection.execute(
        PEOPLE.update().where(_just(person.tenant, person.person)).values(**values)
    )


async def remove(connection: AsyncConnection, person: Person) -> None:
    """Forget a person; their screens are another matter."""
    await connection.execute(delete(PEOPLE).where(_just(person.tenant, person.person)))


async def use_code(connection: AsyncConnection, person: Person, step: int) -> bool:
    """Count a code of this time step; False where it, or a later one, has counted already."""
    fresh = PEOPLE.c.totp_last.is_(None) | (PEOPLE.c.totp_last < step)
    used = await connection.execute(
        PEOPLE.update().where(_just(person.tenant, person.person), fresh).values(totp_last=step)
    )
    return used.rowcount == 1


async def screens(connection: AsyncConnection, person: Person) -> list[Device]:
    """The screens of a person, oldest first; an operator's may stand in any restaurant."""
    home = None if person.tenant == NO_TENANT else person.tenant
    return await store.screens(connection, person.owner, home)


def _person(row: RowMapping) -> Person:
    values = {str(name): value for name, value in row.items()}
    return Person(**{**values, "role": PersonRole(row["role"])})


def _just(tenant: str, person: str) -> ColumnElement[bool]:
    return (PEOPLE.c.tenant == tenant) & (PEOPLE.c.person == person)
