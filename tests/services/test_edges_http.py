"""Requests of other systems over HTTP: the same envelope, rights, limits and replies as MQTT."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from broker_config.access import Credential, Identity
from broker_config.secret import SecretHash
from broker_config.settings import BrokerLogin
from schemas.catalogue import MESSAGES
from schemas.devices import Role
from schemas.envelope import MAX_REQUEST_BYTES, device_source, encode, envelope_of
from schemas.identifiers import new_id
from schemas.kitchen_requests import HearTickets
from schemas.limits import Limits, ReadLimits
from schemas.menu import MenuItem
from schemas.message import Message, Request
from schemas.order_changes import ReadOrder
from schemas.orders import CloseOrder
from schemas.payments import SplitOrder
from schemas.refusals import RefusalCode
from schemas.replies import OrderPage, OrderReceipt, Outcome, Reply, Shares
from services.menu.handlers import put_menu
from services.orders.store import ORDERS
from services.people.device_login import DeviceLogins
from services.people.limits import set_for_device
from services.runtime.bus import Delivery
from services.runtime.database import Database
from services.runtime.gateway import Call, Denied
from services.runtime.moment import system_clock
from services.runtime.reception import topic_of
from services.runtime.tables import INBOX
from tests.services.gateway_house import House
from tests.spoken import Speaker, order
from tests.system import menu_items, until

MENU = {"burger": ("grill", 995), "ale": ("bar", 480)}


@contextmanager
def open_house(home: Path) -> Iterator[House]:
    house = House(home)
    try:
        yield open_for_orders(house.start())
    finally:
        house.system.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as made:
        yield made


def open_for_orders(house: House) -> House:
    """Give both restaurants the same menu."""

    async def menus(database: Database) -> None:
        items = [euro(each) for each in menu_items(MENU)]
        async with database.write() as connection:
            for tenant in ("roma", "napoli"):
                await put_menu(connection, tenant, items, system_clock(), replace=True)

    house.call(menus)
    return house


def euro(item: MenuItem) -> MenuItem:
    return item.model_copy(update={"currency": "EUR"})


class Shop:
    """Another system, with a till's user name and secret."""

    def __init__(self, house: House, role: Role = Role.POS, tenant: str = "roma") -> None:
        self.house = house
        self.tenant = tenant
        self.device = f"shop-{new_id().hex[-12:]}"
        self.login: BrokerLogin = house.add_device(self.device, role, tenant)

    def wire(self, message: Message, id_: UUID | None = None, **said: Any) -> bytes:
        source = said.get("source", device_source(self.tenant, self.device))
        at = said.get("at", datetime.now(UTC))
        return encode(message, id=id_ or new_id(), source=source, time=at)

    def post(self, body: bytes | str, **more: Any) -> httpx.Response:
        options: dict[str, Any] = {
            "auth": (self.login.username, self.login.secret),
            "headers": {"content-type": "application/cloudevents+json"},
        }
        with self.house.http() as client:
            return client.post("/v1/requests", content=body, **{**options, **more})

    def ask(self, message: Request, id_: UUID | None = None, **said: Any) -> httpx.Response:
        return self.post(self.wire(message, id_, **said))


def reply_in(response: httpx.Response) -> Reply:
    assert response.headers["content-type"] == "application/cloudevents+json", response.text
    reply: Reply = envelope_of(Reply).model_validate_json(response.content).data
    return reply


def refused(response: httpx.Response, status: int, code: RefusalCode) -> Reply:
    reply = reply_in(response)
    assert (response.status_code, reply.code, reply.outcome) == (status, code, Outcome.REJECTED)
    return reply


def problem(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["code"])


def orders(house: House, tenant: str = "roma") -> int:
    async def read(database: Database) -> int:
        async with database.read() as connection:
            query = select(func.count()).select_from(ORDERS).where(ORDERS.c.tenant == tenant)
            return int(await connection.scalar(query) or 0)

    return house.call(read)


def test_an_order_over_http_is_kept_and_has_the_reply_of_mqtt(house: House) -> None:
    shop, id_, before = Shop(house), new_id(), orders(house)
    answer = shop.ask(order("burger", ("ale", 2)), id_)
    assert answer.status_code == 200, answer.text
    envelope = envelope_of(Reply).model_validate_json(answer.content)
    assert (envelope.source, envelope.causationid) == ("/roma/services", id_)
    receipt = reply_in(answer).result
    assert isinstance(receipt, OrderReceipt)
    assert (receipt.order_id, receipt.total_minor, receipt.currency) == (id_, 1955, "EUR")
    assert orders(house) == before + 1


