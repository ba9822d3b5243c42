"""Guests' phones: in by the code of an open party, out with it, and strangers not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from broker_config.secret import new_secret
from devices.guest import PartyGuest
from devices.pending import Rejected
from schemas.devices import Role
from schemas.gateway import ClaimedDevice
from schemas.identifiers import new_id
from schemas.orders import LineRequest
from schemas.parties import MAX_PARTY, OpenParty, Party, PartyStatus
from services.menu.handlers import put_menu
from services.orders import party_rules, party_store
from services.orders.party_store import StoredParties
from services.orders.party_tables import PARTIES
from services.people import credentials, store
from services.people.accounts import EmbeddedAccounts
from services.people.admission import Admission
from services.people.claims import SecretTooWeak
from services.people.guests import Guests, PartyRefused, PartyWatch
from services.people.seal import Seal
from services.people.store import Tenant
from services.people.tables import GUEST_PASSES
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.moment import system_clock
from tests.patience import PATIENCE_S
from tests.services.gateway_house import House, Start
from tests.services.people_world import NOW
from tests.services.rows import all_rows
from tests.system import HASTY, menu_items, until

ALE = LineRequest(item="ale", quantity=1)


# -- over HTTP and MQTT, on each broker and database ----------------------------------------


@contextmanager
def hosted(house: House) -> Iterator[tuple[PartyGuest, Party]]:
    """A party in roma, which a waiter has opened on a till."""

    async def menu(database: Database) -> None:
        async with database.write() as connection:
            items = menu_items({"ale": ("bar", 480)})
            await put_menu(connection, "roma", items, system_clock(), replace=True)

    house.call(menu)
    login = house.add_device("pos-1", Role.POS)
    address = house.system.address
    with PartyGuest(
        address.host, address.port, tenant="roma", device="pos-1", secret=login.secret,
        patience=HASTY,
    ) as till:  # fmt: skip
        yield till, till.open_party("Waiter", table="7").result(PATIENCE_S).party


def ask(house: House, code: str, secret: str | None = None, tenant: str = "roma") -> httpx.Response:
    body = {"tenant": tenant, "code": code, "secret": secret or new_secret()}
    with house.http() as client:
        return client.post("/v1/party/join", json=body)


def enter(house: House, code: str, secret: str) -> ClaimedDevice:
    answer = ask(house, code, secret)
    assert answer.status_code == 200, answer.text
    return ClaimedDevice.model_validate_json(answer.content)


def phone(house: House, told: ClaimedDevice, secret: str) -> PartyGuest:
    assert told.broker.port == house.system.address.port
    return PartyGuest(
        told.broker.host, told.broker.port, tenant=told.tenant, device=told.device,
        username=told.username, secret=secret, patience=HASTY,
    )  # fmt: skip


def devices(house: House) -> list[str]:
    async def read(database: Database) -> list[str]:
        async with database.read() as connection:
            return [each.device for each in await store.devices(connection, "roma")]

    return house.call(read)


def told_by_audit(house: House) -> list[tuple[str, str]]:
    async def read(database: Database) -> list[tuple[str, str]]:
        async with database.read() as connection:
            found = await audit.entries(connection, "roma")
            return [(each.action, each.subject) for each in found]

    return house.call(read)


def test_a_phone_comes_in_by_the_code_takes_part_and_goes_with_the_party(
    start_house: Start,
) -> None:
    house = start_house()
    secret = new_secret()
    with hosted(house) as (till, party):
        told = enter(house, party.code.lower(), secret)
        assert told.role is Role.GUEST
        assert told.device.startswith("guest-")
        assert len(told.device) == len("guest-") + 8
        with phone(house, told, secret) as guest:
            joined = guest.join_party(party.code, "Bob").result(PATIENCE_S)
            assert joined.guest == 2
            guest.choose(party.party_id, [ALE]).result(PATIENCE_S)
            until(lambda: till.party is not None and till.party.version == 3, "what Bob chose")
            sent = till.send(party.party_id).result(PATIENCE_S).party
            assert sent.status is PartyStatus.SENT
            assert [each.name for each in sent.guests] == ["Waiter", "Bob"]
            until(
                lambda: guest.party is not None and guest.party.status is PartyStatus.SENT,
                "that it is sent",
            )
        assert told.device in devices(house), "its guest follows the order"

        async def end(database: Database) -> None:
            async with database.write() as connection:
                await connection.execute(PARTIES.update().values(ends_at=system_clock()))

        house.call(end)
        until(lambda: told.device not in devices(house), "the end of the phone's stay")
        assert not house.lets_in(told.username, secret)
    shown = f"roma/{told.device}"
    about = [action for action, subject in told_by_audit(house) if subject == shown]
    assert about == ["guest.joined", "device.expired"]


def test_with_its_party_a_phone_is_put_out_while_it_is_connected(start_house: Start) -> None:
    house = start_house()
    secret = new_secret()
    with hosted(house) as (till, party):
        told = enter(house, party.code, secret)
        with house.client(told.username, secret, client_id=told.client_id) as connected:
            assert connected.subscribe("heard/v1/roma/state/menu/#") == 1
            till.leave(party.party_id).result(PATIENCE_S)
            connected.wait_until_gone()
        until(lambda: not house.lets_in(told.username, secret), "that it cannot come back")
        assert ask(house, party.code, secret).status_code == 403


def test_a_phone_that_is_revoked_is_out_at_once(start_house: Start) -> None:
    house = start_house()
    secret = new_secret()
    with hosted(house) as (_, party):
        told = enter(house, party.code, secret)
        with house.client(told.username, secret, client_id=told.client_id) as connected:
            house.call(lambda database: house.admission(database).revoke("roma", [told.device]))
            connected.wait_until_gone()
        assert not house.lets_in(told.username, secret)


def test_a_stranger_hears_the_same_whatever_is_wrong(start_house: Start) -> None:
    house = start_house()
    with hosted(house) as (till, party):
        wrong = [
            ask(house, "0000-0000"),
            ask(house, "no code"),
            ask(house, party.code, tenant="napoli"),
            ask(house, party.code, tenant="there-is-no-such"),
        ]
        till.choose(party.party_id, [ALE]).result(PATIENCE_S)
        till.send(party.party_id).result(PATIENCE_S)
        wrong.append(ask(house, party.code))
        assert {each.status_code for each in wrong} == {403}
        assert len({each.content for each in wrong}) == 1
        assert wrong[0].json()["code"] == "party-refused"
        assert ask(house, party.code, "too-weak" * 8).status_code == 400
        assert [each for each in devices(house) if each.startswith("guest-")] == []


def test_who_tries_codes_has_few_tries_and_guests_are_not_counted(start_house: Start) -> None:
    house = start_house()
    with hosted(house) as (_, party):
        statuses = [ask(house, party.code).status_code for _ in range(25)]
        assert set(statuses) == {200}, "a whole table may sit behind one address"
        tries = 1
        while (answer := ask(house, f"{tries:08}")).status_code == 403:
            tries += 1
            assert tries < 100
        assert tries > 15
        assert answer.status_code == 429
        assert answer.json()["code"] == "rate-limited"
        assert int(answer.headers["retry-after"]) >= 1


# -- by themselves ----------------------------------------------------------------------------


class Desk:
    """What lets phones in, with a clock of the test's own."""

    def __init__(self, database: Database) -> None:
        self.now = NOW
        self.database = database
        admission = Admission(database, EmbeddedAccounts(), "address:test", lambda: self.now)
        self.admission = admission
        self.guests = Guests(admission, Seal("k" * 43), StoredParties())
        self.watch = PartyWatch(database, StoredParties(), lambda: self.now)

    async def party(self, code: int, **changes: Any) -> Party:
        party = party_rules.open_party(
            OpenParty(name="Ada"), party_id=new_id(), device="pos-1",
            code=party_rules.code_of(code), currency="EUR", at=self.now,
        ).model_copy(update=changes)  # fmt: skip
        async with self.database.write() as connection:
            await connection.execute(PARTIES.insert().values(**party_store.to_row("roma", party)))
        return party

    async def end(self, party_id: UUID) -> None:
        async with self.database.write() as connection:
            ended = PARTIES.update().where(PARTIES.c.party_id == party_id)
            await connection.execute(ended.values(status="ended", guests=[]))

    async def devices(self) -> list[str]:
        async with self.database.read() as connection:
            return [each.device for each in await store.devices(connection, "roma")]


