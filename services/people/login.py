"""How a person opens a screen, keeps it open, and closes it.

Logging in makes a device of the person's own, whose role at the broker follows from theirs,
and a credential whose secret is the token itself: brokers know its hash alone, so nothing
that was not handed out opens anything, however well it is signed. A renewal adds the next
credential; the one before ends in its own time, so that a screen changes over without a
gap. The device ends with the session, and with whatever it rested on.

Whatever dies between two lines of `log_in`: before the broker was told, nothing happened;
after it, and before the commit, the broker has an account whose token nobody was told
(`heard device sync` removes it); after the commit, and before the answer, there is a screen
that nobody uses, which ends with its token, and as a device with its session.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.secret import SecretHash
from schemas.gateway import LogIn, ProblemCode
from schemas.identifiers import new_id
from services.people import credentials, persons, store, tokens
from services.people.accounts import Account, Accounts
from services.people.admission import Admission
from services.people.attempts import Attempts
from services.people.keys import SigningKeys
from services.people.passwords import Passwords, TooBusy
from services.people.permissions import screen_role
from services.people.persons import Person
from services.people.seal import Seal
from services.people.standing import Standing, look
from services.people.store import Device, Unknown
from services.people.sweeping import Sweeper
from services.people.tables import SUSPENSIONS
from services.people.tokens import Grant
from services.people.totp import matching_step
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.gateway import Denied
from services.runtime.moment import Clock, system_clock
from services.runtime.names import SCREEN
from services.runtime.ratelimit import Bucket, Buckets, Rate
from services.runtime.tables import NO_TENANT

log = structlog.get_logger(__name__)

SESSION: Final = timedelta(hours=12)
MOST_SCREENS: Final = 10
"""A person's screens at one time: one more ends the oldest."""
_LOGINS: Final = Rate(per_s=1 / 30, burst=20)
"""How often one person may log in, with the right password: each stands in the audit."""
_RENEWALS: Final = Rate(per_s=1 / 20, burst=5)
_FAILURES_TOLD: Final = Rate(per_s=1 / 10, burst=20)
"""How many failures of one tenant the audit takes: a flood must not fill the database."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what is.

    Raises:
        ValueError: a token would live for longer than a key is kept for checking it.
    """

    token: timedelta = tokens.LIFETIME
    session: timedelta = SESSION

    def __post_init__(self) -> None:
        if not timedelta(seconds=1) <= self.token <= tokens.LONGEST_LIFETIME:
            raise ValueError(f"a token lives from 1 s to {tokens.LONGEST_LIFETIME}")
        if not self.token <= self.session <= timedelta(days=1):
            raise ValueError("a session lives for as long as a token at least, and a day at most")


@dataclass(frozen=True, slots=True)
class Opened:
    """A screen that is open."""

    token: str = field(repr=False)
    expires_at: datetime
    person: Person
    device: Device
    account: Account

    @property
    def ends_at(self) -> datetime:
        """When no renewal helps any more."""
        return self.device.expires_at or self.expires_at


