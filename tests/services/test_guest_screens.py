"""A guest's screen: in by the link of an open delivery, its own topic alone, out with the link."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event, update

from broker_config.secret import new_secret
from schemas.deliveries import Delivery, DeliveryStatus
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    FailDelivery,
    ReturnDelivery,
    StepDelivery,
)
from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.envelope import envelope_of
from schemas.etas import Confidence, EtaState
from schemas.gateway import ClaimedDevice
from schemas.guest_tracking import GuestStatus, GuestTracking, TrackingState
from schemas.identifiers import new_id
from schemas.orders import CloseOrder
from schemas.positions import Place
from services.delivery import links, store
from services.delivery.kept import Beside, Kept
from services.delivery.screen_book import ScreenBook
from services.delivery.screens import StoredLinks
from services.delivery.tables import COURIERS, DELIVERIES, TRACKING_SCREENS
from services.orders.inside import ForgetGuest
from services.people.accounts import EmbeddedAccounts
from services.people.admission import Admission
from services.people.guest_screens import MOST_SCREENS, GuestScreens, LinkFull, LinkRefused
from services.people.seal import Seal
from services.people.store import end_at
from services.runtime import house_rules
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.tables import DEVICES
from services.tracking.tables import VEHICLES
from services.tracking.whereabouts import StoredWhereabouts
from tests.mqtt_client import REFUSED_FILTER, MqttClient
from tests.services.delivery_world import ANNA, BIKE, DeliveryWorld
from tests.services.gateway_house import House, Start
from tests.services.order_world import OURSELVES, TILL
from tests.services.rows import all_rows
from tests.system import until

COURIER = Place(lat=60.17432, lon=24.94321)


def riding(tenant: str, now: datetime) -> dict[str, Any]:
    """The row of a courier's tracker."""
    return {
        "tenant": tenant, "vehicle": BIKE, "device": BIKE, "at": now, "lat": COURIER.lat,
        "lon": COURIER.lon, "moving": True, "since": now, "heard_at": now, "battery": 0.5,
        "state": {}, "counts": {},
    }  # fmt: skip


# -- by itself --------------------------------------------------------------------------------


class Evening:
    """A house with its door for screens, and what is published to them."""

    def __init__(self, house: DeliveryWorld) -> None:
        self.house = house
        self.etas: dict[UUID, EtaState] = {}
        self.topics: dict[str, bytes] = {}
        self.said: list[tuple[str, bytes]] = []
        self.admission = Admission(
            house.database, EmbeddedAccounts(), "address:test", lambda: house.now
        )
        self.screens = GuestScreens(self.admission, Seal("k" * 43), StoredLinks())
        self.live()

    def live(self) -> None:
        """Begin a life, which has told nothing."""
        self.book = ScreenBook(
            self.house.database,
            StoredWhereabouts(),
            lambda _tenant, order_id: self.etas.get(order_id),
            lambda: self.house.now,
        )
        self.book.begin(self._take)

    def _take(self, messages: Sequence[Outgoing]) -> None:
        for each in messages:
            assert each.retain
            self.said.append((each.topic, each.payload))
            if each.payload:
                self.topics[each.topic] = each.payload
            else:
                self.topics.pop(each.topic, None)

    async def token(self, order_id: UUID) -> str:
        kept = await self.house.kept(order_id)
        return links.token(self.house.tenant, kept, links.until(kept, self.house.delivers))

    async def enter(self, order_id: UUID, secret: str | None = None) -> str:
        token = await self.token(order_id)
        account = await self.screens.enter(token, secret or new_secret(), "192.0.2.1")
        return account.identity.device

    async def look(self, device: str) -> GuestTracking | None:
        """What stands on a screen's topic after one look."""
        await self.book.look()
        return self.stands(device)

    def stands(self, device: str) -> GuestTracking | None:
        topic = TrackingState.route.topic(tenant=self.house.tenant, device=device)
        payload = self.topics.get(topic)
        return None if payload is None else tracking_of(payload)


def tracking_of(payload: bytes) -> GuestTracking:
    told: TrackingState = envelope_of(TrackingState).model_validate_json(payload).data
    return told.tracking


@pytest.fixture
async def evening(database: Database) -> Evening:
    house = DeliveryWorld(database)
    await house.open()
    return Evening(house)


