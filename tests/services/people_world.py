"""People of two restaurants and an operator, with clocks that a test owns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from argon2 import PasswordHasher
from pydantic import SecretStr

from broker_config.access import Identity
from schemas.gateway import LogIn
from schemas.people import PersonRole
from services.people import store
from services.people.accounts import Account
from services.people.admission import Admission
from services.people.login import Opened, Screens
from services.people.passwords import Passwords
from services.people.seal import Seal
from services.people.staffing import Staffing
from services.people.store import Tenant
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.tables import NO_TENANT

NOW: Final = datetime(2026, 3, 14, 12, 0, 0, 250_000, tzinfo=UTC)
PASSWORD: Final = "quiet lemon staircase"


class BookedAccounts:
    """A broker's accounts as a book: what was let in, and what was ended."""

    def __init__(self) -> None:
        self.standing: dict[str, str] = {}
        self.away: Exception | None = None

    async def admit(self, accounts: Sequence[Account], *, anew: bool) -> None:
        assert not anew, "a screen's name is always fresh"
        self._check()
        self.standing |= {each.username: each.secret for each in accounts}

    async def withdraw(self, usernames: Iterable[str]) -> None:
        self._check()
        for each in usernames:
            self.standing.pop(each, None)

    async def dismiss(self, devices: Iterable[tuple[Identity, Sequence[int]]]) -> None:
        self._check()
        for identity, serials in devices:
            for serial in serials:
                self.standing.pop(identity.username(serial), None)

    async def change_rights(self, identity: Identity, serials: Sequence[int]) -> None:
        raise AssertionError(f"{identity} {serials}: nobody changes the rights of a screen")

    def _check(self) -> None:
        if self.away is not None:
            raise self.away


class QuickHasher(PasswordHasher):
    """argon2id with almost no work, that counts what it verifies."""

    __slots__ = ("verified",)

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override] # noqa: A002 - argon2's own name
        self.verified += 1
        return super().verify(hash, password)


class World:
    """Everything that logging in needs, but a broker.

    Args:
        database: at the newest version.
        screens: what `Screens` takes by name.
    """

    def __init__(self, database: Database, **screens: Any) -> None:
        self.now = NOW
        self.seconds = 1_000.0
        self.database: Final = database
        self.accounts: Final = BookedAccounts()
        self.seal: Final = Seal("a seal of a test, with 256 bits if it were a real one")
        self.hasher: Final = QuickHasher()
        self.passwords: Final = Passwords(self.hasher)
        self.screens: Final = self.another(**screens)
        admission = Admission(database, self.accounts, "cli:test", lambda: self.now)
        self.staffing: Final = Staffing(admission, self.passwords, self.seal)

    def another(self, **options: Any) -> Screens:
        """Another process on the same database."""
        return Screens(
            self.database,
            self.accounts,
            self.seal,
            passwords=self.passwords,
            clock=lambda: self.now,
            monotonic=lambda: self.seconds,
            **options,
        )

    async def peopled(self) -> World:
        """Two restaurants, each with an ada; bob cooks in roma, olga operates."""
        async with self.database.write() as connection:
            for tenant in ("napoli", "roma"):
                await store.add_tenant(connection, Tenant(tenant, tenant.title(), "EUR", NOW))
        for tenant, person, role in (
            ("napoli", "ada", PersonRole.MANAGER),
            ("roma", "ada", PersonRole.MANAGER),
            ("roma", "bob", PersonRole.COOK),
            (NO_TENANT, "olga", PersonRole.OPERATOR),
        ):
            await self.staffing.add(tenant, person, person.title() * 3, role, PASSWORD)
        return self

    def later(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()

    async def log_in(
        self,
        person: str = "ada",
        tenant: str = "roma",
        *,
        password: str = PASSWORD,
        code: str | None = None,
        operator: bool = False,
        source: str = "192.0.2.1",
    ) -> Opened:
        """Log in."""
        asked = LogIn(
            tenant=tenant,
            person=person,
            password=SecretStr(password),
            code=None if code is None else SecretStr(code),
            operator=operator,
        )
        return await self.screens.log_in(asked, source)

    async def told(self, tenant: str = "roma") -> list[str]:
        """What the audit says was done, in order."""
        async with self.database.read() as connection:
            return [each.action for each in await audit.entries(connection, tenant)]
