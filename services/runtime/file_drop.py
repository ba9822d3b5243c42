"""The file drop: other systems ask by putting files into a folder of their restaurant.

``DIR/{tenant}/NAME.json`` is one request, ``NAME.jsonl`` one a line: the same envelope as over
MQTT, from the device `file-drop`. Beside it comes ``NAME.reply.json`` with the same reply,
and the file goes to ``done/``, or to ``refused/``.

The order of steps makes it exactly once: the request is kept, its reply is written, the file
is moved. Killed anywhere in between, the file is found again, and its id has the first answer.

Files of a restaurant are taken in the order of their names, each restaurant by itself: one
that is over its limits, or whose folder cannot be written, keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import select

from broker_config.access import Identity
from schemas.devices import Role
from schemas.envelope import encode, service_source
from schemas.identifiers import is_slug, new_id
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.runtime import drop_folder
from services.runtime.among import among
from services.runtime.database import Database, is_away
from services.runtime.drop_folder import DONE, REFUSED, Answered, Dropped
from services.runtime.intake import NotServing
from services.runtime.moment import Clock
from services.runtime.names import FILE_DROP
from services.runtime.other_systems import OtherSystems
from services.runtime.refusal import rejected
from services.runtime.relay import Checkpoint, no_checkpoint
from services.runtime.tables import TENANTS

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 100
"""Requests of one restaurant that are decided together, at most."""
LEFT_ALONE_S: Final = 60.0
"""A file that cannot be put away is tried again after so long; each time it has the same answer."""
_ALL: Final = ""
"""Instead of a file's name: all of a restaurant's."""
_MOST_SAID: Final = 1_000
_LEAST_WAIT_S: Final = 0.05


class FileDrop:
    """Watches a drop folder.

    Args:
        root: the folder; in it, one for each restaurant.
        systems: does what is asked.
        database: knows the restaurants.
        clock: the time of replies.
        serving: tells whether this process serves: one that stands by takes no file.
        checkpoint: called where a crash would be worst.
    """

    def __init__(
        self,
        root: Path,
        systems: OtherSystems,
        database: Database,
        clock: Clock,
        *,
        serving: Callable[[], bool],
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._root: Final = root
        self._systems: Final = systems
        self._database: Final = database
        self._clock: Final = clock
        self._serving: Final = serving
        self._checkpoint: Final = checkpoint
        self._tending: dict[str, asyncio.Task[None]] = {}
        self._said: set[str] = set()
        self._alone: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Look once a second, for ever."""
        try:
            while True:
                if self._serving():
                    await self._look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            tasks = list(self._tending.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        now = time.monotonic()
        self._alone = {key: until for key, until in self._alone.items() if until > now}
        try:
            found = await asyncio.to_thread(drop_folder.waiting, self._root)
            known = await self._known(found)
        except OSError as error:
            self._say_once(f"the drop folder cannot be read: {error.strerror}")
            return
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away; files wait", why=str(error)[:200])
            return
        for name in found:
            if name not in known:
                self._say_once(f"files wait in {name!r:.80}, and no restaurant is called so")
            elif name not in self._tending and (name, _ALL) not in self._alone:
                task = asyncio.create_task(self._tend(name))
                self._tending[name] = task
                task.add_done_callback(partial(self._tended, name))

    def _tended(self, tenant: str, _task: object) -> None:
        self._tending.pop(tenant, None)

    async def _known(self, found: Sequence[str]) -> set[str]:
        names = [name for name in found if is_slug(name)]
        if not names:
            return set()
        async with self._database.read() as connection:
            chosen = among(TENANTS.c.tenant, names, connection.dialect.name)
            return set(await connection.scalars(select(TENANTS.c.tenant).where(chosen)))

    async def _tend(self, tenant: str) -> None:
        """Do what lies in one restaurant's folder."""
        try:
            while True:
                skip = {name for whose, name in self._alone if whose == tenant}
                page = await asyncio.to_thread(drop_folder.next_page, self._root, tenant, skip)
                if not page:
                    return
                await self._do(tenant, page)
        except NotServing:
            pass  # the files stay, for whoever serves next
        except OSError as error:
            self._say_once(f"the drop folder of {tenant} cannot be read: {error.strerror}")
        except Exception as error:
            self._alone[tenant, _ALL] = time.monotonic() + LEFT_ALONE_S
            if is_away(error):
                log.warning("database away; files wait", tenant=tenant, why=str(error)[:200])
            else:
                log.exception("files wait", tenant=tenant)

    async def _do(self, tenant: str, page: Sequence[Dropped]) -> None:
        identity = Identity(tenant, FILE_DROP, Role.POS)  # what is in a folder has a till's rights
        asked = [request for each in page for request in each.requests]
        replies: list[Reply] = []
        for first in range(0, len(asked), AT_ONCE):
            replies += await self._ask(identity, asked[first : first + AT_ONCE])
        self._checkpoint("asked")
        answered = iter(replies)
        answers: list[Answered] = []
        for each in page:
            mine = [next(answered) for _ in each.requests]
            if each.wrong is not None:
                mine = [rejected(None, *each.wrong)]
            answers.append(self._answer(tenant, each.name, mine))
        failed = await asyncio.to_thread(
            drop_folder.put_away, self._root, tenant, answers, self._checkpoint
        )
        for name, error in failed.items():
            self._alone[tenant, name] = time.monotonic() + LEFT_ALONE_S
            log.warning("a file cannot be put away", tenant=tenant, file=name, why=str(error))

    def _answer(self, tenant: str, name: str, replies: Sequence[Reply]) -> Answered:
        refused = [reply for reply in replies if reply.outcome is Outcome.REJECTED]
        where = REFUSED if refused else DONE
        told: dict[str, Any] = {"file": name, "requests": len(replies), "goes_to": where}
        if refused:
            told["codes"] = sorted({str(reply.code) for reply in refused})
        log.info("file", tenant=tenant, **told)
        return Answered(name, b"".join(self._line(tenant, reply) for reply in replies), where)

    async def _ask(self, identity: Identity, requests: Sequence[bytes]) -> list[Reply]:
        """Ask in their order, and have them decided together."""
        begun: list[asyncio.Task[Reply]] = []
        try:
            for request in requests:
                while True:
                    task = _begun(self._systems.ask(identity, request))
                    begun.append(task)
                    await asyncio.sleep(0)  # now it waits for its decision, or was turned away
                    wait = _turned_away(task)
                    if wait is None:
                        break
                    begun.pop()
                    await asyncio.sleep(wait)
            return list(await asyncio.gather(*begun))
        finally:
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    def _line(self, tenant: str, reply: Reply) -> bytes:
        return (
            encode(
                reply,
                id=new_id(),
                source=service_source(tenant),
                time=self._clock(),
                causation=reply.request,
            )
            + b"\n"
        )

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(text)
            log.warning(text)


def _begun(asking: Coroutine[Any, Any, Reply]) -> asyncio.Task[Reply]:
    return asyncio.create_task(asking)


def _turned_away(task: asyncio.Task[Reply]) -> float | None:
    """For how many seconds a request must wait that is over a limit."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return None
    reply = task.result()
    if reply.code != RefusalCode.RATE_LIMITED:
        return None
    return max(_LEAST_WAIT_S, reply.retry_after_s or 0.0)