async def on_the_way(evening: Evening) -> tuple[UUID, UUID]:
    """Two orders of one courier, the first one's door first."""
    house = evening.house
    orders = (await house.place_order(), await house.place_order())
    for order_id in orders:
        await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
        await house.do(BIKE, AcceptDelivery(order_id=order_id))
        await house.cook(order_id)
        await house.do(BIKE, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))
    await house.ride(BIKE, COURIER)
    return orders


async def test_a_screen_is_coarse_before_its_turn_exact_then_and_empty_after(
    evening: Evening,
) -> None:
    first, second = await on_the_way(evening)
    mine, other = await evening.enter(first), await evening.enter(second)
    turn, later = await evening.look(mine), evening.stands(other)
    assert turn is not None
    assert turn.courier is not None
    assert (turn.next_is_yours, turn.courier.place, turn.courier.within_m) == (True, COURIER, 0)
    assert later is not None
    assert later.courier is not None
    assert (later.stops_before, later.courier.within_m) == (1, evening.house.delivers.coarse_m)
    assert later.courier.place != COURIER

    await evening.house.do(BIKE, CompleteDelivery(order_id=first))
    await evening.house.ride(BIKE, COURIER)
    over, now = await evening.look(mine), evening.stands(other)
    assert over is not None
    assert (over.status, over.courier, over.door) == (GuestStatus.DELIVERED, None, None)
    assert now is not None
    assert now.courier is not None
    assert now.courier.place == COURIER
    assert await evening.look(mine) is None, "it was shown the end"
    said = len(evening.said)
    await evening.book.look()
    assert len(evening.said) == said


async def test_a_screen_is_told_again_only_what_is_another_thing(evening: Evening) -> None:
    first, _ = await on_the_way(evening)
    screen = await evening.enter(first)
    await evening.look(screen)
    for _ in range(3):
        evening.house.wait(timedelta(seconds=2))
        await evening.book.look()
    assert len(evening.said) == 1
    at = evening.house.now + timedelta(minutes=9)
    evening.etas[first] = EtaState(
        order_id=first,
        p50_at=at,
        p90_at=at + timedelta(minutes=3),
        as_of=evening.house.now,
        confidence=Confidence.HIGH,
    )
    told = await evening.look(screen)
    assert told is not None
    assert (told.live, told.p50_at) == (True, at)
    assert len(evening.said) == 2


async def test_however_many_look_it_takes_as_many_queries(evening: Evening) -> None:
    first, second = await on_the_way(evening)
    asked: list[str] = []

    def ask(*said: Any) -> None:
        asked.append(said[2])

    engine = evening.house.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", ask)
    try:
        counts = []
        for order_id in (first, second, second, first):
            await evening.enter(order_id)
            asked.clear()
            await evening.book.look()
            counts.append(sum(each.lower().startswith("select") for each in asked))
    finally:
        event.remove(engine, "before_cursor_execute", ask)
    assert len(set(counts)) == 1, counts
    assert len(evening.topics) == 4


async def test_a_screen_comes_back_with_what_goes_out_anew(evening: Evening) -> None:
    first, _ = await on_the_way(evening)
    screen = await evening.enter(first)
    await evening.look(screen)
    await evening.house.do(BIKE, FailDelivery(order_id=first, reason="nobody opened"))
    await evening.house.do(BIKE, ReturnDelivery(order_id=first))
    back = await evening.look(screen)
    assert back is not None
    assert (back.status, back.courier) == (GuestStatus.FAILED, None)
    assert await evening.look(screen) is None, "it was shown the end"
    await evening.house.do(TILL, AssignDelivery(order_id=first, courier=ANNA))
    again = await evening.look(screen)
    assert again is not None
    assert (again.status, again.ended_at) == (GuestStatus.READY, None)


async def test_a_new_life_knows_what_should_stand_and_what_has_ended(evening: Evening) -> None:
    first, second = await on_the_way(evening)
    mine, other = await evening.enter(first), await evening.enter(second)
    await evening.book.look()
    await evening.house.do(BIKE, CompleteDelivery(order_id=first))
    evening.live()
    await evening.book.look()
    await evening.book.ready()
    stands = [each.topic for each in evening.book.standing()]
    assert stands == [TrackingState.route.topic(tenant=evening.house.tenant, device=other)]
    assert mine != other, "the line clears all else of this kind"