def test_the_order_is_told_to_everybody_as_any_other_and_no_reply_is_published(
    house: House,
) -> None:
    shop = Shop(house)
    manager = house.add_device(f"office-{new_id().hex[-8:]}", Role.MANAGER)
    with house.client(manager.username, manager.secret) as office:
        office.subscribe("heard/v1/roma/#")
        id_ = new_id()
        assert shop.ask(order("burger"), id_).status_code == 200
        topics: list[str] = []
        while not topics or topics[-1] != "heard/v1/roma/event/orders/placed":
            message = office.next_message()
            if str(id_).encode() in message.payload:
                topics.append(message.topic)
        assert any("/state/kitchen/" in topic for topic in topics)
        office.publish("heard/v1/roma/request/x/y/z", b"")  # whatever came before it, is here
        assert not any("/reply/" in topic for topic in topics)


def test_the_same_id_again_has_the_first_answer_over_http_and_over_mqtt(house: House) -> None:
    shop, id_, before = Shop(house), new_id(), orders(house)
    wire = shop.wire(order("burger"), id_)
    first = reply_in(shop.post(wire))
    assert reply_in(shop.post(wire)) == first
    with Speaker(house.system.address, shop.login, "roma", shop.device) as till:
        assert till.ask(order("burger"), id_) == first
        mine = new_id()
        said = till.ask(order("ale"), mine)
        assert reply_in(shop.ask(order("ale"), mine)) == said
    assert orders(house) == before + 2


def test_a_hundred_at_once_with_ten_ids_are_ten_orders(house: House) -> None:
    shop, before = Shop(house), orders(house)
    wires = [shop.wire(order("burger"), new_id()) for _ in range(10)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(shop.post, wires * 10))
    assert {answer.status_code for answer in answers} == {200}
    by_id = {reply_in(answer).request: reply_in(answer) for answer in answers}
    assert len(by_id) == 10
    assert all(by_id[reply_in(answer).request] == reply_in(answer) for answer in answers)
    assert orders(house) == before + 10


def test_an_id_that_stands_for_another_request_is_refused(house: House) -> None:
    shop, other, id_ = Shop(house), Shop(house), new_id()
    assert shop.ask(order("burger"), id_).status_code == 200
    reply = refused(shop.ask(order("ale"), id_), 422, RefusalCode.REQUEST_ID_REUSED)
    assert reply.request == id_
    refused(other.ask(order("burger"), id_), 422, RefusalCode.REQUEST_ID_REUSED)


def test_questions_are_answered_too(house: House) -> None:
    shop, id_ = Shop(house), new_id()
    assert shop.ask(order("burger"), id_).status_code == 200
    page = reply_in(shop.ask(ReadOrder(order_id=id_))).result
    assert isinstance(page, OrderPage)
    assert page.order.order_id == id_
    shares = reply_in(shop.ask(SplitOrder(order_id=id_, ways=2))).result
    assert isinstance(shares, Shares)
    assert sum(each.amount_minor for each in shares.shares) == 995
    assert shop.ask(ReadLimits()).status_code == 200
    refused(shop.ask(ReadOrder(order_id=new_id())), 422, RefusalCode.NOT_FOUND)


def test_who_is_refused_learns_why_in_the_envelope(house: House) -> None:
    shop = Shop(house)
    refused(shop.ask(order("soup")), 422, RefusalCode.UNKNOWN_ITEM)
    refused(shop.ask(CloseOrder(order_id=new_id())), 422, RefusalCode.NOT_FOUND)
    old = datetime.now(UTC) - timedelta(days=8)
    refused(shop.ask(order("ale"), at=old), 422, RefusalCode.TIME_OUT_OF_RANGE)


def test_nobody_says_anything_in_the_name_of_another(house: House) -> None:
    shop, before = Shop(house), orders(house, "napoli")
    for source in (
        device_source("napoli", shop.device),
        device_source("roma", "pos-1"),
        "/roma/services",
    ):
        refused(shop.ask(order("ale"), source=source), 422, RefusalCode.TOPIC_MISMATCH)
    assert orders(house, "napoli") == before


@pytest.mark.parametrize("role", [Role.KITCHEN_DISPLAY, Role.TRACKER])
def test_who_may_not_say_it_over_mqtt_may_not_say_it_here(house: House, role: Role) -> None:
    shop, before = Shop(house, role), orders(house)
    refused(shop.ask(order("ale")), 422, RefusalCode.NOT_ALLOWED)
    refused(Shop(house).ask(HearTickets(ticket_ids=(new_id(),))), 422, RefusalCode.NOT_ALLOWED)
    assert orders(house) == before


