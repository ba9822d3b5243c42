"""One tenant as a device of its own sees it: answers, and what is retained."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from cli.admission import Admitted
from cli.compose import state_router
from cli.examination.finding import Finding, bad, good
from cli.printing import counted
from schemas.devices import Heartbeat
from schemas.envelope import device_source, encode
from schemas.identifiers import new_id
from schemas.kitchen import StationHead
from schemas.kitchen_requests import ReadStation
from schemas.replies import Reply
from schemas.topics import Plane, TopicMismatch, plane_filter
from services.people.leaving import clearing_of
from services.runtime import retained
from services.runtime.bus import ConnectionLost, Session
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.mqtt_bus import MqttBus
from services.runtime.outbox import enclose

ANSWER_S: Final = 5.0
LOOKS: Final = 4
LOOK_EVERY_S: Final = 0.7
_SAID_WHILE_SERVING: Final = retained.LIVE | retained.PLANNED


async def look_as_manager(
    database: Database, admitted: Admitted, *, serving: bool, mend: bool
) -> list[Finding]:
    """One tenant, over MQTT: a device can connect, is answered, and what is retained is true."""
    tenant = admitted.tenant
    try:
        async with MqttBus(admitted.settings(), clean=True).session() as session:
            findings = [good(f"{tenant}: devices", "a new device can connect")]
            if serving:
                findings.append(await _answer(session, admitted))
            findings.append(await _retained(database, session, admitted, mend=mend))
    except ConnectionLost as error:
        says = f"a new device cannot connect: {error}"
        mends = "heard device sync" if "authori" in str(error) else "look into the broker's log"
        return [bad(f"{tenant}: devices", says, mends)]
    return findings


async def _answer(session: Session, admitted: Admitted) -> Finding:
    """Ask a question as a device does."""
    what = f"{admitted.tenant}: answers"
    where = {"tenant": admitted.tenant, "device": admitted.device}
    await session.subscribe(Reply.route.topic(**where))
    question = encode(
        ReadStation(station="doctor"),
        id=new_id(),
        source=device_source(**where),
        time=system_clock(),
    )
    began = time.monotonic()
    session.publish(ReadStation.route.topic(**where), question, qos=1, retain=False)
    session.send_now()
    try:
        async with asyncio.timeout(ANSWER_S):
            session.acknowledge(await session.receive(10))
    except TimeoutError:
        says = f"the services run, but have not answered within {ANSWER_S:.0f} s"
        return bad(what, says, "look into the services' log, and restart them")
    took = (time.monotonic() - began) * 1000
    return good(what, f"the services answer, in {took:.0f} ms")


async def _retained(
    database: Database, session: Session, admitted: Admitted, *, mend: bool
) -> Finding:
    """What differs at every look stands wrong; what differs once was on its way."""
    what = f"{admitted.tenant}: retained"
    missing: dict[str, Outgoing] = {}
    stray: set[str] = set()
    for look in range(LOOKS):
        wanted = await _wanted(database, admitted.tenant)
        standing = await _standing(session, admitted)
        difference = retained.compare(standing, wanted, beside=_SAID_WHILE_SERVING)
        now = {each.topic: each for each in difference.missing if not _beats(each, standing)}
        first = look == 0
        missing = now if first else {topic: now[topic] for topic in missing.keys() & now.keys()}
        stray = set(difference.stray) if first else stray & set(difference.stray)
        if not missing and not stray:
            return good(
                what,
                f"{counted(len(standing), 'state stands', 'states stand')} as the database says",
            )
        await asyncio.sleep(LOOK_EVERY_S)
    if mend:
        messages = [*missing.values(), *(clearing_of(admitted.tenant, topic) for topic in stray)]
        async with database.write() as connection:
            await enclose(connection, messages)
        return good(
            what,
            f"{counted(len(messages), 'state is', 'states are')} being put right by the services",
        )
    example = next(iter([*missing, *sorted(stray)]))
    wrong = counted(len(missing), "state is", "states are")
    says = f"{wrong} missing or wrong, {len(stray)} stray, as {example}"
    return bad(what, says, "heard doctor --mend")


async def _wanted(database: Database, tenant: str) -> dict[str, Outgoing]:
    found: dict[str, Outgoing] = {}
    async with database.read() as connection:
        for source in state_router().retained:
            for message in await source(connection, tenant, system_clock()):
                found[message.topic] = message
    return found


async def _standing(session: Session, admitted: Admitted) -> dict[str, bytes]:
    beat = Heartbeat(epoch=new_id(), at=system_clock())
    where = {"tenant": admitted.tenant, "device": admitted.device}
    standing = await retained.listen(
        session,
        plane_filter(Plane.STATE, tenant=admitted.tenant),
        marker=retained.Marker(beat.topic(**where), beat.model_dump_json().encode()),
    )
    # We are a device ourselves, and gone in a moment.
    return {topic: value for topic, value in standing.items() if admitted.device not in topic}


def _beats(message: Outgoing, standing: dict[str, bytes]) -> bool:
    """Whether it is a station's beat: that one lags behind the rows by its nature."""
    if message.topic not in standing:
        return False
    try:
        StationHead.route.parse(message.topic)
    except TopicMismatch:
        return False
    return True