class Screens:
    """Opens, renews and closes the screens of people.

    Args:
        database: where everything is kept.
        accounts: the broker's.
        seal: what the secrets of authenticator apps are kept in.
        keys: sign.
        passwords: checks.
        lifetimes: of tokens and sessions.
        attempts: counts who tries to log in.
        sweeper: clears what devices leave standing.
        clock: the time of what is done.
        monotonic: seconds, for what is counted.
    """

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        seal: Seal,
        *,
        sweeper: Sweeper | None = None,
        keys: SigningKeys | None = None,
        passwords: Passwords | None = None,
        lifetimes: Lifetimes | None = None,
        attempts: Attempts | None = None,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database: Final = database
        self._accounts: Final = accounts
        self._seal: Final = seal
        self.keys: Final = keys or SigningKeys(database, seal, clock)
        self._passwords: Final = passwords or Passwords()
        self._lifetimes: Final = lifetimes or Lifetimes()
        self._attempts: Final = attempts or Attempts()
        self._sweeper: Final = sweeper
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._renewals: Final = Buckets(_RENEWALS)
        self._logins: Final = Buckets(_LOGINS)
        self._refusals_said: Final = Buckets(Rate(per_s=1, burst=20), most=1_000)
        self._failures: Final = Buckets(_FAILURES_TOLD, most=1_000)
        self._failures_in_all: Final = Bucket(Rate(per_s=1, burst=100))

    def admission(self, actor: str) -> Admission:
        """What lets devices in and puts them out, in somebody's name."""
        return Admission(self._database, self._accounts, actor, self._clock, sweeper=self._sweeper)

    async def log_in(self, asked: LogIn, source: str) -> Opened:
        """Open a screen.

        Args:
            asked: who somebody says to be, and how they show it.
            source: the address it comes from.

        Raises:
            Denied: it was not shown, or tried too often.
            ConnectionLost: the broker cannot be reached.
        """
        home = NO_TENANT if asked.operator else asked.tenant
        subject = persons.subject_of(home, asked.person)
        wait = self._attempts.begin(subject, source, self._monotonic())
        if wait:
            raise _too_many(wait)
        person = await self._recognize(asked, home, subject, source)
        self._attempts.succeeded(subject, source)
        wait = self._logins.take(subject, self._monotonic())
        if wait:
            raise _too_many(wait)
        renewed = None
        if self._passwords.outgrown(person.password):
            with suppress(TooBusy):  # the next time will do
                renewed = await self._passwords.hash(asked.password.get_secret_value())
        return await self._open(person, asked.tenant, source, password=renewed)

    async def _recognize(self, asked: LogIn, home: str, subject: str, source: str) -> Person:
        async with self._database.read() as connection:
            person = await persons.seek(connection, home, asked.person)
            there = await store.find_tenant(connection, asked.tenant) is not None
        try:
            right = await self._passwords.verify(
                None if person is None else person.password, asked.password.get_secret_value()
            )
        except TooBusy:
            raise Denied(
                503, ProblemCode.AWAY, "too many log in just now: try again", retry_after_s=1.0
            ) from None
        if person is None or not right or person.disabled_at is not None or not there:
            await self._failed(subject, source, person, right=right, there=there)
            raise _refused()
        if person.totp is not None:
            person = await self._check_code(person, asked, source)
        return person

    async def _check_code(self, person: Person, asked: LogIn, source: str) -> Person:
        """Tell whether the code is right; counting it is part of what opens the screen."""
        if asked.code is None:
            raise Denied(401, ProblemCode.CODE_NEEDED, "a code of the authenticator app is needed")
        wait = self._attempts.try_code(person.subject, source, self._monotonic())
        if wait:
            raise _too_many(wait)
        secret = self._seal.open(person.totp or "").decode()
        code = asked.code.get_secret_value()
        step = matching_step(secret, code, self._clock(), person.totp_last)
        if step is None:
            await self._failed(person.subject, source, person, code=False)
            raise _refused()
        return replace(person, totp_last=step)

    async def _failed(self, subject: str, source: str, person: Person | None, **what: bool) -> None:
        """Say it: to the log always, to the audit as far as a flood allows."""
        log.warning(
            "login refused",
            person=subject,
            address=source,
            known=person is not None,
            disabled=person is not None and person.disabled_at is not None,
            **what,
        )
        now = self._monotonic()
        tenant = subject.partition("/")[0] if person is not None else NO_TENANT
        if self._failures.take(tenant, now) or self._failures_in_all.take(now):
            return
        async with self._database.write() as connection:
            await audit.record(
                connection,
                tenant=tenant,
                actor=f"address:{source}",
                action="login.refused",
                subject=subject,
                now=self._clock(),
            )

    async def _open(
        self, person: Person, tenant: str, source: str, *, password: str | None
    ) -> Opened:
        kid, key = await self.keys.signing()
        admission = self.admission(person.actor)
        now = self._clock()
        async with self._database.write() as connection:
            await self._still_so(connection, person)
            if password is not None:
                await persons.change(connection, person, password=password)
            await self._make_room(connection, admission, person)
            device = Device(
                tenant,
                await _free_name(connection, tenant),
                screen_role(person.role),
                None,
                now,
                now + self._lifetimes.session,
                person.owner,
            )
            grant = self._grant(person, device, serial=1, now=now)
            account = Account(device.identity, tokens.sign(grant, kid, key))
            await credentials.place(connection, device, SecretHash.of(account.secret), now)
            await credentials.end(connection, tenant, device.device, before=2, at=grant.expires_at)
            await admission.note(
                connection, person.tenant, "login.succeeded", person.subject, now,
                screen=device.shown, role=person.role.value, address=source,
            )  # fmt: skip
            if person.tenant != tenant:
                await admission.note(
                    connection, tenant, "screen.opened", device.shown, now,
                    person=person.subject, address=source,
                )  # fmt: skip
            await self._accounts.admit([account], anew=False)
        log.info("login", person=person.subject, screen=device.shown, address=source)
        return Opened(account.secret, grant.expires_at, person, device, account)

    async def _still_so(self, connection: AsyncConnection, person: Person) -> None:
        """Hold the person's row, and see that nothing changed since it was looked at."""
        current = await persons.seek(connection, person.tenant, person.person, lock=True)
        if (
            current is None
            or replace(current, totp_last=None) != replace(person, totp_last=None)
            or (
                person.totp is not None
                and person.totp_last is not None
                and not await persons.use_code(connection, person, person.totp_last)
            )
        ):
            raise _refused()

    async def _make_room(
        self, connection: AsyncConnection, admission: Admission, person: Person
    ) -> None:
        standing = await persons.screens(connection, person)
        too_many = standing[: max(0, len(standing) - MOST_SCREENS + 1)]
        if too_many:
            await admission.dismiss(connection, too_many, action="screen.ended")

    def _grant(self, person: Person, device: Device, *, serial: int, now: datetime) -> Grant:
        ends = now + self._lifetimes.token
        if device.expires_at is not None:
            ends = min(ends, device.expires_at)
        return Grant(
            subject=person.subject,
            tenant=device.tenant,
            role=person.role,
            device=device.device,
            serial=serial,
            token_id=str(new_id()),
            issued_at=now,
            # Whole seconds, as the token has it: the credential must not outlive it.
            expires_at=ends.replace(microsecond=0),
        )

    async def authenticate(self, token: str | None, source: str) -> Standing:
        """Believe a token: its signature, its times, and that all it rests on still stands.

        Raises:
            Denied: it will not do.
        """
        if token is None:
            raise Denied(401, ProblemCode.UNAUTHENTICATED, "log in: no token was shown")
        now = self._clock()
        try:
            keys = await self.keys.checking(tokens.kid_of(token))
            grant = tokens.verify(token, keys, now)
            async with self._database.read() as connection:
                return await look(connection, grant, token, now)
        except tokens.TokenRefused as refused:
            if not self._refusals_said.take(source, self._monotonic()):
                log.warning("token refused", why=str(refused), address=source)
            raise _no_token(expired=refused.expired) from None

    async def renew(self, standing: Standing) -> Opened:
        """Give a screen its next token; the one it has counts until its own time is up.

        Raises:
            Denied: too often, or the session is over.
            ConnectionLost: the broker cannot be reached.
        """
        person, device = standing.person, standing.device
        wait = self._renewals.take(device.shown, self._monotonic())
        if wait:
            raise _too_many(wait)
        kid, key = await self.keys.signing()
        now = self._clock()
        async with self._database.write() as connection:
            try:
                await look(connection, standing.grant, standing.token, now, lock=True)
            except tokens.TokenRefused:  # it ended in this very moment
                raise _no_token(expired=False) from None
            await self._not_put_out(connection, device, now)
            held = await credentials.of_device(connection, device.tenant, device.device)
            serial = 1 + max(each.serial for each in held)
            grant = self._grant(person, device, serial=serial, now=now)
            if device.expires_at is not None and (
                standing.grant.expires_at >= device.expires_at.replace(microsecond=0)
            ):
                raise _no_token(expired=True)  # the session is over, and another token no help
            token = tokens.sign(grant, kid, key)
            try:
                account = await self.admission(person.actor).add_secret(
                    connection, device, token, old_ends_at=None, expires_at=grant.expires_at
                )
            except Unknown:  # it was closed in this very moment
                raise _no_token(expired=False) from None
        return Opened(token, grant.expires_at, person, device, account)

    async def _not_put_out(
        self, connection: AsyncConnection, device: Device, now: datetime
    ) -> None:
        """See that a screen was not put out for a while: a new account would let it in."""
        query = select(SUSPENSIONS.c.ends_at).where(
            SUSPENSIONS.c.tenant == device.tenant,
            SUSPENSIONS.c.device == device.device,
            SUSPENSIONS.c.ends_at > now,
        )
        ends_at = await connection.scalar(query)
        if ends_at is not None:
            raise _too_many((ends_at - now).total_seconds())

    async def log_out(self, standing: Standing) -> None:
        """Close a screen, at once.

        Raises:
            ConnectionLost: the broker cannot be reached.
        """
        admission = self.admission(standing.person.actor)
        async with self._database.write() as connection:
            device = await store.seek_device(
                connection, standing.device.tenant, standing.device.device
            )
            if device is None:  # somebody else was quicker
                return
            await admission.dismiss(connection, [device], action="logout")
        log.info("logout", person=standing.person.subject, screen=device.shown)

    def close(self) -> None:
        """End the threads that check passwords."""
        self._passwords.close()


async def _free_name(connection: AsyncConnection, tenant: str) -> str:
    while True:
        name = f"{SCREEN}{secrets.token_hex(4)}"
        if await store.seek_device(connection, tenant, name) is None:
            return name


def _refused() -> Denied:
    return Denied(401, ProblemCode.LOGIN_REFUSED, "name, password or code is wrong")


def _too_many(wait: float) -> Denied:
    return Denied(
        429, ProblemCode.RATE_LIMITED, "too many attempts: wait", retry_after_s=min(wait, 3_600.0)
    )


def _no_token(*, expired: bool) -> Denied:
    if expired:
        return Denied(401, ProblemCode.TOKEN_EXPIRED, "the token's time is up: log in")
    return Denied(401, ProblemCode.UNAUTHENTICATED, "the token will not do: log in")