async def test_the_end_of_the_link_clears_the_screen_and_puts_it_out(evening: Evening) -> None:
    first, _ = await on_the_way(evening)
    screen = await evening.enter(first)
    assert await evening.look(screen) is not None
    evening.house.wait(timedelta(hours=evening.house.delivers.link_hours))
    assert await evening.look(screen) is None
    put_out = await evening.admission.end_expired()
    assert [each.device for each in put_out] == [screen]
    rows = await all_rows(evening.house.database, TRACKING_SCREENS)
    assert [row for row in rows if row["tenant"] == evening.house.tenant] == []


async def test_a_forgotten_guests_screen_shows_nothing(evening: Evening) -> None:
    first, _ = await on_the_way(evening)
    screen = await evening.enter(first)
    await evening.house.do(BIKE, CompleteDelivery(order_id=first))
    await evening.house.do(TILL, CloseOrder(order_id=first))
    await evening.house.do(OURSELVES, ForgetGuest(order_id=first))
    assert await evening.look(screen) is None
    with pytest.raises(LinkRefused):
        await evening.enter(first)


async def test_a_link_lets_in_few_screens_and_the_same_one_again(evening: Evening) -> None:
    first, second = await on_the_way(evening)
    secret = new_secret()
    name = await evening.enter(first, secret)
    assert await evening.enter(first, secret) == name
    assert await evening.enter(second, secret) != name, "another order, another screen"
    for _ in range(MOST_SCREENS - 1):
        await evening.enter(first)
    with pytest.raises(LinkFull):
        await evening.enter(first)
    assert await evening.enter(first, secret) == name
    await evening.enter(second)


async def test_a_link_that_shows_nothing_lets_nobody_in(evening: Evening) -> None:
    first, second = await on_the_way(evening)
    token = await evening.token(first)
    tenant, order, end, mark = token.split(".")
    for wrong in (
        "",
        f"{tenant}.{order}.{end}.{mark[::-1]}",
        f"{tenant}.{order}.{int(end, 16) + 3600:x}.{mark}",
        f"other.{order}.{end}.{mark}",
    ):
        with pytest.raises(LinkRefused):
            await evening.screens.enter(wrong, new_secret(), "192.0.2.1")
    await evening.house.do(BIKE, CompleteDelivery(order_id=first))
    with pytest.raises(LinkRefused):
        await evening.enter(first)
    evening.house.wait(timedelta(hours=evening.house.delivers.link_hours))
    with pytest.raises(LinkRefused):
        await evening.enter(second)
    async with evening.house.database.read() as connection:
        roles = await connection.scalars(
            DEVICES.select().with_only_columns(DEVICES.c.device).where(
                DEVICES.c.tenant == evening.house.tenant, DEVICES.c.role == Role.GUEST.value
            )
        )  # fmt: skip
        assert list(roles) == []


# -- over HTTP and MQTT, on each broker and database ------------------------------------------


