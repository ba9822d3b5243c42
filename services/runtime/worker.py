"""The worker: from deliveries to committed decisions and their answers.

What is waiting is taken together, up to a limit, in one transaction. The fast way is
to assume that nothing in the batch was seen before; the inbox's key catches what was,
nothing is written, the known ones get their first answer again, and the rest is taken
again. When that fails too, each message is taken alone, so that one bad row
stops nobody else.

Only after the commit are messages published and the deliveries acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from schemas.message import Message, Query
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.runtime.among import among
from services.runtime.bus import Delivery, Session
from services.runtime.changed import Conflict, Stale
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.database import Database, is_away
from services.runtime.guard import Guard
from services.runtime.moment import Clock
from services.runtime.outbox import pack
from services.runtime.ports import Ports
from services.runtime.quarantine import quarantine_row
from services.runtime.questions import Questions
from services.runtime.reception import Received, Unfit, read
from services.runtime.refusal import (
    OUR_FAULT,
    OUR_FAULT_UNKEPT,
    KeptRefusal,
    Refusal,
    refused,
    rejected,
    reused,
)
from services.runtime.relay import Checkpoint, Relay, no_checkpoint
from services.runtime.router import Notice, Router
from services.runtime.tables import INBOX, OUTBOX, QUARANTINE
from services.runtime.work import Draft, Shelf, UnitOfWork

log = structlog.get_logger(__name__)

BATCH: Final = 256
STALE_TRIES: Final = 10
WARY_FOR: Final = 20
"""After a repetition was met, so many batches are first held against the inbox."""


@dataclass(slots=True)
class Decided:
    """What a transaction will keep: answers by request, messages to publish, the hopeless."""

    inbox: dict[tuple[str, UUID], dict[str, Any]] = field(default_factory=dict)
    ready: list[Outgoing] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Sorted:
    """A batch by what is to be done with it."""

    requests: list[Received] = field(default_factory=list)
    queries: list[Received] = field(default_factory=list)
    unfit: list[Unfit] = field(default_factory=list)


class Worker:
    """Handles deliveries in batches.

    Args:
        database: where decisions are kept.
        router: who handles what.
        ports: what areas offer each other.
        relay: who publishes what was decided.
        clock: the time of decisions.
        guard: turns away what is too much; None lets everything pass.
        checkpoint: called where a crash would be worst.
    """

    def __init__(
        self,
        database: Database,
        router: Router,
        ports: Ports,
        relay: Relay,
        *,
        clock: Clock,
        guard: Guard | None = None,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._guard: Final = guard
        self._database: Final = database
        self._router: Final = router
        self._ports: Final = ports
        self._relay: Final = relay
        self._clock: Final = clock
        self._checkpoint: Final = checkpoint
        self._wary = 0
        self._unsure = False  # True while a batch may be kept though we were never told
        self._shelf: Final = Shelf()
        self.counts: Final[Counter[str]] = Counter() if guard is None else guard.counts
        self.questions: Final = Questions(database, router, ports, self.counts)
        self._busy = asyncio.Lock()
        self._stopping = False

    async def begin(self) -> None:
        """Know nothing of before: another process may have served in the meantime."""
        self._shelf.clear()
        self._wary = 0

    async def run(self, session: Session) -> None:
        """Handle what the session brings until it is lost."""
        if self._guard is not None:
            self._guard.begin()
            session.wait_in(self._guard)
        while not self._stopping:
            await self._relay.room()
            deliveries = await session.receive(BATCH)
            async with self._busy:
                await self._work(deliveries)
                session.acknowledge(deliveries)
                session.send_now()
                self._checkpoint("acknowledged")

    async def stop(self) -> None:
        """Begin no further batch, and wait until the one at hand is finished."""
        self._stopping = True
        async with self._busy:
            return

    async def decide(self, requests: Sequence[Received]) -> bool:
        """Decide and keep what came another way than over MQTT; the inbox has the answers.

        Returns:
            False where the services end: then none of it was begun.
        """
        await self._relay.room()
        async with self._busy:
            if self._stopping:
                return False
            await self._until_kept(Sorted(requests=list(requests)), self._clock())
            return True

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Decide a batch and hand what follows from it to the relay."""
        await self._work(deliveries if self._guard is None else self._guard.sieve(deliveries))

    async def _work(self, deliveries: Sequence[Delivery]) -> None:
        now = self._clock()
        batch = self._sort(deliveries, now)
        if batch.requests or batch.unfit:
            await self._until_kept(batch, now)
        for query in batch.queries:
            await self._answer(query, now)

    def _sort(self, deliveries: Sequence[Delivery], now: datetime) -> Sorted:
        batch = Sorted()
        for delivery in deliveries:
            entry = read(delivery, now)
            if entry is None:
                continue
            if isinstance(entry, Unfit):
                self.counts[f"unfit:{entry.code}"] += 1
                unfit = entry if self._guard is None else self._guard.weigh(entry)
                if unfit is not None:
                    batch.unfit.append(unfit)
                    log.info("unfit", topic=delivery.topic, code=unfit.code, why=unfit.reason)
            elif isinstance(entry.message, Query):
                batch.queries.append(entry)
            elif type(entry.message) in self._router.handlers:
                batch.requests.append(entry)
            else:
                self._notice(entry, now)
        return batch

    def _notice(self, entry: Received, now: datetime) -> None:
        self.counts["notices"] += 1
        listener = self._router.listeners.get(type(entry.message))
        if listener is not None:
            retained, topic = entry.delivery.retain, entry.delivery.topic
            listener(Notice(entry.message, entry.tenant, entry.device, retained, now, topic))

    async def _until_kept(self, batch: Sorted, now: datetime) -> None:
        """Try until the database has taken the batch; while it is away, nothing is acked."""
        pause = 0.1
        while True:
            try:
                await self._keep(batch, now)
            except Exception as error:
                if not is_away(error):
                    raise
                self._unsure = True
                self.counts["database away"] += 1
                log.warning("database away; trying again", why=str(error)[:200], in_s=pause)
                await asyncio.sleep(pause)
                pause = min(2.0, pause * 2)
            else:
                self._unsure = False
                return

    async def _keep(self, batch: Sorted, now: datetime) -> None:
        requests: Sequence[Received] = batch.requests
        if self._wary:
            self._wary -= 1
            requests = await self._answer_known(requests, now)
        try:
            await self._together(requests, batch.unfit, now)
        except Conflict:
            self._wary = WARY_FOR
        except Exception as error:
            if is_away(error):
                raise
            log.exception("a batch failed; taking its messages one by one")
        else:
            return
        requests = await self._answer_known(requests, now)
        try:
            await self._together(requests, batch.unfit, now)
        except Exception as error:
            if is_away(error):
                raise
            await self._one_by_one(requests, batch.unfit, now)

    async def _one_by_one(
        self, requests: Sequence[Received], unfit: Sequence[Unfit], now: datetime
    ) -> None:
        for each in requests:
            for left in await self._answer_known([each], now):
                try:
                    await self._together([left], [], now)
                except Exception as error:
                    if is_away(error):
                        raise
                    log.exception("a request cannot be kept", topic=each.delivery.topic)
                    await self._together([], [self._hopeless(left)], now)
        for bad in unfit:
            await self._together([], [bad], now)

    async def _together(
        self, requests: Sequence[Received], unfit: Sequence[Unfit], now: datetime
    ) -> None:
        """Decide and keep these, all or none; again, where others changed the rows meanwhile."""
        if not requests and not unfit:
            return
        for _ in range(STALE_TRIES):
            try:
                await self._attempt(requests, unfit, now)
            except BaseException as error:
                # Others have written; or this was kept, and whoever is cancelled is never told.
                self._shelf.clear()
                if not isinstance(error, Stale):
                    raise
                self.counts["decided again"] += 1
            else:
                return
        raise Stale

    async def _attempt(
        self, requests: Sequence[Received], unfit: Sequence[Unfit], now: datetime
    ) -> None:
        """Decide and keep these in one write, then hand their messages on."""
        decided = Decided()
        async with self._database.decide() as connection:
            work = UnitOfWork(connection, self._shelf)
            await self._prepare(work, requests)
            for received in requests:
                await self._decide(work, received, decided, now)
            for bad in unfit:
                if bad.device is not None:
                    decided.ready.append(_rejection(bad, bad.device, now))
                if bad.kept:
                    decided.quarantine.append(quarantine_row(bad, now))
            parcels = pack(decided.ready)
            self._checkpoint("decided")
            await work.flush(
                {
                    OUTBOX: [parcel.row() for parcel in parcels],
                    INBOX: list(decided.inbox.values()),
                    QUARANTINE: decided.quarantine,
                }
            )
        self._checkpoint("committed")
        work.shelve()
        self.counts.update(decided.counts)
        self._relay.offer(parcels)
        self._checkpoint("published")

    async def _prepare(self, work: UnitOfWork, requests: Sequence[Received]) -> None:
        if len(requests) == 1:
            return  # its handler reads what it needs, and there is nobody to share with
        kinds: dict[type[Message], list[tuple[str, Message]]] = {}
        for received in requests:
            kinds.setdefault(type(received.message), []).append((received.tenant, received.message))
        draft = Draft(work)
        for kind, asked in kinds.items():
            for preparer in self._router.preparers.get(kind, ()):
                await preparer(draft, self._ports, asked)

    async def _decide(
        self,
        work: UnitOfWork,
        received: Received,
        decided: Decided,
        now: datetime,
    ) -> None:
        request_id = received.request_id
        if request_id is None:
            return
        key = (received.tenant, request_id)
        digest = received.digest()
        if (seen := decided.inbox.get(key)) is not None:  # the same request twice in one batch
            if not received.inside:
                decided.ready.append(_again(received, seen, digest, now))
            return
        context = Context(
            work,
            tenant=received.tenant,
            device=received.device,
            request_id=request_id,
            now=now,
            ports=self._ports,
            tell=self._router.tell,
        )
        try:
            await self._router.handlers[type(received.message)](received.message, context)
        except Refusal as refusal:
            decided.counts[f"refused:{refusal.code}"] += 1
            reply = refused(request_id, refusal, context.standing)
            if isinstance(refusal, KeptRefusal):
                work.merge(context.draft.changes)
                decided.ready.extend(context.emitted)
        except SQLAlchemyError:
            raise  # the transaction is broken, not the message
        except Exception:
            decided.counts["faults"] += 1
            log.exception("a handler failed", topic=received.delivery.topic)
            fault = self._hopeless(received)
            reply = rejected(request_id, fault.code, fault.reason)
            if fault.kept:
                decided.quarantine.append(quarantine_row(fault, now))
        else:
            decided.counts[f"done:{received.message.type_name}"] += 1
            work.merge(context.draft.changes)
            decided.ready.extend(context.emitted)
            reply = Reply(request=request_id, outcome=Outcome.ACCEPTED, result=context.result)
        if not received.inside:
            answer = outgoing(
                reply,
                tenant=received.tenant,
                now=now,
                causation=request_id,
                device=received.device,
            )
            decided.ready.append(answer)
        decided.inbox[key] = {
            "tenant": received.tenant,
            "request_id": request_id,
            "device": received.device,
            "type": received.message.type_name,
            "digest": digest,
            "reply": reply.model_dump_json(),
            "received_at": now,
        }

    def _hopeless(self, received: Received) -> Unfit:
        kept = self._guard is None or self._guard.may_keep((received.tenant, received.device))
        return Unfit(
            received.delivery,
            received.tenant,
            None if received.inside else received.device,
            received.request_id,
            RefusalCode.INTERNAL,
            OUR_FAULT if kept else OUR_FAULT_UNKEPT,
            kept,
        )

    async def _answer_known(self, requests: Sequence[Received], now: datetime) -> list[Received]:
        """Give those that were answered before their first answer; return the others."""
        seen: dict[tuple[str, UUID], Any] = {}
        async with self._database.read() as connection:
            for tenant in {each.tenant for each in requests}:
                ids = [each.request_id for each in requests if each.tenant == tenant]
                query = select(INBOX).where(INBOX.c.tenant == tenant)
                chosen = among(INBOX.c.request_id, ids, connection.dialect.name)
                for row in (await connection.execute(query.where(chosen))).mappings():
                    seen[tenant, row["request_id"]] = row
        fresh: list[Received] = []
        again: list[Outgoing] = []
        for each in requests:
            known = seen.get((each.tenant, each.request_id)) if each.request_id else None
            if known is None:
                fresh.append(each)
            elif not each.inside:
                again.append(_again(each, known, each.digest(), now))
        if len(fresh) < len(requests) and self._unsure:
            # They were kept, and what follows from them was never handed over: it goes out
            # before anything that is decided later, or the older word would stand retained.
            await self._relay.collect(everything=True)
        if again:
            self._wary = WARY_FOR
            self.counts["repeated"] += len(again)
            self._relay.say(again)
        return fresh

    async def _answer(self, query: Received, now: datetime) -> None:
        """Answer a question; while the database is away, not at all."""
        try:
            reply = await self.questions.reply_to(query, now)
        except Exception as error:
            if not is_away(error):
                raise
            # Whoever asked asks again; nothing was promised.
            log.warning("database away; a question is not answered", why=str(error)[:200])
            return
        if reply is None:
            return
        answer = outgoing(
            reply,
            tenant=query.tenant,
            now=now,
            causation=query.request_id,
            device=query.device,
        )
        self._relay.say([answer])


def _again(received: Received, seen: Any, digest: str, now: datetime) -> Outgoing:
    """The first answer once more; or a refusal, where another request came under its id."""
    if seen["digest"] == digest and seen["device"] == received.device:
        reply = Reply.model_validate_json(seen["reply"])
    else:
        reply = reused(received.request_id)
    return outgoing(
        reply,
        tenant=received.tenant,
        now=now,
        causation=received.request_id,
        device=received.device,
    )


def _rejection(unfit: Unfit, device: str, now: datetime) -> Outgoing:
    return outgoing(
        rejected(unfit.request_id, unfit.code, unfit.reason),
        tenant=unfit.tenant,
        now=now,
        causation=unfit.request_id,
        device=device,
    )
