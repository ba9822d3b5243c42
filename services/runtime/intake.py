"""The intake: hands requests to the worker of this same process, without MQTT, exactly once.

For what comes over HTTP or in files, and for what the services ask of themselves: a provider
says that money came, the time of an order has come. Whoever asks waits until the decision is
kept, and gets the answer that stands in the inbox: the first one, however often and however
late the same id comes again. What comes while the worker is busy is taken as one batch.

Only the process that serves takes anything. Its intake is open for as long as a connection
to the broker is served, like the worker's own; then those who wait are sent away, and ask
again with the same id: whether they were heard before, the inbox knows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select

from schemas.envelope import encode, service_source
from schemas.identifiers import reserved
from schemas.message import Query, Request
from schemas.refusals import RefusalCode
from schemas.replies import Reply
from services.runtime.among import among
from services.runtime.bus import Delivery
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.names import OURSELVES
from services.runtime.reception import Received
from services.runtime.refusal import OUR_FAULT_UNKEPT, rejected, reused
from services.runtime.router import Router
from services.runtime.tables import INBOX
from services.runtime.worker import BATCH, Worker

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 10.0
"""How long one waits for an answer before one is sent away."""
RETRY_AFTER_S: Final = 2.0
QUESTIONS_AT_ONCE: Final = 3
"""Each takes a connection to the database, of which there are few."""
_LOOK_AGAIN_S: Final = 0.1

Key = tuple[str, UUID]


class NotServing(Exception):
    """Nothing was answered: this process does not serve now, or not in time.

    Whether it was done, nobody knows yet: the same request, with the same id, is safe.
    """


def of_ourselves(tenant: str, message: Request, request_id: UUID, now: datetime) -> Received:
    """Make a request of the services themselves: under a name and an id that no device has."""
    request_id = reserved(request_id)
    payload = encode(message, id=request_id, source=service_source(tenant), time=now)
    topic = message.topic(tenant=tenant, device=OURSELVES)
    delivery = Delivery(topic, payload, retain=False, qos=1, tag=0)
    return Received(delivery, tenant, OURSELVES, message, request_id, inside=True)


@dataclass(slots=True)
class _Waiter:
    received: Received
    key: Key
    answer: asyncio.Future[Reply]

    def fail(self, error: Exception) -> None:
        """Let the asker know that there is no answer."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Intake:
    """Takes requests that did not come over MQTT.

    Args:
        worker: decides them.
        router: who handles what.
        database: where the answers stand.
        clock: the time of answers to questions.
        patience_s: how long an asker waits.
    """

    def __init__(
        self,
        worker: Worker,
        router: Router,
        database: Database,
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._worker: Final = worker
        self._router: Final = router
        self._database: Final = database
        self._clock: Final = clock
        self._patience_s: Final = patience_s
        self._questions: Final = worker.questions
        self._waiting: Final[deque[_Waiter]] = deque()
        self._in_hand: list[_Waiter] = []
        self._answering: Final[dict[asyncio.Task[None], _Waiter]] = {}
        self._questioners: Final = asyncio.Semaphore(QUESTIONS_AT_ONCE)
        self._wake = asyncio.Event()
        self._open = False

    @property
    def is_open(self) -> bool:
        """Whether anything is taken now."""
        return self._open

    async def ask(self, received: Received) -> Reply:
        """Have a request decided and kept, or a question answered.

        Args:
            received: what is asked, by whom; `inside` must be set, or the answer would go
                out over MQTT as well.

        Returns:
            The answer; for a request that was answered before, the first one.

        Raises:
            NotServing: ask again, with the same id.
            ValueError: it has no id, or its answer would go elsewhere.
        """
        request_id = received.request_id
        if request_id is None or not received.inside:
            raise ValueError(f"{received.message.type_name} cannot be asked so")
        if not self._open:
            raise NotServing("this process does not serve now")
        kind = type(received.message)
        if kind not in self._router.handlers and kind not in self._router.answerers:
            return _unknown(request_id, received.message)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(received, (received.tenant, request_id), answer)
        self._waiting.append(waiter)
        self._wake.set()
        try:
            async with asyncio.timeout(self._patience_s):
                return await answer
        except TimeoutError:
            raise NotServing(f"no answer within {self._patience_s:g} s") from None
        finally:
            answer.cancel()  # who went away needs no answer, and need not be begun either

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        """Have something done that the services ask of themselves.

        Args:
            tenant: whose.
            message: what.
            request_id: one that always belongs to this very thing. It is done under this id
                in another form, which no device may use: see `schemas.identifiers.reserved`.

        Raises:
            NotServing: ask again, with the same id.
        """
        return await self.ask(of_ourselves(tenant, message, request_id, self._clock()))

    async def run(self) -> None:
        """Hand on what comes, for as long as this process serves."""
        self._open = True
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._take()
        finally:
            self._open = False
            for task in self._answering:
                task.cancel()
            self._send_away([*self._in_hand, *self._answering.values(), *self._waiting])
            self._waiting.clear()
            self._in_hand = []

    async def _take(self) -> None:
        batch: list[_Waiter] = []
        while self._waiting and len(batch) < BATCH:
            waiter = self._waiting.popleft()
            if not waiter.answer.done():
                batch.append(waiter)
        if not batch:
            return
        self._in_hand = batch
        requests = [each for each in batch if not isinstance(each.received.message, Query)]
        if requests:
            await self._decide(requests)
        # Only now, as over MQTT: who asks after having said something is told of it.
        for waiter in batch:
            if isinstance(waiter.received.message, Query):
                task = asyncio.create_task(self._answer(waiter))
                self._answering[task] = waiter
                task.add_done_callback(self._answered)
        self._in_hand = []

    async def _decide(self, batch: Sequence[_Waiter]) -> None:
        try:
            if not await self._worker.decide([each.received for each in batch]):
                self._send_away(batch)
                return
            kept = await self._kept({each.key for each in batch})
        except Exception as error:
            # Whatever it is, it ends with those who asked: orders over MQTT go on.
            log.exception("what came another way could not be decided")
            for waiter in batch:
                waiter.fail(error)
            return
        for waiter in batch:
            if not waiter.answer.done():
                waiter.answer.set_result(_first_answer(waiter, kept))

    async def _kept(self, keys: set[Key]) -> dict[Key, tuple[str, str, Reply]]:
        """Read the answers: device, digest and reply by key. Waits while the database is away."""
        while True:
            try:
                return await self._read(keys)
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _read(self, keys: set[Key]) -> dict[Key, tuple[str, str, Reply]]:
        ids: dict[str, list[UUID]] = {}
        for tenant, request_id in keys:
            ids.setdefault(tenant, []).append(request_id)
        found = {}
        async with self._database.read() as connection:
            for tenant, wanted in ids.items():
                chosen = among(INBOX.c.request_id, wanted, connection.dialect.name)
                query = select(INBOX).where(INBOX.c.tenant == tenant).where(chosen)
                for row in await connection.execute(query):
                    reply = Reply.model_validate_json(row.reply)
                    found[tenant, row.request_id] = (row.device, row.digest, reply)
        return found

    async def _answer(self, waiter: _Waiter) -> None:
        """Answer a question, while others are decided."""
        query = waiter.received
        try:
            async with self._questioners:
                reply = await self._questions.reply_to(query, self._clock())
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked is told
            away = is_away(error)
            waiter.fail(NotServing("the database is away") if away else error)
            return
        if not waiter.answer.done():
            waiter.answer.set_result(reply or _unknown(query.request_id, query.message))

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering.pop(task, None)

    @staticmethod
    def _send_away(waiters: Sequence[_Waiter]) -> None:
        for waiter in waiters:
            waiter.fail(NotServing("this process serves no more"))


def _first_answer(waiter: _Waiter, kept: dict[Key, tuple[str, str, Reply]]) -> Reply:
    received = waiter.received
    found = kept.get(waiter.key)
    if found is None:  # it could not be kept: the log says why, and quarantine has it
        return rejected(received.request_id, RefusalCode.INTERNAL, OUR_FAULT_UNKEPT)
    device, digest, reply = found
    if (device, digest) != (received.device, received.digest()):
        return reused(received.request_id)
    return reply


def _unknown(request_id: UUID | None, message: object) -> Reply:
    text = f"{getattr(message, 'type_name', '')!r} is not handled here"
    return rejected(request_id, RefusalCode.UNKNOWN_TYPE, text)
