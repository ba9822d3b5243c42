"""Timers: what happens because time passes, or because a house's rules are others, unasked.

What is due is found in the rows, so nothing is lost with a process; and it is asked of the same
worker that decides everything else. A fault of ours in one of these must not end the others, nor
hold up the next house: what failed is tried again in the next round.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Column, Row, Select, tuple_

from schemas.identifiers import derived_id, new_id
from schemas.message import Request
from schemas.replies import Outcome
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.house_versions import HouseVersions
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)
T = TypeVar("T")

PAGE: Final = 200
"""Rows that are asked for at once."""
AGAIN_AFTER: Final = timedelta(minutes=1)
"""A time that was asked for, and is still in its row, is asked for again: not at each look."""


class NotNow(NotServing):
    """A fault of ours kept something from being done: it is in the log, and tried again later."""


async def ask(
    intake: Intake, tenant: str, request: Request, request_id: UUID | None = None
) -> bool:
    """Have something done that time has brought; tells whether it was, or was refused.

    Args:
        intake: where it is done.
        tenant: whose.
        request: what.
        request_id: one that always belongs to this very thing; without, any: then to ask
            twice must do no harm.

    Raises:
        NotServing: this process does not serve; later, or elsewhere.
        NotNow: a fault of ours; later.
    """
    what = {"asked": request.type_name, "tenant": tenant}
    try:
        answer = await intake.ask_of_ourselves(tenant, request, request_id or new_id())
    except NotServing:
        raise
    except Exception as error:
        log.warning("what was due failed, and is tried again", why=repr(error)[:200], **what)
        raise NotNow("not now") from error
    if answer.outcome is Outcome.REJECTED:
        log.warning("what was due was refused", code=answer.code, why=answer.message, **what)
        return False
    return True


async def one_by_one(every: Iterable[T], look: Callable[[T], Awaitable[int]]) -> int:
    """Look at one after the other: a fault of ours with one holds up no other; returns the sum.

    Raises:
        NotServing: this process does not serve; later, or elsewhere.
        NotNow: a fault of ours with some of them; the others are done.
    """
    done = 0
    failed: NotNow | None = None
    for each in every:
        try:
            done += await look(each)
        except NotNow as error:
            failed = error
    if failed is not None:
        raise failed
    return done


async def together(doing: Iterable[Awaitable[object]]) -> None:
    """Do all of it at once, each to its end, and raise only then what failed."""
    for end in await asyncio.gather(*doing, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end


class Timer(ABC):
    """Looks for what is due, round after round, for as long as this process serves.

    Args:
        database: where it is found.
        intake: where it is done.
        clock: tells what is due.
        look_every_s: seconds between two looks; without, what is usual for it.

    Attributes:
        usual_s: seconds between two looks.
        later: for the log, what waits while the database is away.
    """

    usual_s: ClassVar[float]
    later: ClassVar[str]

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Clock,
        *,
        look_every_s: float | None = None,
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._clock: Final = clock
        self._look_every_s: Final = self.usual_s if look_every_s is None else look_every_s
        self._begin()

    def _begin(self) -> None:  # noqa: B027 - most remember nothing
        """Begin with what is known of no look: nothing was found yet."""

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, self.later)

    @abstractmethod
    async def look(self) -> object:
        """Have done what is due; what cannot be done now is found again.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """

    async def _ask(self, tenant: str, request: Request, request_id: UUID | None = None) -> bool:
        """See `ask`."""
        return await ask(self._intake, tenant, request, request_id)


class DueTimer(Timer):
    """Asks for rows whose time has come, the earliest first, each once at a time.

    It asks under an id that belongs to that row and that time: so it happens once, whatever dies
    and whoever else looks.
    """

    def _begin(self) -> None:
        self._asked: dict[tuple[Any, ...], datetime] = {}
        """What was asked for, and when."""

    @abstractmethod
    def due(self, now: datetime) -> Select[Any]:
        """The rows whose time has come: tenant, time, and whatever tells them apart."""

    @abstractmethod
    def request(self, row: Row[Any]) -> Request:
        """What is to be asked for one of them."""

    async def look(self) -> int:
        """Ask for all that is due; returns for how many rows.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        return await self._ask_for(self.due(self._clock()))

    async def _ask_for(self, due: Select[Any]) -> int:
        now = self._clock()
        self._asked = {row: at for row, at in self._asked.items() if now - at < AGAIN_AFTER}
        asked = 0
        async for page in self._pages(due):
            fresh = [row for row in page if tuple(row) not in self._asked]
            self._asked.update((tuple(row), now) for row in fresh)
            await together(map(self._ask_one, fresh))
            asked += len(fresh)
        return asked

    async def _pages(self, due: Select[Any]) -> AsyncIterator[Sequence[Row[Any]]]:
        """What is due, the earliest first; no connection is held while it is done."""
        place = list(due.selected_columns)[1:]
        page_of = due.order_by(*place).limit(PAGE)
        wanted = page_of
        while True:
            async with self._database.read() as connection:
                page = (await connection.execute(wanted)).all()
            yield page
            if len(page) < PAGE:
                return
            wanted = page_of.where(tuple_(*place) > tuple(page[-1])[1:])

    async def _ask_one(self, row: Row[Any]) -> None:
        tenant, at, *more = tuple[Any, ...](row)
        request = self.request(row)
        parts = (tenant, at.isoformat(), *map(str, more))
        try:
            await self._ask(tenant, request, derived_id(at, request.type_name, *parts))
        except BaseException:
            self._asked.pop(tuple(row), None)
            raise


class RulesTimer(Timer):
    """Has something done for each house whose rules are others than when it was done last.

    A new process does it once for every house: it does not know what was done before, and what
    is done twice changes nothing.

    Attributes:
        having: the column of `HOUSE_RULES` without which a house does not matter.
        version: the one that tells a version from another.
    """

    having: ClassVar[Column[Any]]
    version: ClassVar[Column[int]] = HOUSE_RULES.c.version

    def _begin(self) -> None:
        self._versions = HouseVersions(self.having, self.version)

    async def look(self) -> int:
        """Do it where the rules are others; returns what `follow` returned, added up.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        async with self._database.read() as connection:
            changed = (await self._versions.changes(connection)).versions

        async def follow(tenant: str) -> int:
            done = await self.follow(tenant, changed[tenant])
            # Only now: what was not answered is asked for at the next look.
            self._versions.saw(tenant, changed[tenant])
            return done

        return await one_by_one(changed, follow)

    @abstractmethod
    async def follow(self, tenant: str, version: int) -> int:
        """Do it for one house; returns how much was done.

        Raises:
            NotServing: not all of it was done.
        """
