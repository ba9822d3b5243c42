"""Claim codes: one device for each, whatever gets lost and whoever else tries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.access import Identity
from broker_config.secret import new_secret
from schemas.devices import Role
from services.people import claims, credentials, store
from services.people.accounts import Account, EmbeddedAccounts
from services.people.admission import Admission
from services.people.claims import (
    ClaimRefused,
    Claims,
    SecretTooWeak,
    check_secret,
    new_code,
    normal,
)
from services.people.seal import Seal
from services.people.store import Device, Taken, Tenant, Unknown
from services.people.tables import CLAIMS
from services.runtime import audit
from services.runtime.bus import ConnectionLost
from services.runtime.database import Database
from tests.services.rows import all_rows

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SEAL = Seal("k" * 43)
GOOD = "bZ0wq3TtQmVhK7xL2sYfR9uPnJc4EdAg5i8oW1v6N_X"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Away(EmbeddedAccounts):
    """A broker that is away."""

    async def admit(self, *_told: object, **_named: object) -> None:
        raise ConnectionLost("the broker is away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def office(database: Database, clock: Clock) -> Claims:
    async with database.write() as connection:
        await store.add_tenant(connection, Tenant("roma", "Roma", "EUR", NOW))
    return Claims(Admission(database, EmbeddedAccounts(), "test", clock), SEAL)


async def _devices(database: Database) -> list[str]:
    async with database.read() as connection:
        return [each.device for each in await store.devices(connection, "roma")]


async def _opens(database: Database, account: Account) -> bool:
    async with database.read() as connection:
        found = await credentials.find(connection, account.username, NOW)
    return found is not None and found.secret.verify(account.secret)


async def test_a_device_comes_in_by_its_code_and_its_own_secret(
    office: Claims, database: Database
) -> None:
    invitation, code = await office.invite("roma", "grill-1", Role.KITCHEN_DISPLAY, station="grill")
    assert invitation.expires_at == NOW + timedelta(minutes=15)
    assert [each.device for each in await office.open_("roma")] == ["grill-1"]
    account = await office.claim(code.lower().replace("-", " "), new_secret(), "10.0.0.9")
    assert account.identity.role is Role.KITCHEN_DISPLAY
    assert await _opens(database, account)
    assert await office.open_("roma") == []
    async with database.read() as connection:
        told = await audit.entries(connection, "roma")
    assert [each.action for each in told] == ["device.invited", "device.claimed"]
    assert told[1].details["source"] == "10.0.0.9"


async def test_a_lost_answer_costs_nothing_and_a_second_device_gets_none(
    office: Claims, database: Database
) -> None:
    _, code = await office.invite("roma", "pos-1", Role.POS)
    secret = new_secret()
    first = await office.claim(code, secret, "a")
    assert await office.claim(code, secret, "a") == first
    with pytest.raises(ClaimRefused):
        await office.claim(code, new_secret(), "b")
    assert await _opens(database, first)
    assert await _devices(database) == ["pos-1"]


async def test_of_many_who_know_a_code_one_becomes_the_device(
    office: Claims, database: Database
) -> None:
    _, code = await office.invite("roma", "pos-1", Role.POS)
    tried = await asyncio.gather(
        *(office.claim(code, new_secret(), f"10.0.0.{n}") for n in range(8)),
        return_exceptions=True,
    )
    came_in = [each for each in tried if isinstance(each, Account)]
    assert len(came_in) == 1
    assert all(isinstance(each, Account | ClaimRefused) for each in tried)
    assert await _opens(database, came_in[0])


async def test_a_code_opens_nothing_once_its_time_is_up(
    office: Claims, database: Database, clock: Clock
) -> None:
    _, code = await office.invite("roma", "pos-1", Role.POS, life=timedelta(minutes=5))
    clock.now = NOW + timedelta(minutes=5)
    with pytest.raises(ClaimRefused):
        await office.claim(code, new_secret(), "a")
    assert await _devices(database) == []
    async with database.write() as connection:
        await claims.forget_old(connection, clock.now)
    assert await all_rows(database, CLAIMS) == []


async def test_a_newer_invitation_ends_the_older_and_so_does_withdrawing(office: Claims) -> None:
    _, first = await office.invite("roma", "pos-1", Role.POS)
    _, second = await office.invite("roma", "pos-1", Role.POS)
    with pytest.raises(ClaimRefused):
        await office.claim(first, new_secret(), "a")
    assert await office.withdraw("roma", "pos-1")
    assert not await office.withdraw("roma", "pos-1")
    with pytest.raises(ClaimRefused):
        await office.claim(second, new_secret(), "a")


async def test_a_device_is_replaced_only_by_name(office: Claims, database: Database) -> None:
    _, code = await office.invite("roma", "pos-1", Role.POS)
    old = await office.claim(code, new_secret(), "a")
    with pytest.raises(Taken, match="--replace"):
        await office.invite("roma", "pos-1", Role.POS)
    _, code = await office.invite("roma", "pos-1", Role.MANAGER, replace=True)
    assert await _opens(database, old), "until the new one is there, the old one works"
    new = await office.claim(code, new_secret(), "a")
    assert await _opens(database, new)
    assert not await _opens(database, old)


async def test_while_the_broker_is_away_a_code_stays_good(
    database: Database, office: Claims, clock: Clock
) -> None:
    _, code = await office.invite("roma", "pos-1", Role.POS)
    away = Claims(Admission(database, Away(), "test", clock), SEAL)
    secret = new_secret()
    with pytest.raises(ConnectionLost):
        await away.claim(code, secret, "a")
    assert await _devices(database) == []
    assert await _opens(database, await office.claim(code, secret, "a"))


async def test_nobody_is_invited_to_a_tenant_that_is_not_there(office: Claims) -> None:
    with pytest.raises(Unknown, match="no tenant milano: heard tenant list"):
        await office.invite("milano", "pos-1", Role.POS)


async def test_what_is_kept_of_a_code_is_no_way_back_to_it(
    office: Claims, database: Database
) -> None:
    _, code = await office.invite("roma", "pos-1", Role.POS)
    (row,) = await all_rows(database, CLAIMS)
    assert code.replace("-", "") not in str(row)
    other = Claims(
        Admission(database, EmbeddedAccounts(), "test", lambda: NOW), Seal("another key" * 5)
    )
    with pytest.raises(ClaimRefused):
        await other.claim(code, new_secret(), "a")


@pytest.mark.parametrize("bad", ["", "short", "a" * 43, GOOD[:42], GOOD + "!"])
def test_a_secret_that_is_not_random_enough_is_refused(bad: str) -> None:
    with pytest.raises(SecretTooWeak):
        check_secret(bad)


@given(st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=8, max_size=8), st.data())
def test_a_code_is_read_as_people_type_it(letters: str, data: st.DataObject) -> None:
    code = f"{letters[:4]}-{letters[4:]}"
    typed = "".join(
        data.draw(st.sampled_from({"0": "0Oo", "1": "1IiLl"}.get(each, each + each.lower())))
        for each in code
        if each != "-" or data.draw(st.booleans())
    )
    assert normal(f" {typed} ") == code.replace("-", "")


def test_a_new_code_is_a_code() -> None:
    codes = {new_code() for _ in range(1_000)}
    assert len(codes) == 1_000
    assert all(normal(each) == each.replace("-", "") for each in codes)


@given(st.text(max_size=40))
def test_what_is_no_code_is_known_for_none(text: str) -> None:
    read = normal(text)
    assert read is None or (len(read) == 8 and normal(read) == read)


async def test_an_account_that_is_given_another_secret_keeps_the_old_for_a_while(
    database: Database, office: Claims, clock: Clock
) -> None:
    _, code = await office.invite("roma", "pos-1", Role.POS)
    first = await office.claim(code, new_secret(), "a")
    admission = Admission(database, EmbeddedAccounts(), "test", clock)
    second = await admission.rotate("roma", "pos-1", overlap=timedelta(hours=2))
    assert second.username == "roma:pos-1:2"
    assert await _opens(database, first)
    clock.now = NOW + timedelta(hours=2)
    await admission.end_expired()
    async with database.read() as connection:
        left = await credentials.of_device(connection, "roma", "pos-1")
    assert [each.serial for each in left] == [2]
    third = await admission.rotate("roma", "pos-1", overlap=timedelta(0))
    assert not await _opens(database, second)
    assert await _opens(database, third)


async def test_a_device_that_changes_its_role_keeps_its_secret(
    database: Database, office: Claims, clock: Clock
) -> None:
    _, code = await office.invite("roma", "tablet", Role.POS)
    account = await office.claim(code, new_secret(), "a")
    admission = Admission(database, EmbeddedAccounts(), "test", clock)
    changed = await admission.change_role("roma", "tablet", Role.MANAGER, None)
    assert changed == Device("roma", "tablet", Role.MANAGER, None, NOW)
    async with database.read() as connection:
        found = await credentials.find(connection, account.username, NOW)
    assert found is not None
    assert found.identity.role is Role.MANAGER
    assert found.secret.verify(account.secret)


async def test_who_is_revoked_or_added_by_hand_is_expected_no_longer(
    database: Database, office: Claims, clock: Clock
) -> None:
    admission = Admission(database, EmbeddedAccounts(), "test", clock)
    _, code = await office.invite("roma", "pos-1", Role.POS)
    await admission.admit([Device("roma", "pos-1", Role.POS, None, NOW)])
    with pytest.raises(ClaimRefused):
        await office.claim(code, new_secret(), "a")
    _, code = await office.invite("roma", "pos-1", Role.POS, replace=True)
    await admission.revoke("roma", ["pos-1"])
    with pytest.raises(ClaimRefused):
        await office.claim(code, new_secret(), "a")
    assert await _devices(database) == []


class Ledger(EmbeddedAccounts):
    """A broker's accounts, as they stand."""

    def __init__(self) -> None:
        self.open: set[str] = set()

    async def admit(self, accounts: Sequence[Account], **_told: bool) -> None:
        await asyncio.sleep(0.01)  # as a broker takes its time
        self.open |= {each.username for each in accounts}

    async def dismiss(self, devices: Iterable[tuple[Identity, Sequence[int]]]) -> None:
        for identity, serials in devices:
            self.open -= {identity.username(serial) for serial in serials}


@pytest.mark.usefixtures("office")
async def test_a_secret_that_is_added_while_its_device_is_revoked_opens_nothing(
    database: Database, clock: Clock
) -> None:
    for turn in range(5):
        ledger = Ledger()
        admission = Admission(database, ledger, "test", clock)
        await admission.admit([Device("roma", "pos-1", Role.POS, None, NOW)])
        rotating = asyncio.create_task(
            admission.rotate("roma", "pos-1", overlap=timedelta(hours=1))
        )
        await asyncio.sleep(0.004 * turn)  # whichever comes first
        revoking = asyncio.create_task(admission.revoke("roma", ["pos-1"]))
        ends = await asyncio.gather(rotating, revoking, return_exceptions=True)
        assert all(not isinstance(end, Exception) or isinstance(end, Unknown) for end in ends)
        assert ledger.open == set()
        assert await _devices(database) == []