@pytest.fixture
async def desk(database: Database) -> Desk:
    async with database.write() as connection:
        await store.add_tenant(connection, Tenant("roma", "Roma", "EUR", NOW))
    return Desk(database)


async def test_a_lost_answer_costs_nothing(desk: Desk) -> None:
    party = await desk.party(1)
    secret = new_secret()
    first = await desk.guests.join("roma", party.code, secret, "192.0.2.1")
    again = await desk.guests.join("roma", party.code, secret, "192.0.2.1")
    assert again == first
    assert await desk.devices() == [first.identity.device]
    other = await desk.guests.join("roma", party.code, new_secret(), "192.0.2.1")
    assert other.identity.device != first.identity.device


async def test_a_phone_may_come_again_to_the_next_party(desk: Desk) -> None:
    secret = new_secret()
    first = await desk.party(1)
    account = await desk.guests.join("roma", first.code, secret, "192.0.2.1")
    await desk.end(first.party_id)
    second = await desk.party(2)
    assert await desk.guests.join("roma", second.code, secret, "192.0.2.1") == account
    (row,) = await all_rows(desk.database, GUEST_PASSES)
    assert row["party_id"] == second.party_id


async def test_a_party_lets_in_as_many_phones_as_it_has_places(desk: Desk) -> None:
    party, other = await desk.party(1), await desk.party(2)
    for _ in range(MAX_PARTY):
        await desk.guests.join("roma", party.code, new_secret(), "192.0.2.1")
    with pytest.raises(PartyRefused, match="full"):
        await desk.guests.join("roma", party.code, new_secret(), "192.0.2.1")
    await desk.guests.join("roma", other.code, new_secret(), "192.0.2.1")


