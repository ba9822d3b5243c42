"""`heard tail`: messages as they pass."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Final

import click

from cli.admission import Admitted, visiting
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.names import NAME
from cli.printing import json_line, say
from cli.span import SPAN
from schemas.catalogue import BY_TYPE, locate
from schemas.devices import Role
from schemas.topics import Plane, TopicMismatch, matches, plane_filter
from services.people import store
from services.people.store import Unknown
from services.runtime.bus import Delivery, Session
from services.runtime.database import Database
from services.runtime.house_rules import no_such_house
from services.runtime.mqtt_bus import MqttBus

LONGEST: Final = 110
PLANES: Final = [plane.value for plane in Plane]


@click.command(cls=Command)
@click.option("--tenant", type=NAME, metavar="NAME", help="Only this restaurant.")
@click.option(
    "--filter",
    "planes",
    type=click.Choice(PLANES),
    multiple=True,
    help="Only this plane of topics; may be given again.",
)
@click.option("--topic", metavar="FILTER", help="Only topics that this MQTT filter matches.")
@click.option("--retained/--no-retained", default=False, help="Also what stands there already.")
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop after this: 20s, 5m.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="Stop after so many messages.")
@json_option
@pass_application
def tail(
    app: Application,
    *,
    tenant: str | None,
    planes: tuple[str, ...],
    topic: str | None,
    retained: bool,
    seconds: float | None,
    count: int | None,
    as_json: bool,
) -> None:
    """Show messages as they pass, decoded, one line each, until Ctrl-C.

    It reads as a manager of each tenant, and changes nothing.

    Examples:
      heard tail
      heard tail --tenant demo --filter event --filter reply
      heard tail --topic "+/+/+/state/kitchen/#" --retained --json
    """
    chosen = _Chosen(planes, topic, retained=retained, limit=count, as_json=as_json)
    tenants = app.run(lambda database: _tenants(database, tenant))
    with ExitStack() as stack:
        admitted = [
            one
            for name in tenants
            for one in stack.enter_context(visiting(app, name, Role.MANAGER))
        ]
        asyncio.run(_listen(admitted, chosen, seconds))


class _Chosen:
    """Which messages are shown, and how many are left to show."""

    def __init__(
        self,
        planes: Sequence[str],
        topic: str | None,
        *,
        retained: bool,
        limit: int | None,
        as_json: bool,
    ) -> None:
        self.planes: Final = [Plane(plane) for plane in planes] or list(Plane)
        self._topic: Final = topic
        self._retained: Final = retained
        self._left = limit
        self._as_json: Final = as_json
        self.done: Final = asyncio.Event()

    def take(self, tenant: str, delivery: Delivery) -> None:
        """Show one, if it is wanted."""
        if self.done.is_set() or (delivery.retain and not self._retained):
            return
        if self._topic is not None and not matches(self._topic, delivery.topic):
            return
        told = decode(delivery)
        if self._as_json:
            json_line(told)
        else:
            say(_line(tenant, told))
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.done.set()


async def _tenants(database: Database, only: str | None) -> list[str]:
    async with database.read() as connection:
        found = [each.tenant for each in await store.tenants(connection)]
    if only is not None and only not in found:
        raise Unknown(no_such_house(only))
    if not found:
        raise Failure("there are no tenants yet: heard tenant add NAME")
    return found if only is None else [only]


async def _listen(admitted: Sequence[Admitted], chosen: _Chosen, seconds: float | None) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_follow(one, chosen)) for one in admitted]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await chosen.done.wait()
        for task in tasks:
            task.cancel()


async def _follow(admitted: Admitted, chosen: _Chosen) -> None:
    filters = [plane_filter(plane, tenant=admitted.tenant) for plane in chosen.planes]

    async def use(session: Session) -> None:
        while True:
            batch = await session.receive(500)
            session.acknowledge(batch)
            for delivery in batch:
                chosen.take(admitted.tenant, delivery)

    await MqttBus(admitted.settings(), filters, clean=True).keep(use)


def decode(delivery: Delivery) -> dict[str, Any]:
    """What a message says: its envelope taken apart, or its text where it has none."""
    told: dict[str, Any] = {
        "topic": delivery.topic,
        "received_at": datetime.now(UTC),
        "retained": delivery.retain,
    }
    if not delivery.payload:
        return told | {"cleared": True}
    try:
        document = json.loads(delivery.payload)
        located = locate(delivery.topic).message
    except (ValueError, TopicMismatch, RecursionError):
        return told | {"text": delivery.payload.decode("utf-8", "backslashreplace")}
    if located.bare or not isinstance(document, dict) or document.get("type") not in BY_TYPE:
        return told | {"type": located.type_name, "data": document}
    return told | {
        name: document.get(name) for name in ("type", "id", "causationid", "time", "data")
    }


def _line(tenant: str, told: dict[str, Any]) -> str:
    moment = told["received_at"].astimezone().strftime("%H:%M:%S.%f")[:-3]
    short = told["topic"].split("/", 3)[-1]
    if told.get("cleared"):
        body = "(cleared)"
    else:
        data = told.get("data", told.get("text"))
        body = json.dumps(data, ensure_ascii=False) if not isinstance(data, str) else data
        body = "".join(each if each.isprintable() else "·" for each in body)
        body = body if len(body) <= LONGEST else body[: LONGEST - 1] + "…"
    return f"{moment}  {tenant}  {short}{' (retained)' if told['retained'] else ''}  {body}"