def test_a_wrong_secret_opens_nothing_and_says_nothing(house: House) -> None:
    shop = Shop(house)
    wire = shop.wire(order("ale"))
    told = set()
    for auth in (
        (shop.login.username, "wrong"),
        (shop.login.username, ""),
        ("roma:nobody", shop.login.secret),
        ("nowhere:nobody", shop.login.secret),
        (f"{shop.login.username}:2", shop.login.secret),
        ("heard-services", shop.login.secret),
    ):
        answer = shop.post(wire, auth=auth)
        assert answer.headers["www-authenticate"].startswith("Basic ")
        told.add((problem(answer, 401), answer.json()["message"]))
    assert len(told) == 1
    assert problem(shop.post(wire, auth=None), 401) == "unauthenticated"
    for header in ("Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Bearer x"):
        spoilt = {"authorization": header, "content-type": "application/json"}
        assert problem(shop.post(wire, auth=None, headers=spoilt), 401) == "unauthenticated"


def test_who_guesses_on_is_told_to_wait_and_other_devices_do_not_suffer(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        shop, other = Shop(house), Shop(house)
        wire = shop.wire(order("ale"))
        codes = [shop.post(wire, auth=(shop.login.username, "x")).status_code for _ in range(40)]
        assert set(codes) == {401}
        until(
            lambda: shop.post(wire, auth=(shop.login.username, "x")).status_code == 429,
            "the end of patience",
        )
        assert other.ask(order("ale")).status_code == 200


class Directory:
    """Credentials by user name."""

    def __init__(self, *known: Credential) -> None:
        self._known = {each.username: each for each in known}

    async def find(self, username: str) -> Credential | None:
        return self._known.get(username)


async def test_wrong_guesses_are_counted_by_device_and_address_and_right_ones_are_not() -> None:
    now = 0.0
    ours = [Credential(Identity("roma", name, Role.POS), SecretHash.of("s")) for name in "ab"]
    logins = DeviceLogins(Directory(*ours), monotonic=lambda: now)

    async def says(name: str, secret: str, source: str = "192.0.2.1") -> int:
        told = base64.b64encode(f"roma:{name}:{secret}".encode()).decode()
        headers = {"authorization": f"Basic {told}"}
        call = Call(source=source, bearer=None, path={}, query={}, headers=headers)
        try:
            identity = await logins.identify(call)
        except Denied as denied:
            return denied.status
        assert identity.device == name
        return 200

    assert [await says("a", "s") for _ in range(500)] == [200] * 500
    assert [await says("a", "x") for _ in range(41)] == [401] * 40 + [429]
    assert await says("a", "s") == 429, "now not even the right one: nobody learns that it was"
    assert await says("b", "s") == 200
    assert await says("a", "s", "192.0.2.2") == 200, "elsewhere it works as before"
    now += 60
    assert await says("a", "s") == 200


def test_a_revoked_device_is_out_at_once(house: House) -> None:
    shop = Shop(house)
    assert shop.ask(order("ale")).status_code == 200

    async def revoke(database: Database) -> None:
        await house.admission(database).revoke("roma", [shop.device])

    house.call(revoke)
    assert problem(shop.ask(order("ale")), 401) == "unauthenticated"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", RefusalCode.UNREADABLE),
        (b"nonsense", RefusalCode.UNREADABLE),
        (b"[1, 2]", RefusalCode.UNREADABLE),
        (b"\xff\xfe", RefusalCode.UNREADABLE),
        (b'{"type": 7}', RefusalCode.UNREADABLE),
        (b"[" * 60_000, RefusalCode.UNREADABLE),
        (b'{"type": "heard.order.eat.v1"}', RefusalCode.UNKNOWN_TYPE),
        (b'{"type": "heard.reply.v1"}', RefusalCode.UNKNOWN_TYPE),
        (b'{"type": "heard.order.placed.v1"}', RefusalCode.UNKNOWN_TYPE),
        (b'{"type": "heard.inside.settle-payment.v1"}', RefusalCode.UNKNOWN_TYPE),
        (b'{"type": "heard.inside.wake-order.v1"}', RefusalCode.UNKNOWN_TYPE),
        (b'{"type": "heard.order.place.v1"}', RefusalCode.UNREADABLE),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    house: House, body: bytes, code: RefusalCode
) -> None:
    refused(Shop(house).post(body), 422, code)


