"""`heard dispatch run`: couriers are asked by themselves, and somebody watches."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import click
from pydantic import ValidationError

from broker_config.settings import BrokerSettings
from cli.admission import visiting
from cli.application import Application, pass_application
from cli.commands.delivery_rules import BOOK
from cli.failures import Failure
from cli.following import Following
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import on_screen, zone_of_house
from cli.printing import json_line, note, say
from cli.span import SPAN
from schemas.deliveries import DeliveryChanged, DeliveryStep
from schemas.devices import Role
from schemas.dispatch import DispatchState
from schemas.envelope import envelope_of
from schemas.topics import Plane, plane_filter
from services.runtime.bus import Delivery
from services.runtime.moment import system_clock


@click.command(cls=Command)
@tenant_option
@click.option("--off", is_flag=True, help="Ask nobody by itself any more, and end.")
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Watch so long: 20s, 5m.")
@json_option
@pass_application
def run(app: Application, *, tenant: str, off: bool, seconds: float | None, as_json: bool) -> None:
    """Have couriers asked by themselves from now on, and show each decision, until Ctrl-C.

    The services ask, not this command: they go on when it ends, and after a restart, until
    --off. Of however many that run, one plans at a time. How early and how patiently couriers are
    asked are rules of the house (`heard delivery rules`: ask-ahead-s, answer-within-s, and more).

    Examples:
      heard dispatch run --tenant roma
      heard dispatch run --tenant roma --for 10m --json > evening.jsonl
      heard dispatch run --tenant roma --off
    """
    if not off and BOOK.read(app, tenant).place is None:
        raise Failure(
            f"nobody has said where {tenant} is: heard delivery rules set --tenant {tenant} "
            "place=LAT,LON"
        )
    if off:
        was = bool(BOOK.change(app, tenant, ["automatic=false"]).news)
        said = "couriers are not asked by themselves any more" if was else "nobody was asked anyway"
        say(f"{said}: heard delivery assign says who brings what")
        return

    def switch_on() -> None:
        BOOK.change(app, tenant, ["automatic=true"])
        note(
            "couriers are asked by themselves from now on; "
            f"heard dispatch run --tenant {tenant} --off ends that"
        )

    zone = zone_of_house(app, tenant)
    with visiting(app, tenant, Role.MANAGER) as (admitted,):

        def find() -> BrokerSettings:
            return replace(admitted, address=app.address()).settings()

        watching = _Watching(find, tenant, zone, switch_on, as_json=as_json)
        try:
            asyncio.run(watching.run(seconds))
        finally:
            if not watching.is_on:  # nobody was reached, and it was cut short
                switch_on()


class _Watching(Following):
    """Prints what the dispatcher and the couriers say.

    Args:
        find: where the broker is now, and who we are there.
        tenant: whose dispatch.
        zone: of the house.
        switch_on: has couriers asked; once we listen, to miss nothing of it.
        as_json: a document a line.

    Attributes:
        is_on: couriers are asked by now.
    """

    def __init__(
        self,
        find: Callable[[], BrokerSettings],
        tenant: str,
        zone: ZoneInfo,
        switch_on: Callable[[], None],
        *,
        as_json: bool,
    ) -> None:
        filters = (
            plane_filter(Plane.STATE, tenant=tenant, tail="dispatch/plan"),
            plane_filter(Plane.EVENT, tenant=tenant, tail="delivery/changed"),
        )
        super().__init__(find, filters)
        self._zone: Final = zone
        self._switch_on: Final = switch_on
        self.is_on = False
        self._listens: Final = asyncio.Event()
        self._as_json: Final = as_json
        self._trouble = ""
        self._left: dict[UUID, str] = {}
        """Why nobody brings what nobody brings, as it was printed."""
        self._waiting: set[str] = set()
        """Who is sent to wait here, as it was printed."""

    def beside(self) -> list[asyncio.Future[None]]:
        """See `Following`."""
        return [asyncio.ensure_future(self._begin())]

    async def _begin(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listens.wait(), _LISTENS_S)
        self.is_on = True
        await asyncio.to_thread(self._switch_on)
        await asyncio.Event().wait()

    def connected(self) -> None:
        """See `Following`."""
        self._listens.set()
        if self._trouble:
            note("connected again")
        self._trouble = ""

    def lost(self, why: str) -> None:
        """See `Following`."""
        if why != self._trouble:
            note(f"no connection: {why}")
        self._trouble = why

    def take(self, arrival: Delivery) -> None:
        """See `Following`."""
        if not arrival.payload:
            return
        try:
            if arrival.topic.endswith("/dispatch/plan"):
                self._planned(envelope_of(DispatchState).model_validate_json(arrival.payload).data)
            else:
                model = envelope_of(DeliveryChanged)
                self._moved(model.model_validate_json(arrival.payload).data)
        except ValidationError:
            return  # of another release: what is shown is for people
        sys.stdout.flush()

    def _planned(self, state: DispatchState) -> None:
        if self._as_json:
            json_line({"plan": state.model_dump(mode="json")})
            return
        now = system_clock()
        left = {each.order_id: each.why for each in state.left_out}
        for each in state.left_out:
            if self._left.get(each.order_id) != each.why:
                self._line(now, f"nobody brings {each.number}: {each.why}")
        self._left = left
        waiting = {each.courier: each.why for each in state.waiting}
        for courier in sorted(waiting.keys() - self._waiting):
            self._line(now, f"{courier} is sent to wait here: {waiting[courier]}")
        self._waiting = set(waiting)

    def _moved(self, changed: DeliveryChanged) -> None:
        if self._as_json:
            json_line({"changed": changed.model_dump(mode="json", exclude_none=True)})
            return
        delivery, step = changed.delivery, changed.step
        if step is None:
            return
        words = _WORDS.get(step, step.value)
        who = delivery.courier or ""
        why = delivery.why if step is DeliveryStep.ASSIGN else None
        if step in _WITH_REASON:
            why = delivery.reason
        told = " ".join(each for each in (delivery.number, words, who) if each)
        self._line(system_clock(), told if why is None else f"{told}: {why}")

    def _line(self, now: datetime, text: str) -> None:
        say(f"{on_screen(now, now, self._zone)}  {text}")


_WITH_REASON: Final = frozenset(
    {DeliveryStep.DECLINE, DeliveryStep.UNASSIGN, DeliveryStep.FAIL, DeliveryStep.CANCEL}
)
_LISTENS_S: Final = 3.0
_WORDS: Final = {
    DeliveryStep.ASSIGN: "asked",
    DeliveryStep.UNASSIGN: "taken back",
    DeliveryStep.ACCEPT: "accepted by",
    DeliveryStep.DECLINE: "declined",
    DeliveryStep.REACH_RESTAURANT: "waited for by",
    DeliveryStep.PICK_UP: "picked up by",
    DeliveryStep.SET_OUT: "on its way with",
    DeliveryStep.APPROACH: "near with",
    DeliveryStep.ARRIVE: "at the door with",
    DeliveryStep.DELIVER: "delivered by",
    DeliveryStep.FAIL: "failed with",
    DeliveryStep.RETURN: "brought back by",
    DeliveryStep.CANCEL: "cancelled",
}
