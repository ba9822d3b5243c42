"""Acknowledged and published only after the commit: without a broker, step by step."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from cli.compose import area_router, stored_ports
from schemas.envelope import device_source, encode
from schemas.identifiers import new_id
from schemas.kitchen_requests import ReadStation
from schemas.menu import MenuItem
from schemas.message import Request
from services.menu import store as menu_store
from services.orders.store import ORDERS
from services.people.store import Tenant, add_tenant
from services.runtime.bus import ConnectionLost, Delivery, WaitingRoom
from services.runtime.database import Database
from services.runtime.relay import Relay
from services.runtime.tables import INBOX, OUTBOX
from services.runtime.work import UnitOfWork
from services.runtime.worker import Worker
from tests.patience import PATIENCE_S
from tests.spoken import order

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


async def so(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for has no events
            await asyncio.sleep(0)


class RecordingSession:
    """A `Session` that brings what it is given, and writes down what happens, in order."""

    def __init__(self, told: list[str]) -> None:
        self.told = told
        self.waiting: list[Delivery] = []
        self.lost = False
        self._tags = 0
        self._confirmed: Callable[[int], None] = lambda _tag: None
        self._told_of_loss: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()

    def bring(self, *requests: Request) -> None:
        for request in requests:
            self._tags += 1
            payload = encode(
                request,
                id=new_id(),
                source=device_source("roma", "pos-1"),
                time=NOW,
            )
            topic = request.topic(tenant="roma", device="pos-1")
            self.waiting.append(Delivery(topic, payload, retain=False, qos=1, tag=self._tags))
        self._wake.set()

    def lose(self) -> None:
        self.lost = True
        self._wake.set()
        self._told_of_loss()

    def wait_in(self, room: WaitingRoom) -> None:
        raise AssertionError(f"{room}: without a guard nobody asks for that")

    async def receive(self, limit: int) -> list[Delivery]:
        while not self.waiting:
            if self.lost:
                raise ConnectionLost("the test has cut it")
            self._wake.clear()
            await self._wake.wait()
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    def wake(self) -> None:
        self._wake.set()

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.told += [f"acknowledged {delivery.tag}" for delivery in deliveries]

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        del payload, qos, retain
        if self.lost:
            raise ConnectionLost("the test has cut it")
        self.told.append(f"published {topic.split('/')[3]}")
        self._tags += 1
        return self._tags

    def on_confirmed(self, callback: Callable[[int], None]) -> None:
        self._confirmed = callback

    def on_lost(self, callback: Callable[[], None]) -> None:
        self._told_of_loss = callback

    def send_now(self) -> None:
        pass

    async def subscribe(self, *filters: str) -> None:
        pass

    async def unsubscribe(self, *filters: str) -> None:
        pass


class Stage:
    """A worker with its relay, on a real database and the recording session."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[str] = []
        self.session = RecordingSession(self.told)
        self.relay = Relay(database, lambda: NOW, self.told.append)
        self.worker = Worker(
            database,
            area_router(),
            stored_ports(),
            self.relay,
            clock=lambda: NOW,
            checkpoint=self.told.append,
        )

    async def until(self, *expected: str) -> None:
        """Let the worker run until the last of these is told; they come in this order."""
        running = asyncio.create_task(self.worker.run(self.session))
        await so(lambda: expected[-1] in self.told or running.done())
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        places = [self.told.index(each) for each in expected]
        assert places == sorted(places), self.told

    async def count(self) -> tuple[int, int, int]:
        """How many orders, answers and parcels are kept."""
        async with self.database.read() as connection:
            found = [
                await connection.scalar(select(func.count()).select_from(table)) or 0
                for table in (ORDERS, INBOX, OUTBOX)
            ]
        return found[0], found[1], found[2]