async def test_a_party_whose_time_is_up_lets_nobody_in(desk: Desk) -> None:
    party = await desk.party(1)
    desk.now = party.ends_at
    with pytest.raises(PartyRefused, match="no party is open"):
        await desk.guests.join("roma", party.code, new_secret(), "192.0.2.1")


async def test_a_weak_secret_is_refused(desk: Desk) -> None:
    party = await desk.party(1)
    with pytest.raises(SecretTooWeak):
        await desk.guests.join("roma", party.code, "a" * 43, "192.0.2.1")


async def test_a_phone_goes_with_its_party_and_in_any_case_in_time(
    desk: Desk,
) -> None:
    ended, standing = await desk.party(1), await desk.party(2)
    gone = await desk.guests.join("roma", ended.code, new_secret(), "192.0.2.1")
    stays = await desk.guests.join("roma", standing.code, new_secret(), "192.0.2.1")
    assert await desk.watch.look() == 0
    await desk.end(ended.party_id)
    assert await desk.watch.look() == 1
    assert await desk.watch.look() == 0
    async with desk.database.read() as connection:
        assert await credentials.find(connection, gone.username, desk.now) is None
    assert [each.device for each in await desk.admission.end_expired()] == [gone.identity.device]
    assert await desk.devices() == [stays.identity.device]
    desk.now += 2 * party_rules.LASTS + timedelta(seconds=1)
    await desk.admission.end_expired()
    assert await desk.devices() == []
    assert await all_rows(desk.database, GUEST_PASSES) == []


async def test_every_phone_that_came_in_stands_in_the_audit(desk: Desk) -> None:
    party = await desk.party(1)
    account = await desk.guests.join("roma", party.code, new_secret(), "192.0.2.1")
    async with desk.database.read() as connection:
        (told,) = await audit.entries(connection, "roma")
    assert (told.action, told.actor) == ("guest.joined", "address:test")
    assert told.subject == f"roma/{account.identity.device}"
    assert told.details["source"] == "192.0.2.1"


async def test_parties_that_ended_are_forgotten_with_their_seats(desk: Desk) -> None:
    old, standing = await desk.party(1), await desk.party(2)
    await desk.end(old.party_id)
    async with desk.database.write() as connection:
        assert await party_store.forget_ended(connection, old.ends_at) == 0
        assert await party_store.forget_ended(connection, old.ends_at + timedelta(days=1)) == 1
    (row,) = await all_rows(desk.database, PARTIES)
    assert row["party_id"] == standing.party_id


def test_a_phone_that_came_in_is_no_guest_before_it_joins(start_house: Start) -> None:
    house = start_house()
    with hosted(house) as (till, party):
        secret = new_secret()
        with (
            phone(house, enter(house, party.code, secret), secret) as guest,
            pytest.raises(Rejected, match="in no such party"),
        ):
            guest.choose(party.party_id, [ALE]).result(PATIENCE_S)
        assert till.party is None or till.party.version == 1, "it has not joined yet"
