"""Simulated guests and cooks, for a demonstration and for trying a menu out."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Self
from uuid import UUID

from devices.kitchen_display import KitchenDisplay
from devices.pending import Pending, Rejected
from devices.pos import PointOfSale
from schemas.identifiers import new_id
from schemas.kitchen import Priority, TicketStatus
from schemas.menu import MenuItem, ModifierGroup, ModifierRequest
from schemas.orders import LineRequest
from schemas.refusals import RefusalCode
from schemas.replies import OrderReceipt, TicketReceipt

_NOTES: Final = ("no onions", "well done", "extra hot", "allergy: nuts", "sauce on the side")
_ALLERGIES: Final = frozenset({"nuts", "peanuts", "sesame", "milk"})


class Simulated:
    """Something that happens on a thread of its own until it is stopped."""

    def __init__(self, name: str) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop, promptly. May be called twice."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        raise NotImplementedError


class SimulatedGuests(Simulated):
    """Guests who order at one till: they arrive at random (a Poisson process).

    Args:
        pos: where they order; started and closed by its owner.
        menu: what they choose from; None takes what the till has received.
        rate_per_minute: how many orders a minute on average.
        second_thoughts: how likely it is, at each arrival, that an earlier guest wants more,
            less, or something else; such a wish may come too late, and be refused.
        before_change: called with the id of each such request before it is asked.
        seed: the same seed gives the same guests; None gives others each time.
    """

    def __init__(
        self,
        pos: PointOfSale,
        *,
        menu: Mapping[str, MenuItem] | None = None,
        rate_per_minute: float = 12.0,
        second_thoughts: float = 0.0,
        before_change: Callable[[UUID], object] = lambda _request_id: None,
        seed: int | None = None,
    ) -> None:
        super().__init__(f"guests at {pos.device}")
        if rate_per_minute <= 0:
            raise ValueError(f"rate_per_minute must be above 0, not {rate_per_minute}")
        self.orders = 0
        """How many orders were placed."""
        self._pos = pos
        self._menu = menu
        self._rate_per_s = rate_per_minute / 60
        self._second_thoughts = second_thoughts
        self._before_change = before_change
        self._placed: deque[tuple[Pending[OrderReceipt], int]] = deque(maxlen=10)
        self._rng = random.Random(seed)  # noqa: S311 - guests, not secrets

    def _run(self) -> None:
        while not self._stopped.wait(self._rng.expovariate(self._rate_per_s)):
            menu = self._pos.menu if self._menu is None else self._menu
            offered = (item for item in list(menu.values()) if item.available)
            choice = sorted(offered, key=lambda item: item.item)
            if not choice:
                continue
            # A closed till takes no orders: its owner is about to stop us.
            with contextlib.suppress(RuntimeError):
                lines = self._lines(choice)
                placed = self._pos.place_order(lines, table=self._table())
                self.orders += 1
                if self._rng.random() < self._second_thoughts:
                    self._think_again(choice)
                self._placed.append((placed, len(lines)))

    def _think_again(self, choice: list[MenuItem]) -> None:
        """One of the last guests adds a line, changes one, or takes one off."""
        known = [each for each in self._placed if each[0].done and each[0].error is None]
        if not known:
            return
        chosen = self._rng.choice(known)
        self._placed.remove(chosen)
        placed, lines = chosen
        order_id, line = placed.result(0).order_id, self._rng.randint(1, lines)
        request = new_id()
        self._before_change(request)
        wish = self._rng.choice(("more", "another", "less" if lines > 1 else "more"))
        if wish == "more":
            self._pos.add_lines(order_id, self._lines(choice)[:1], request_id=request)
        elif wish == "less":
            self._pos.void_lines(order_id, [line], "the guest's wish", request_id=request)
        else:
            quantity, note = self._rng.randint(1, 4), self._rng.choice(_NOTES)
            self._pos.change_line(order_id, line, quantity=quantity, note=note, request_id=request)

    def _lines(self, choice: list[MenuItem]) -> list[LineRequest]:
        rng = self._rng
        wanted = min(len(choice), rng.choices((1, 2, 3, 4, 6), (20, 35, 25, 15, 5))[0])
        return [
            LineRequest(
                item=item.item,
                quantity=rng.choices((1, 2, 3, 4), (75, 18, 5, 2))[0],
                note=rng.choice(_NOTES) if rng.random() < 0.08 else "",
                modifiers=self._modifiers(item.groups),
                avoid=self._avoided(item),
            )
            for item in rng.sample(choice, wanted)
        ]

    def _modifiers(self, groups: Sequence[ModifierGroup]) -> tuple[ModifierRequest, ...]:
        """What must be chosen, and now and then something more."""
        rng = self._rng
        chosen = []
        for group in groups:
            wanted = max(group.least, int(rng.random() < 0.35))
            for each in rng.sample(group.modifiers, min(wanted, len(group.modifiers))):
                inner = self._modifiers(each.groups)
                chosen.append(ModifierRequest(modifier=each.modifier, modifiers=inner))
        return tuple(chosen)

    def _avoided(self, item: MenuItem) -> tuple[str, ...]:
        """An allergy, of those that this dish does not touch in any way."""
        if self._rng.random() >= 0.04:
            return ()
        safe = sorted(_ALLERGIES - set(item.allergens) - set(_brought(item.groups)))
        return (self._rng.choice(safe),) if safe else ()

    def _table(self) -> str | None:
        """Two of three guests sit down."""
        return str(self._rng.randint(1, 20)) if self._rng.random() < 0.67 else None


def _brought(groups: Sequence[ModifierGroup]) -> Iterator[str]:
    """The allergens of all that may be chosen."""
    for group in groups:
        for each in group.modifiers:
            yield from each.allergens
            yield from _brought(each.groups)


class SimulatedCook(Simulated):
    """A cook who starts and bumps one station's tickets after plausible times.

    What is held is left alone until it is fired, as the next course is; what is in a rush is
    begun at once.

    Args:
        display: the station's display; started and closed by its owner.
        start_after_s: least and longest time from a ticket's coming to its start.
        cook_s: least and longest time from its start to its bump.
        speed: 60 makes a minute a second.
        seed: the same seed gives the same cook; None gives another each time.
    """

    def __init__(
        self,
        display: KitchenDisplay,
        *,
        start_after_s: tuple[float, float] = (5.0, 40.0),
        cook_s: tuple[float, float] = (60.0, 300.0),
        speed: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(f"cook at {display.station}")
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self._display = display
        self._start_after_s = start_after_s
        self._cook_s = cook_s
        self._speed = speed
        self._rng = random.Random(seed)  # noqa: S311 - a cook, not a secret
        self._due: dict[tuple[UUID, bool], float] = {}
        self._asked: dict[tuple[UUID, bool], Pending[TicketReceipt]] = {}

    def _run(self) -> None:
        while not self._stopped.wait(min(0.25, 0.5 / self._speed + 0.02)):
            with contextlib.suppress(RuntimeError):  # a closed display: we are stopped soon
                self._work(time.monotonic())

    def _work(self, now: float) -> None:
        """Look at every open ticket; its step is due once, some time after it was seen."""
        steps = {}
        for ticket in self._display.tickets:
            if ticket.status is TicketStatus.HELD:
                continue
            begun = ticket.status is TicketStatus.STARTED
            step = steps[ticket.ticket_id, begun] = (ticket.ticket_id, begun)
            if step not in self._due:
                span = self._cook_s if begun else self._start_after_s
                self._due[step] = now + self._rng.uniform(*span) / self._speed
            if ticket.priority is Priority.RUSH and not begun:
                self._due[step] = now
            if now >= self._due[step] and not self._under_way(step):
                act = self._display.bump if begun else self._display.start_ticket
                self._asked[step] = act(ticket.ticket_id)
        self._due = {step: at for step, at in self._due.items() if step in steps}
        self._asked = {step: asked for step, asked in self._asked.items() if step in steps}

    def _under_way(self, step: tuple[UUID, bool]) -> bool:
        """Whether the step was asked for; one that had not seen a change is tried again."""
        asked = self._asked.get(step)
        if asked is None:
            return False
        refused = asked.error
        return not (isinstance(refused, Rejected) and refused.code == RefusalCode.STALE_VERSION)