@pytest.fixture
async def stage(database: Database) -> Stage:
    burger = MenuItem(
        item="burger", name="Burger", station="grill", price_minor=995, currency="GBP"
    )
    async with database.write() as connection:
        await add_tenant(connection, Tenant("roma", "Roma", "GBP", NOW))
        await menu_store.write(connection, "roma", [burger], [])
    made = Stage(database)
    await made.relay.attach(made.session)
    return made


async def test_a_request_is_committed_then_published_then_acknowledged(stage: Stage) -> None:
    stage.session.bring(order("burger"), order("soup"))
    await stage.until(
        "decided", "committed", "published state", "published reply", "acknowledged 1"
    )
    assert stage.told.count("committed") == 1, "what waits is decided together"
    assert "acknowledged 2" in stage.told, "a refusal is an answer too"
    assert await stage.count() == (1, 2, 1)


async def test_what_is_not_committed_is_neither_published_nor_acknowledged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures, ours = UnitOfWork.flush, 2, threading.current_thread()

    async def fail(self: UnitOfWork, appended: object) -> None:
        nonlocal failures
        # Other tests' systems may run in this process, on threads of their own.
        if failures and threading.current_thread() is ours:
            failures -= 1
            stage.told.append("away")
            raise ConnectionResetError("the database is gone")
        await real(self, appended)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(UnitOfWork, "flush", fail)
    stage.session.bring(order("burger"))
    await stage.until("away", "committed", "published reply", "acknowledged 1")
    assert stage.told.index("published state") > stage.told.index("committed")
    assert stage.worker.counts["database away"] == 2
    assert await stage.count() == (1, 1, 1), "and it is done once"


async def test_the_parcel_waits_in_the_outbox_until_the_broker_has_taken_all_of_it(
    stage: Stage,
) -> None:
    stage.session.bring(order("burger"))
    await stage.until("committed", "acknowledged 1")
    assert (await stage.count())[2] == 1
    tags = list(stage.relay._in_flight)
    assert len(tags) >= 3  # the ticket, the news, the reply
    for tag in tags[:-1]:
        stage.session._confirmed(tag)
    assert not stage.relay._taken
    assert (await stage.count())[2] == 1
    stage.session._confirmed(tags[-1])
    await stage.relay.finish()
    assert (await stage.count())[2] == 0


async def test_after_a_lost_connection_everything_unconfirmed_goes_out_again_in_order(
    stage: Stage,
) -> None:
    stage.session.bring(order("burger"), order("burger"))
    await stage.until("committed", "acknowledged 2")
    first = [each for each in stage.told if each.startswith("published ")]
    stage.session.lose()
    assert stage.relay.backlog == 0
    told: list[str] = []
    again = RecordingSession(told)
    attaching = asyncio.create_task(stage.relay.attach(again))
    await so(lambda: len(told) == len(first))
    assert told == first
    for tag in list(stage.relay._in_flight):
        again._confirmed(tag)
    await attaching
    await stage.relay.finish()
    assert await stage.count() == (2, 2, 0)


async def test_a_question_is_answered_without_a_trace(stage: Stage) -> None:
    stage.session.bring(ReadStation(station="grill"))
    await stage.until("published reply", "acknowledged 1")
    assert "committed" not in stage.told
    assert await stage.count() == (0, 0, 0)


async def test_a_question_that_fails_for_a_fault_of_ours_is_answered_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(stage.worker._router, "answerers", {ReadStation: broken})
    stage.session.bring(ReadStation(station="grill"), order("burger"))
    await stage.until("published reply", "acknowledged 2")
    assert stage.told.count("published reply") == 2
    assert stage.worker.counts["faults"] == 1
    assert await stage.count() == (1, 1, 1)


async def test_a_worker_that_was_asked_to_stop_finishes_the_batch_at_hand(stage: Stage) -> None:
    stage.session.bring(order("burger"))
    running = asyncio.create_task(stage.worker.run(stage.session))
    await so(lambda: "decided" in stage.told)
    await stage.worker.stop()
    assert "acknowledged 1" in stage.told
    running.cancel()
    assert await stage.count() == (1, 1, 1)
