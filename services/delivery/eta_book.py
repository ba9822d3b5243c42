"""The live ETA of every open order: reckoned again with every position and every change.

It is told where vehicles are in process (`moved`), and reads twice a second what the rows say:
which deliveries are open, and when the kitchen will have them. Of both it keeps arrays, and reckons
in one go all orders that something new concerns. An ETA is told when it has moved enough to matter;
the rows stay the truth: what this book forgets with its process it reads again.

What goes wrong with one house stays with it: the log names it, and what cannot be reckoned of it
has no ETA until it can.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import envelope_of
from schemas.etas import EtaState
from schemas.message import State
from services.delivery import eta_words, lateness, open_orders
from services.delivery.couriers_seen import CouriersSeen
from services.delivery.eta_memory import Memory
from services.delivery.open_orders import House, Mark
from services.delivery.reckoning import Where, reckon
from services.delivery.routing.port import NO_ENGINE, Ways
from services.delivery.sheet import EMPTY, OrderKey, Sheet, joined, sheet_of
from services.delivery.telling_when import Enough, Told, moved_enough
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.positions import Announce, Positions
from services.runtime.ready_times import ReadyTime, ReadyTimes
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5


class EtaBook:
    """See the module. A `services.runtime.positions.PositionListener`.

    Args:
        database: where open deliveries are.
        ready_times: when the kitchen will have them.
        clock: the time.
        ways: asks routing engines, where a house has one.
        look_every_s: seconds between two looks at the rows.
        enough: how far an ETA has to move to be told.
        keeps: write down which orders are late; else it only looks.
        only: of this house alone; None of all.

    Attributes:
        looked: set once the rows were read.
        faults: what is wrong with a house, some or all of whose orders have no ETA for it, by
            the house's name.
    """

    def __init__(
        self,
        database: Database,
        ready_times: ReadyTimes,
        clock: Clock,
        *,
        ways: Ways = NO_ENGINE,
        look_every_s: float = LOOK_EVERY_S,
        enough: Enough | None = None,
        keeps: bool = True,
        only: str | None = None,
    ) -> None:
        self._database: Final = database
        self._ready_times: Final = ready_times
        self._clock: Final = clock
        self._ways: Final = ways
        self._look_every_s: Final = look_every_s
        self._enough: Final = enough or Enough()
        self._keeps: Final = keeps
        self._only: Final = only
        self._announce: Announce | None = None
        self._seen = CouriersSeen()
        self._marks: dict[str, Mark] = {}
        self._houses: dict[str, House] = {}
        self._ready: dict[str, dict[UUID, ReadyTime]] = {}
        self._sheets: dict[str, Sheet] = {}
        self._sheet = EMPTY
        self._memory = Memory.nothing(0)
        self._places: dict[OrderKey, int] = {}
        self._standing: dict[OrderKey, Outgoing] = {}
        self._late: dict[OrderKey, bool] | None = None
        """What the rows say of who is late; None before they were read."""
        self._failing: set[str] = set()
        """Houses with which something went wrong since the last look."""
        self.looked: Final = asyncio.Event()
        self.faults: Final[dict[str, str]] = {}

    # -- what listens to positions --------------------------------------------------------

    @property
    def kinds(self) -> Sequence[type[State]]:
        """See `PositionListener.kinds`."""
        return (EtaState,)

    def begin(self, announce: Announce) -> None:
        """See `PositionListener.begin`: vehicles are numbered anew."""
        self._announce = announce
        self._seen = CouriersSeen()
        self._memory.forget_vehicles()
        self._late = None  # another process may have gone on meanwhile

    async def ready(self) -> None:
        """See `PositionListener.ready`: the rows were read."""
        await self.looked.wait()

    def moved(self, positions: Positions) -> None:
        """See `PositionListener.moved`."""
        if self._seen.see(positions):
            self._memory.number = self._seen.numbers_of(self._sheet.vehicles)
        if not len(self._sheet):
            return
        here = np.zeros(len(self._seen) + 1, dtype=np.bool_)  # -1 is the last: nobody
        here[positions.number] = True
        self._tell(np.flatnonzero(here[self._memory.number]))

    def standing(self) -> Sequence[Outgoing]:
        """See `PositionListener.standing`."""
        return list(self._standing.values())

    def said(self, tenant: str, order_id: UUID) -> EtaState | None:
        """What was told last of an order; None where nothing stands."""
        message = self._standing.get((tenant, order_id))
        if message is None:
            return None
        found: EtaState = envelope_of(EtaState).model_validate_json(message.payload).data
        return found

    # -- what looks at the rows ------------------------------------------------------------

    async def run(self) -> None:
        """Look, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(for_ever(self.look, self._look_every_s, "ETAs are reckoned"))
            tasks.create_task(self._ways.run())

    async def look(self) -> None:
        """Read what has changed, and reckon everything as of now."""
        self._failing.clear()
        async with self._database.read() as connection:
            marks = await open_orders.read_marks(connection, self._only)
            changed = await self._read(connection, marks)
            changed |= await self._cooked(connection)
            if self._late is None:
                self._late = await lateness.read_found(connection)
        changed |= self._ways.learned()
        for tenant in changed & self._houses.keys():
            try:
                house = self._houses[tenant]
                self._ways.serve(tenant, house.rules, house.legs)
                ready = self._ready.get(tenant, {})
                self._sheets[tenant] = sheet_of(house, ready, self._ways.length)
            except Exception as error:  # noqa: BLE001 - it is this house's alone
                self._fail(tenant, error)
                del self._houses[tenant]
        gone = self._sheets.keys() - self._houses.keys()
        for tenant in gone:
            del self._sheets[tenant]
        if changed or gone:
            self._put_together()
        self._marks = marks
        self.looked.set()
        self._tell(np.arange(len(self._sheet)))
        if self._keeps:
            await self._note_lateness()
        for tenant in self.faults.keys() - self._failing:
            del self.faults[tenant]

    async def _read(self, connection: AsyncConnection, marks: Mapping[str, Mark]) -> set[str]:
        """Read the houses of which something has changed; tells which."""
        for tenant in self._houses.keys() - marks.keys():
            del self._houses[tenant]
        changed = {each for each in marks if self._marks.get(each) != marks[each]}
        changed |= marks.keys() & self.faults.keys()
        for tenant in changed:
            try:
                self._houses[tenant] = await open_orders.read_house(connection, tenant)
            except Exception as error:
                if _is_shared(error):
                    raise
                self._fail(tenant, error)
                self._houses.pop(tenant, None)
        return changed

    async def _cooked(self, connection: AsyncConnection) -> set[str]:
        """Read what kitchens say of what is not ready; tells of whom they say something new."""
        waited = {
            house.tenant: [
                (house.tenant, each.order_id) for each in house.orders if math.isnan(each.ready_at)
            ]
            for house in self._houses.values()
        }
        found: dict[OrderKey, ReadyTime] = {}
        try:
            together = list(chain.from_iterable(waited.values()))
            found.update(await self._ready_times(connection, together) if together else {})
        except Exception as error:
            if _is_shared(error):
                raise
            for tenant, orders in waited.items():
                try:
                    found.update(await self._ready_times(connection, orders) if orders else {})
                except Exception as its_own:
                    if _is_shared(its_own):
                        raise
                    self._fail(tenant, its_own)
                    del self._houses[tenant]
        before, self._ready = self._ready, {tenant: {} for tenant in self._houses}
        for (tenant, order_id), each in found.items():
            self._ready[tenant][order_id] = each
        return {tenant for tenant, now in self._ready.items() if now != before.get(tenant, {})}

    async def _note_lateness(self) -> None:
        """Keep which orders are late now and were not, or are so no more."""
        kept = self._late
        if kept is None:
            return  # it was begun anew meanwhile: at the next look
        late = {self._sheet.keys[i] for i in np.flatnonzero(self._memory.late).tolist()}
        stand = {key for key, is_late in kept.items() if is_late}
        now = self._clock()
        found: dict[str, dict[OrderKey, lateness.Found]] = {}
        for key in (late ^ stand) & self._places.keys():
            p50_at = float(self._memory.told.p50_at[self._places[key]])
            if math.isnan(p50_at):
                continue  # it could not be told
            expected = datetime.fromtimestamp(p50_at, UTC)
            found.setdefault(key[0], {})[key] = lateness.Found(key in late, expected, now)
        over = self._over(kept)
        for tenant in found.keys() | over.keys():
            mine, ended = found.get(tenant, {}), over.get(tenant, set())
            try:
                async with self._database.write() as connection:
                    await lateness.keep_found(connection, mine, ended)
            except Exception as error:
                if is_away(error):
                    raise
                self._fail(tenant, error)
                continue
            kept.update({key: each.late for key, each in mine.items()})
            for key in ended:
                del kept[key]

    def _over(self, kept: Mapping[OrderKey, bool]) -> dict[str, set[OrderKey]]:
        """What is kept of orders that are open no more, by their houses.

        One that has failed at its door is open still, though nobody knows when it comes.
        """
        over: dict[str, set[OrderKey]] = {}
        for tenant, order_id in kept.keys() - self._places.keys():
            house = self._houses.get(tenant)
            is_open = house is not None and any(each.order_id == order_id for each in house.orders)
            if not is_open and tenant not in self.faults:
                over.setdefault(tenant, set()).add((tenant, order_id))
        return over

    def _fail(self, tenant: str, error: Exception) -> None:
        """Note a fault of ours with one house; it is tried again at each look, and said once."""
        why = repr(error)[:200]
        if self.faults.get(tenant) != why:
            log.error("a house's ETAs fail by a fault of ours", tenant=tenant, exc_info=error)
        self.faults[tenant] = why
        self._failing.add(tenant)

    def _put_together(self) -> None:
        """All houses' orders as one sheet; what is remembered of each stays with it."""
        sheet = joined(list(self._sheets.values()))
        places = {key: i for i, key in enumerate(sheet.keys)}
        memory = Memory.nothing(len(sheet))
        memory.carry_over(sheet, places, self._memory, self._sheet, self._places)
        late = self._late or {}
        for key in places.keys() - self._places.keys():
            memory.late[places[key]] = late.get(key, False)
        memory.number = self._seen.numbers_of(sheet.vehicles)
        over = [key for key in self._standing if key not in places]
        for key in over:
            del self._standing[key]
        self._sheet, self._memory, self._places = sheet, memory, places
        self._say([clearing(EtaState, tenant=t, order_id=str(order)) for t, order in over])

    # -- reckoning ---------------------------------------------------------------------------

    def _tell(self, which: NDArray[np.intp]) -> None:
        """Reckon these anew, and tell of those that moved enough."""
        if not which.size:
            return
        moment = self._clock()
        now = moment.timestamp()
        whole = which.size == len(self._sheet)
        sheet = self._sheet if whole else self._sheet.taken(which)
        memory, told = self._memory, self._memory.told
        where = self._where(sheet, which)
        found = reckon(sheet, where, now, memory.late[which])
        began = found.on_it & (where.moving | sheet.riding) & np.isnan(where.begun_at)
        memory.begun_at[which[began]] = found.fix_at[began]
        memory.begun_m[which[began]] = (found.to_first_m + sheet.after_m)[began]
        memory.begun_gone_m[which[began]] = self._seen.gone_m[memory.number[which[began]]]
        memory.late[which] = found.late
        from_here = ~np.isnan(where.longer) & ~np.isnan(found.fix_at)
        beside = eta_words.beside(sheet, found, sheet.routed & (from_here | ~sheet.in_bag))
        what = eta_words.shown(sheet, found, beside)
        before = Told(*(getattr(told, name)[which] for name in ("p50_at", "p90_at", "at", "what")))
        this = Told(found.p50_at, found.p90_at, np.full(which.size, now), what)
        messages: list[Outgoing] = []
        for i in np.flatnonzero(moved_enough(before, this, self._enough)).tolist():
            key = sheet.keys[i]
            try:
                state = eta_words.state(sheet, found, beside, moment, i)
                message = outgoing(state, tenant=key[0], now=moment)
            except Exception as error:  # noqa: BLE001 - it is this house's alone
                self._fail(key[0], error)
                continue
            self._standing[key] = message
            messages.append(message)
            place = which[i]
            told.p50_at[place], told.p90_at[place] = this.p50_at[i], this.p90_at[i]
            told.at[place], told.what[place] = now, what[i]
        self._say(messages)

    def _where(self, sheet: Sheet, which: NDArray[np.intp]) -> Where:
        number, seen = self._memory.number[which], self._seen
        known = number >= 0
        place = np.where(known, number, 0)
        at, lat, lon = (
            np.where(known, each[place], np.nan) for each in (seen.at, seen.lat, seen.lon)
        )
        longer = self._ways.longer(sheet, lat, lon)
        moving = known & seen.moving[place]
        begun_at, begun_m = self._memory.begun_at[which], self._memory.begun_m[which]
        gone_m = np.where(known, seen.gone_m[place] - self._memory.begun_gone_m[which], np.nan)
        return Where(at, lat, lon, moving, longer, begun_at, begun_m, gone_m)

    def _say(self, messages: Sequence[Outgoing]) -> None:
        if messages and self._announce is not None:
            self._announce(messages)


def _is_shared(error: Exception) -> bool:
    """Whether no house is to blame for it: the connection is everybody's."""
    return is_away(error) or isinstance(error, DBAPIError)