def test_a_field_said_twice_or_wrong_is_refused_with_the_request_s_id(house: House) -> None:
    shop, id_ = Shop(house), new_id()
    document = json.loads(shop.wire(order("ale"), id_))
    document["data"]["lines"][0]["quantity"] = -1
    reply = refused(shop.post(json.dumps(document)), 422, RefusalCode.INVALID)
    assert reply.request == id_
    twice = shop.wire(order("ale"), id_).replace(b'"quantity":1', b'"quantity":1,"quantity":9')
    reply = refused(shop.post(twice), 422, RefusalCode.INVALID)
    assert "twice" in str(reply.message)


def test_a_body_may_be_as_large_as_a_message_and_not_larger(house: House) -> None:
    shop = Shop(house, Role.MANAGER)
    wire = shop.wire(order("ale"))
    room = wire[:-1] + b" " * (MAX_REQUEST_BYTES - len(wire)) + b"}"
    assert len(room) == MAX_REQUEST_BYTES
    answer = shop.post(room)
    assert answer.status_code in {200, 413}, answer.text
    if answer.status_code == 413:  # this device's own limit is lower
        refused(answer, 413, RefusalCode.TOO_LARGE)
    assert problem(shop.post(room + b" "), 413) == "too-large"


def test_another_content_type_is_refused(house: House) -> None:
    shop = Shop(house)
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = shop.post(shop.wire(order("ale")), headers={"content-type": kind})
        assert problem(answer, 415) == "not-json"
    plain = {"content-type": "application/json; charset=utf-8"}
    assert shop.post(shop.wire(order("ale")), headers=plain).status_code == 200


def test_a_device_has_one_limit_over_http_and_mqtt_together(house: House) -> None:
    shop, other = Shop(house), Shop(house)
    narrow = Limits(messages_per_s=0.01, messages_burst=4)

    async def hold(database: Database) -> None:
        async with database.write() as connection:
            await set_for_device(
                connection, "roma", shop.device, narrow.model_dump(exclude_none=True)
            )

    house.call(hold)
    gate = house.system._served.systems._guard.gate if house.system._served else None
    assert gate is not None
    shop.ask(ReadLimits())
    key = ("roma", shop.device)
    until(lambda: gate.sender(key).meter.limits.messages_burst == 4, "the limits to be known")
    id_ = new_id()
    answers = [shop.ask(order("ale"), id_) for _ in range(6)]
    assert [answer.status_code for answer in answers][:4] == [200] * 4
    for late in answers[4:]:
        reply = refused(late, 429, RefusalCode.RATE_LIMITED)
        assert reply.request == id_
        assert reply.retry_after_s
        assert int(late.headers["retry-after"]) >= reply.retry_after_s
    with Speaker(house.system.address, shop.login, "roma", shop.device) as till:
        assert till.ask(order("ale"), new_id()).code is RefusalCode.RATE_LIMITED
    assert other.ask(order("ale")).status_code == 200

    async def answered(database: Database) -> int:
        async with database.read() as connection:
            query = select(func.count()).select_from(INBOX).where(INBOX.c.device == shop.device)
            return int(await connection.scalar(query) or 0)

    assert house.call(answered) == 1, "nothing is kept of what was too much"


def test_a_process_that_stands_by_says_so_and_the_same_is_done_by_who_serves(
    house: House, tmp_path: Path
) -> None:
    shop, id_, before = Shop(house), new_id(), orders(house)
    wire = shop.wire(order("ale"), id_)
    second = House(tmp_path, database_url=house.settings.database_url)
    with second.system:
        with second.http() as client:
            auth = (shop.login.username, shop.login.secret)
            kind = {"content-type": "application/json"}
            late = client.post("/v1/requests", content=wire, auth=auth, headers=kind)
        assert problem(late, 503) == "away"
        assert int(late.headers["retry-after"]) >= 1
        assert reply_in(shop.post(wire)).outcome is Outcome.ACCEPTED
    assert orders(house) == before + 1


def test_every_request_of_the_contract_has_its_own_topic_by_its_type() -> None:
    for message in MESSAGES:
        found = topic_of(
            json.dumps({"type": message.type_name}).encode(), tenant="roma", device="pos-1"
        )
        if issubclass(message, Request):
            assert found == message.route.topic(tenant="roma", device="pos-1")
        else:
            assert not isinstance(found, str)
    assert Delivery("", b"", retain=False, qos=1, tag=0).topic == ""