class Rides:
    """Two deliveries of roma that are on their way, as rows."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.rules = DeliveryRules(place=Place(lat=60.17, lon=24.94))
        self.kept = [self._kept(stop) for stop in (1, 2)]
        house.call(self._open)

    def _kept(self, stop: int) -> Kept:
        now = datetime.now(UTC)
        delivery = Delivery(
            order_id=new_id(), number=f"ORD-{stop}", status=DeliveryStatus.EN_ROUTE, version=1,
            place=Place(lat=60.18, lon=24.95), placed_at=now, courier=ANNA, device=BIKE, stop=stop,
            promised_at=now + timedelta(minutes=30), picked_up_at=now,
        )  # fmt: skip
        return Kept(delivery, Beside(link=new_secret()), ready_at=now)

    async def _open(self, database: Database) -> None:
        async with database.write() as connection:
            await house_rules.write(connection, "roma", delivery=self.rules)
            now = datetime.now(UTC)
            await connection.execute(VEHICLES.insert().values(riding("roma", now)))
            await connection.execute(
                COURIERS.insert().values(
                    tenant="roma", courier=ANNA, version=1, name="Anna", device=BIKE,
                    mode="bicycle", stops=[str(each.delivery.order_id) for each in self.kept],
                )
            )  # fmt: skip
            for each in self.kept:
                await connection.execute(DELIVERIES.insert().values(**store.to_row("roma", each)))

    def ask(self, number: int, secret: str, *, until_in_s: float = 3600.0) -> httpx.Response:
        kept = self.kept[number]
        end = (datetime.now(UTC) + timedelta(seconds=until_in_s)).replace(microsecond=0)
        path = links.path(links.token("roma", kept, end))
        with self.house.http() as client:
            return client.post(path + "/screen", json={"secret": secret})

    def enter(self, number: int, secret: str) -> ClaimedDevice:
        answer = self.ask(number, secret)
        assert answer.status_code == 200, answer.text
        return ClaimedDevice.model_validate_json(answer.content)

    def screen(self, told: ClaimedDevice, secret: str) -> MqttClient:
        return self.house.client(told.username, secret, client_id=told.client_id)

    def deliver(self, number: int) -> None:
        """The courier has handed it over, and is away from there."""
        others = [str(each.delivery.order_id) for each in self.kept[number + 1 :]]

        async def done(database: Database) -> None:
            mine = DELIVERIES.c.order_id == self.kept[number].delivery.order_id
            async with database.write() as connection:
                await connection.execute(update(COURIERS).values(stops=others))
                await connection.execute(
                    update(DELIVERIES).where(mine).values(
                        status="delivered", ended_at=datetime.now(UTC), version=2
                    )
                )  # fmt: skip
                await connection.execute(update(VEHICLES).values(at=datetime.now(UTC)))

        self.house.call(done)

    def link_ends(self, told: ClaimedDevice) -> None:
        """Its time is up now."""

        async def end(database: Database) -> None:
            async with database.write() as connection:
                await end_at(connection, "roma", [told.device], datetime.now(UTC))

        self.house.call(end)


def topic_of(told: ClaimedDevice) -> str:
    return TrackingState.route.topic(tenant="roma", device=told.device)


def test_a_screen_sees_its_own_order_alone_and_goes_with_its_link(start_house: Start) -> None:
    house = start_house()
    rides = Rides(house)
    secrets = [new_secret(), new_secret()]
    first, second = (rides.enter(number, secrets[number]) for number in (0, 1))
    assert first.role is Role.GUEST
    with rides.screen(first, secrets[0]) as mine, rides.screen(second, secrets[1]) as other:
        assert mine.subscribe(topic_of(first)) == 1
        assert other.subscribe(topic_of(second)) == 1
        for foreign in (topic_of(second), "heard/v1/roma/state/tracking/+", "#"):
            assert mine.subscribe(foreign) == REFUSED_FILTER
        turn = tracking_of(mine.next_message().payload)
        assert turn.courier is not None
        assert (turn.number, turn.courier.place) == ("ORD-1", COURIER)
        later = tracking_of(other.next_message().payload)
        assert later.courier is not None
        assert (later.number, later.courier.within_m) == ("ORD-2", rides.rules.coarse_m)

        rides.deliver(0)
        ended = tracking_of(mine.next_message().payload)
        assert (ended.status, ended.courier) == (GuestStatus.DELIVERED, None)
        assert mine.next_message().payload == b""
        moved = tracking_of(other.next_message().payload)
        assert moved.courier is not None
        assert moved.courier.place == COURIER
        assert {each.topic for each in (*mine.messages, *other.messages)} <= {
            topic_of(first),
            topic_of(second),
        }

        rides.link_ends(second)
        other.wait_until_gone()
    until(lambda: not house.lets_in(second.username, secrets[1]), "that it cannot come back")
    assert rides.ask(0, secrets[0]).status_code == 404, "it has ended"


def test_wrong_links_hear_one_answer_and_are_few(start_house: Start) -> None:
    house = start_house()
    rides = Rides(house)
    assert rides.ask(0, "too-weak" * 8).status_code == 400
    over = rides.ask(0, new_secret(), until_in_s=-1)
    with house.http() as client:
        body = {"secret": new_secret()}
        forged = client.post("/track/roma.x.y.z/screen", json=body)
        assert (over.status_code, forged.status_code) == (404, 404)
        assert over.content == forged.content
        assert json.loads(forged.content)["code"] == "not-found"
        tries = 0
        while client.post(f"/track/roma.{tries}.y.z/screen", json=body).status_code == 404:
            tries += 1
            assert tries < 100
        last = client.post("/track/roma.x.y.z/screen", json=body)
    assert last.status_code == 429
    assert last.json()["code"] == "rate-limited"


def test_one_link_opens_few_screens_over_http(start_house: Start) -> None:
    rides = Rides(start_house())
    statuses = [rides.ask(0, new_secret()).status_code for _ in range(MOST_SCREENS + 1)]
    assert statuses == [200] * MOST_SCREENS + [403]
