"""Webhooks of notices, against a real server that fails, hangs, redirects and answers late."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from schemas.notices import ChannelKind, NoticeStatus
from services.notices.retrying import Patience
from services.notices.webhook import UnusableAddress, checked_url
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.signatures import verify
from tests.services.notice_world import HASTY, SECRET, NoticeWorld, eventually, quick
from tests.webhook_server import HANG_S, Answer, Arrival, webhook_server

WEBHOOK = ChannelKind.WEBHOOK


@pytest.fixture
async def world(database: Database) -> NoticeWorld:
    return await NoticeWorld.make(database)


async def test_a_webhook_carries_the_order_and_a_signature_that_holds(world: NoticeWorld) -> None:
    with webhook_server() as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        async with world.sending():
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT
    assert row["attempts"] == 1
    assert row["snapshot"] is None
    assert row["to"] is None
    (arrival,) = server.arrivals
    assert verify(arrival.headers, arrival.body, [SECRET], system_clock()).id == str(made)
    told = json.loads(arrival.body)
    assert told["type"] == "order.ready"
    assert told["data"]["notice_id"] == str(made)
    assert told["data"]["headline"] == "Trattoria Roma: your order SAMPLE-1 is ready"
    assert told["data"]["order"]["lines"][0]["allergens"] == ["gluten", "milk"]


async def test_a_server_that_fails_gets_it_again_under_the_same_id(world: NoticeWorld) -> None:
    with webhook_server(lambda number, _: Answer(500 if number < 3 else 200)) as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        async with world.sending():
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT
    assert row["attempts"] == 3
    assert server.ids == [str(made)] * 3
    for each in server.arrivals:
        verify(each.headers, each.body, [SECRET], system_clock())


async def test_a_server_that_never_works_leaves_a_dead_letter_with_its_reason(
    world: NoticeWorld,
) -> None:
    with webhook_server(lambda *_: Answer(503, body=b"the\x1b[31m kitchen\nburns")) as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        async with world.sending():
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.DEAD
    assert row["error"] == "HTTP 503: the [31m kitchen burns"
    assert row["attempts"] == HASTY.attempts == len(server.arrivals)
    assert row["snapshot"]["order"]["number"] == "SAMPLE-1", "a person may replay it"


@pytest.mark.parametrize("status", [400, 404, 410, 422, 301, 308])
async def test_what_would_fail_for_ever_is_tried_once(world: NoticeWorld, status: int) -> None:
    with webhook_server() as elsewhere:
        moved = Answer(status, headers={"location": elsewhere.url})
        with webhook_server(lambda *_: moved) as server:
            await world.channel("till", WEBHOOK, server.url)
            made = await world.notice("till")
            async with world.sending():
                (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.DEAD
    assert row["error"].startswith(f"HTTP {status}")
    assert len(server.arrivals) == 1
    assert elsewhere.arrivals == [], "redirects are not followed"


async def test_a_passing_redirect_is_tried_again_where_it_was(world: NoticeWorld) -> None:
    def judge(number: int, _arrival: Arrival) -> Answer:
        return Answer(302, headers={"location": "http://127.0.0.1:1/"}) if number == 1 else Answer()

    with webhook_server(judge) as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        async with world.sending():
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT
    assert len(server.arrivals) == 2


async def test_a_server_may_say_when_to_come_again(world: NoticeWorld) -> None:
    slow = Answer(429, headers={"retry-after": "300"})
    with webhook_server(lambda *_: slow) as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        async with world.sending():
            row = await world.until(made, lambda row: row["attempts"] == 1)
    assert row["status"] == NoticeStatus.WAITING
    assert row["next_at"] > system_clock() + timedelta(seconds=200)
    assert len(server.arrivals) == 1


async def test_a_server_that_hangs_delays_nobody_else(world: NoticeWorld) -> None:
    with (
        webhook_server(lambda *_: Answer(after_s=HANG_S)) as hanging,
        webhook_server() as well,
    ):
        await world.channel("hangs", WEBHOOK, hanging.url)
        await world.channel("works", WEBHOOK, well.url)
        stuck = [await world.notice("hangs") for _ in range(30)]
        # Longer than the test may take: nothing is given up, and nobody may wait for it.
        settings = quick(webhook_timeout_s=HANG_S)
        async with world.sending(settings):
            await eventually(lambda: hanging.arrivals)
            made = [await world.notice("works") for _ in range(20)]
            rows = await world.until_ended(*made)
            waiting = {(await world.row(each))["status"] for each in stuck}
        assert {row["status"] for row in rows} == {NoticeStatus.SENT}
        assert hanging.at_once <= 4
        assert waiting == {NoticeStatus.WAITING}


async def test_a_server_that_hangs_is_given_up_and_tried_again(world: NoticeWorld) -> None:
    def judge(number: int, _arrival: Arrival) -> Answer:
        return Answer(after_s=HANG_S if number == 1 else 0)

    with webhook_server(judge) as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        calm = Patience(first_s=3.0, longest_s=3.0)
        async with world.sending(quick(webhook_timeout_s=2.0, patience=calm)):
            row = await world.until(made, lambda row: row["attempts"] >= 1)
            assert row["error"] == "no answer within 2 s"
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT
    assert len(server.ids) >= 2
    assert set(server.ids) == {str(made)}


async def test_an_answer_that_is_late_but_in_time_counts(world: NoticeWorld) -> None:
    with webhook_server(lambda *_: Answer(200, after_s=0.6)) as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        async with world.sending(quick()):
            (row,) = await world.until_ended(made)
    assert (row["status"], row["attempts"]) == (NoticeStatus.SENT, 1)
    assert len(server.arrivals) == 1


@pytest.mark.parametrize("status", [200, 400])
async def test_an_answer_without_an_end_is_not_read_to_it(world: NoticeWorld, status: int) -> None:
    with webhook_server(lambda *_: Answer(status, endless=True)) as server:
        await world.channel("till", WEBHOOK, server.url)
        made = await world.notice("till")
        async with world.sending(quick()):
            (row,) = await world.until_ended(made)
    assert row["status"] == (NoticeStatus.SENT if status == 200 else NoticeStatus.DEAD)
    assert len(row["error"] or "") < 300


async def test_a_server_that_is_not_there_leaves_the_notice_waiting(world: NoticeWorld) -> None:
    with webhook_server() as server:
        url = server.url
    await world.channel("till", WEBHOOK, url)
    made = await world.notice("till")
    async with world.sending():
        row = await world.until(made, lambda row: row["attempts"] >= 1)
    assert row["error"].startswith("cannot be reached")


@pytest.mark.parametrize(
    "url",
    [
        "http://pos.example/hooks",
        "ftp://pos.example/",
        "https://ada:secret@pos.example/",
        "https://pos.example/#here",
        "https://pos.example/a b",
        "https:///hooks",
        "https://pos.example:99999/",
        "pos.example",
        "https://pos.example/" + "x" * 500,
    ],
)
def test_an_address_that_will_not_do_is_refused(url: str) -> None:
    with pytest.raises(UnusableAddress):
        checked_url(url, plaintext=False)


@pytest.mark.parametrize(
    ("url", "plaintext"),
    [
        ("https://pos.example/hooks?x=1", False),
        ("http://127.0.0.1:8080/hooks", False),
        ("http://localhost/hooks", False),
        ("http://[::1]:80/", False),
        ("http://pos.example/hooks", True),
    ],
)
def test_an_address_that_will_do_is_kept_as_it_is(url: str, plaintext: bool) -> None:
    assert checked_url(url, plaintext=plaintext) == url
