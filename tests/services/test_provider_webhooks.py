"""Payment providers' webhooks: signed, once, kept before they are answered, and no oracle."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from uuid import UUID

import httpx
import pytest

from broker_config.settings import BrokerLogin
from schemas.devices import Role
from schemas.envelope import envelope_of
from schemas.house_rules import OrderRules, PaymentRule
from schemas.identifiers import new_id
from schemas.order_changes import ReadOrder
from schemas.orders import Order
from schemas.payments import PaymentStatus, PayOrder, RefundOrder
from schemas.refusals import RefusalCode
from schemas.replies import OrderPage, OrderReceipt, Outcome, Reply
from services.orders import providers
from services.people.seal import Seal
from services.runtime import audit, house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.signatures import new_signing_secret, signed_headers
from tests.services.gateway_house import House
from tests.services.test_edges_http import open_house
from tests.spoken import Speaker, order

SECRET = new_signing_secret()
NEXT_SECRET = new_signing_secret()
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as made:
        seal = seal_of(made)

        async def believe(database: Database) -> None:
            async with database.write() as connection:
                for name, secret in (("acme", SECRET), ("other", new_signing_secret())):
                    await providers.add(
                        connection, "roma", name, secret,
                        seal_it=seal.seal, actor="cli:test", now=system_clock(),
                    )  # fmt: skip
                rules = OrderRules(payment=PaymentRule.BEFORE_KITCHEN)
                await house_rules.write(connection, "roma", orders=rules)

        made.call(believe)
        yield made


def seal_of(house: House) -> Seal:
    assert house.settings.seal_key is not None
    return Seal(house.settings.seal_key.get_secret_value())


class Guests:
    """A till that asks for payments, and the provider that tells of them."""

    def __init__(self, house: House) -> None:
        self.house = house
        device = f"pos-{new_id().hex[-12:]}"
        self.login: BrokerLogin = house.add_device(device, Role.POS)
        self.till = Speaker(house.system.address, self.login, "roma", device)

    def __enter__(self) -> Self:
        self.till.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.till.__exit__()

    def begin(self, provider: str = "acme") -> OrderReceipt:
        """An order, and a payment for all of it, of which nothing is known yet."""
        placed = self.till.accepted(order("burger"))
        asked: OrderReceipt = self.till.accepted(
            PayOrder(order_id=placed.order_id, method=provider)
        )
        assert asked.payment_id is not None
        return asked

    def order(self, order_id: UUID) -> Order:
        page = self.till.accepted(ReadOrder(order_id=order_id))
        assert isinstance(page, OrderPage)
        return page.order

    def payment(self, asked: OrderReceipt) -> PaymentStatus:
        (payment,) = self.order(asked.order_id).payments
        return payment.status


@pytest.fixture
def guests(house: House) -> Iterator[Guests]:
    with Guests(house) as there:
        yield there


def news(asked: OrderReceipt, what: str = "payment.paid", **other: Any) -> bytes:
    data = {
        "order_id": str(asked.order_id),
        "payment_id": str(asked.payment_id),
        "amount_minor": 995,
        "currency": "EUR",
        **other,
    }
    return json.dumps({"type": what, "timestamp": "2026-03-14T12:00:00Z", "data": data}).encode()


def deliver(
    house: House,
    body: bytes,
    *,
    id_: str | None = None,
    secrets: tuple[str, ...] = (SECRET,),
    at: float | None = None,
    tenant: str = "roma",
    provider: str = "acme",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    seconds = int(time.time() if at is None else at)
    signed = signed_headers(secrets, id_ or f"msg_{new_id().hex}", seconds, body)
    path = f"/v1/tenants/{tenant}/payments/{provider}"
    with house.http() as client:
        return client.post(path, content=body, headers={**JSON, **signed, **(headers or {})})


def reply_in(response: httpx.Response) -> Reply:
    assert response.headers["content-type"] == "application/cloudevents+json", response.text
    reply: Reply = envelope_of(Reply).model_validate_json(response.content).data
    return reply


def problem(response: httpx.Response) -> tuple[int, str, str]:
    document = response.json()
    return response.status_code, document["code"], document["message"]


def test_a_paid_order_goes_to_the_kitchen_in_the_instant_that_the_provider_says_so(
    house: House, guests: Guests
) -> None:
    asked = guests.begin()
    assert (asked.status, asked.payment) == ("placed", PaymentStatus.PENDING)
    answer = deliver(house, news(asked))
    assert answer.status_code == 200, answer.text
    receipt = reply_in(answer).result
    assert isinstance(receipt, OrderReceipt)
    assert (receipt.status, receipt.due_minor, receipt.payment) == (
        "accepted",
        0,
        PaymentStatus.PAID,
    )
    assert guests.order(asked.order_id).status == "accepted"


def test_authorised_then_paid_then_refunded_each_once(house: House, guests: Guests) -> None:
    asked = guests.begin()
    assert deliver(house, news(asked, "payment.authorised")).status_code == 200
    assert guests.payment(asked) is PaymentStatus.AUTHORISED
    assert deliver(house, news(asked)).status_code == 200
    refund = new_id()
    guests.till.accepted(
        RefundOrder(order_id=asked.order_id, amount_minor=400, reason="cold"), refund
    )
    body = news(asked, "refund.done", refund_id=str(refund), amount_minor=400)
    first = deliver(house, body, id_="refund-1")
    assert first.status_code == 200, first.text
    assert reply_in(deliver(house, body, id_="refund-1")) == reply_in(first)
    standing = guests.order(asked.order_id)
    assert (standing.refunded_minor, standing.payment) == (400, PaymentStatus.PARTLY_REFUNDED)


def test_a_delivery_that_comes_again_has_the_first_answer_whenever_it_was_signed(
    house: House, guests: Guests
) -> None:
    asked = guests.begin()
    id_ = f"msg_{new_id().hex}"
    first = deliver(house, news(asked), id_=id_, at=time.time() - 200)
    version = guests.order(asked.order_id).version
    again = [deliver(house, news(asked), id_=id_, at=time.time() + n) for n in range(3)]
    assert {each.status_code for each in (first, *again)} == {200}
    assert all(reply_in(each) == reply_in(first) for each in again)
    assert guests.order(asked.order_id).version == version


def test_twenty_deliveries_at_once_take_the_money_once(house: House, guests: Guests) -> None:
    asked = guests.begin()
    id_, body = f"msg_{new_id().hex}", news(asked)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: deliver(house, body, id_=id_), range(20)))
    assert {each.status_code for each in answers} == {200}
    assert len({reply_in(each).model_dump_json() for each in answers}) == 1
    standing = guests.order(asked.order_id)
    assert (standing.paid_minor, standing.due_minor) == (995, 0)
    assert standing.version == 4, "placed, asked, paid, accepted"


def test_a_second_payment_of_one_intent_is_a_conflict_and_says_how_the_order_stands(
    house: House, guests: Guests
) -> None:
    asked = guests.begin()
    assert deliver(house, news(asked)).status_code == 200
    second = deliver(house, news(asked))
    assert second.status_code == 409
    reply = reply_in(second)
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, RefusalCode.ALREADY_PAID)
    assert isinstance(reply.result, OrderReceipt)
    assert reply.result.due_minor == 0
    assert guests.order(asked.order_id).paid_minor == 995


def test_a_payment_that_failed_and_then_came_is_paid(house: House, guests: Guests) -> None:
    asked = guests.begin()
    failed = deliver(house, news(asked, "payment.failed", reason="insufficient funds"))
    assert failed.status_code == 200
    assert guests.payment(asked) is PaymentStatus.FAILED
    assert guests.order(asked.order_id).status == "placed", "the kitchen never sees it"
    assert deliver(house, news(asked)).status_code == 200
    assert guests.payment(asked) is PaymentStatus.PAID
    assert guests.order(asked.order_id).status == "accepted"
    # and what is paid does not fail any more
    late = deliver(house, news(asked, "payment.failed", reason="late"))
    assert late.status_code == 409
    assert guests.payment(asked) is PaymentStatus.PAID


@pytest.mark.parametrize(
    "spoilt",
    [
        {"secrets": (new_signing_secret(),)},
        {"headers": {"webhook-signature": "v1,AAAA"}},
        {"headers": {"webhook-signature": ""}},
        {"headers": {"webhook-id": "another"}},
        {"headers": {"webhook-timestamp": "soon"}},
        {"provider": "other"},
        {"at": 1_700_000_000},
    ],
)
def test_what_is_not_signed_just_now_by_this_provider_is_refused(
    house: House, guests: Guests, spoilt: dict[str, Any]
) -> None:
    asked = guests.begin()
    answer = deliver(house, news(asked), **spoilt)
    assert problem(answer)[:2] == (401, "bad-signature")
    assert "www-authenticate" in answer.headers
    assert guests.payment(asked) is PaymentStatus.PENDING


def test_a_changed_body_is_refused(house: House, guests: Guests) -> None:
    asked = guests.begin()
    signed = signed_headers([SECRET], "msg_1", int(time.time()), news(asked, amount_minor=1))
    with house.http() as client:
        path = "/v1/tenants/roma/payments/acme"
        answer = client.post(path, content=news(asked), headers={**JSON, **signed})
    assert problem(answer)[:2] == (401, "bad-signature")
    assert guests.payment(asked) is PaymentStatus.PENDING


def test_a_restaurant_that_does_not_exist_answers_as_a_bad_signature(
    house: House, guests: Guests
) -> None:
    body = news(guests.begin())
    wrong = (new_signing_secret(),)
    bad = problem(deliver(house, body, secrets=wrong))
    for tenant, provider in (
        ("nowhere", "acme"),
        ("napoli", "acme"),
        ("roma", "nobody"),
        ("-", "acme"),
        ("ROMA", "acme"),
        ("%00", "acme"),
    ):
        answer = deliver(house, body, secrets=wrong, tenant=tenant, provider=provider)
        assert problem(answer) == bad
        assert problem(deliver(house, body, tenant=tenant, provider=provider)) == bad


def test_an_order_or_a_payment_that_nobody_knows_is_not_found(house: House, guests: Guests) -> None:
    asked = guests.begin()
    for other in ({"order_id": str(new_id())}, {"payment_id": str(new_id())}):
        answer = deliver(house, news(asked, **other))
        assert answer.status_code == 404
        assert reply_in(answer).code is RefusalCode.NOT_FOUND
    of_another = guests.begin("other")
    assert deliver(house, news(of_another)).status_code == 404
    assert guests.payment(of_another) is PaymentStatus.PENDING


@pytest.mark.parametrize(
    ("what", "other"),
    [("payment.paid", {"amount_minor": 994}), ("payment.paid", {"currency": "GBP"})],
)
def test_another_sum_than_was_asked_is_a_conflict(
    house: House, guests: Guests, what: str, other: dict[str, Any]
) -> None:
    asked = guests.begin()
    answer = deliver(house, news(asked, what, **other))
    assert (answer.status_code, reply_in(answer).code) == (409, RefusalCode.WRONG_AMOUNT)
    assert guests.payment(asked) is PaymentStatus.PENDING


def test_an_id_that_said_something_else_before_is_a_conflict(house: House, guests: Guests) -> None:
    one, two = guests.begin(), guests.begin()
    assert deliver(house, news(one), id_="msg_reused").status_code == 200
    answer = deliver(house, news(two), id_="msg_reused")
    assert (answer.status_code, reply_in(answer).code) == (409, RefusalCode.REQUEST_ID_REUSED)
    assert guests.payment(two) is PaymentStatus.PENDING


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"type": "payment.paid"}',
        b'{"type": "payment.stolen", "data": {}}',
        b"\xff",
        b"[" * 60_000,
    ],
)
def test_a_signed_body_that_says_nothing_is_malformed(house: House, body: bytes) -> None:
    assert problem(deliver(house, body))[:2] == (400, "invalid")


@pytest.mark.parametrize(
    "other",
    [
        {"amount_minor": -1},
        {"amount_minor": 9.95},
        {"amount_minor": "995"},
        {"currency": "euro"},
        {"order_id": "1"},
        {"reason": "\x00"},
    ],
)
def test_a_field_that_is_wrong_is_named(
    house: House, guests: Guests, other: dict[str, Any]
) -> None:
    asked = guests.begin()
    status, code, message = problem(deliver(house, news(asked, **other)))
    assert (status, code) == (400, "invalid")
    assert next(iter(other)) in message


def test_a_body_too_large_and_another_content_type_are_refused(house: House) -> None:
    assert problem(deliver(house, b" " * 70_000))[:2] == (413, "too-large")
    plain = {"content-type": "text/plain"}
    assert problem(deliver(house, b"{}", headers=plain))[:2] == (415, "not-json")


def test_while_a_secret_is_changed_both_count_and_after_the_next_change_not(
    house: House, guests: Guests
) -> None:
    seal, third = seal_of(house), new_signing_secret()

    async def change(database: Database, secret: str) -> None:
        async with database.write() as connection:
            await providers.change_secret(
                connection, "roma", "turning", secret,
                seal_it=seal.seal, open_it=seal.open, actor="cli:test", now=system_clock(),
            )  # fmt: skip

    async def begin(database: Database) -> None:
        async with database.write() as connection:
            await providers.add(
                connection, "roma", "turning", SECRET,
                seal_it=seal.seal, actor="cli:test", now=system_clock(),
            )  # fmt: skip

    def pays_with(secret: str) -> int:
        asked = guests.begin("turning")
        answer = deliver(house, news(asked), provider="turning", secrets=(secret,))
        return answer.status_code

    house.call(begin)
    assert [pays_with(each) for each in (SECRET, NEXT_SECRET)] == [200, 401]
    house.call(lambda database: change(database, NEXT_SECRET))
    assert [pays_with(each) for each in (SECRET, NEXT_SECRET)] == [200, 200]
    house.call(lambda database: change(database, third))
    assert [pays_with(each) for each in (SECRET, NEXT_SECRET, third)] == [401, 200, 200]

    async def gone(database: Database) -> list[str]:
        async with database.write() as connection:
            await providers.remove(
                connection, "roma", "turning", actor="cli:test", now=system_clock()
            )
        async with database.read() as connection:
            entries = await audit.entries(connection, "roma", about="roma/turning")
        return [each.action for each in entries]

    assert house.call(gone) == [
        "provider.added",
        "provider.secret-changed",
        "provider.secret-changed",
        "provider.removed",
    ]
    assert pays_with(third) == 401


def test_no_secret_stands_in_the_database_as_it_is(house: House) -> None:
    async def kept(database: Database) -> list[str]:
        async with database.read() as connection:
            rows = await connection.execute(providers.PROVIDERS.select())
            return [row.secret for row in rows]

    for sealed in house.call(kept):
        assert "whsec_" not in sealed
        assert SECRET.removeprefix("whsec_") not in sealed
