"""What `heard doctor` looks at: each finding says what is wrong and what mends it."""

from __future__ import annotations

import asyncio
import socket
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from broker_config import dynamic_security
from broker_config.access import OURS, SERVICES_USERNAME
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from cli.admission import Admitted
from cli.application import Application
from cli.compose import state_router
from cli.failures import Failure, explain
from cli.files import (
    ADMIN_NAME,
    RUN_NAME,
    SERVICES_NAME,
    admin_secret,
    services_secret,
)
from schemas.devices import Heartbeat
from schemas.envelope import device_source, encode
from schemas.identifiers import new_id
from schemas.kitchen import ReadStation, StationHead
from schemas.replies import Reply
from schemas.topics import Plane, TopicMismatch, plane_filter
from services.migrations import upgrade as migrations
from services.people import credentials
from services.people.control import command
from services.people.leaving import clearing_of
from services.runtime import retained
from services.runtime.bus import ConnectionLost, MqttBus, Session
from services.runtime.context import Outgoing
from services.runtime.database import Database, parse_url
from services.runtime.lease import is_held
from services.runtime.moment import system_clock
from services.runtime.outbox import enclose
from services.runtime.tables import OUTBOX, QUARANTINE

SECRETS: Final = (SERVICES_NAME, ADMIN_NAME, RUN_NAME, "demo.json")
SKEW_S: Final = 2.0
ANSWER_S: Final = 5.0
LOOKS: Final = 4
LOOK_EVERY_S: Final = 0.7


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        ok: whether it is as it should be; None where it could not be looked at.
        says: what was found.
        mend: the command that mends it.
    """

    what: str
    ok: bool | None
    says: str
    mend: str | None = None


def good(what: str, says: str) -> Finding:
    """It is as it should be."""
    return Finding(what, True, says)  # noqa: FBT003 - the field's own value


def bad(what: str, says: str, mend: str) -> Finding:
    """It is not as it should be."""
    return Finding(what, False, says, mend)  # noqa: FBT003 - the same


def why(error: BaseException) -> str:
    """One line on an error."""
    return explain(error) or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def look_at_files(app: Application, *, mend: bool) -> list[Finding]:
    """Secrets must be readable by their owner alone."""
    home = app.settings.home
    if not home.is_dir():
        return [good("files", f"{home} is made when it is needed")]
    findings = []
    for name in SECRETS:
        path = home / name
        if not path.exists():
            continue
        open_to = stat.S_IMODE(path.stat().st_mode) & 0o077
        if open_to and mend:
            path.chmod(0o600)
            open_to = 0
        if open_to:
            findings.append(bad("files", f"others may read {path}", f"chmod 600 {path}"))
    return findings or [good("files", f"the secrets in {home} are their owner's alone")]


async def look_at_database(app: Application, *, mend: bool) -> list[Finding]:
    """It is there, at the newest version, as the code believes, and its clock is ours."""
    where = parse_url(app.database_url)
    if where.get_backend_name() == "sqlite" and not _exists(where.database):
        return [bad("database", f"{where.database} is not there yet", "heard db upgrade")]
    database = Database(app.database_url)
    try:
        async with database.read() as connection:
            began = system_clock()
            told = None if database.is_sqlite else await connection.scalar(select(func.now()))
            took = system_clock() - began
        findings = [good("database", f"{database.shown} answers")]
        at = await migrations.version(database)
        if at != migrations.newest() and mend:
            await migrations.upgrade(database)
            at = await migrations.version(database)
        if at != migrations.newest():
            says = f"at version {at or 'none'}; this program needs {migrations.newest()}"
            return [*findings, bad("migrations", says, "heard db upgrade")]
        findings.append(good("migrations", f"at the newest version, {at}"))
        findings.append(_schema(await migrations.differences(database)))
        if told is not None:
            findings.append(_clock(told, began + took / 2))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong
        hint = "start it, or name another with --database"
        return [bad("database", why(error), hint)]
    finally:
        await database.close()
    return findings


def _exists(path: str | None) -> bool:
    return path is None or path == ":memory:" or Path(path).exists()


def _schema(differences: list[str]) -> Finding:
    if not differences:
        return good("schema", "the tables are as the code believes")
    says = f"the tables differ: {differences[0][:160]}"
    more = len(differences) - 1
    return bad(
        "schema",
        says + (f" (and {more} more)" if more else ""),
        "somebody changed them by hand: undo that, or restore a backup",
    )


def _clock(told: datetime, here: datetime) -> Finding:
    skew = abs((told.astimezone(UTC) - here).total_seconds())
    if skew <= SKEW_S:
        return good("clock", f"the database's clock and ours differ by {skew:.2f} s")
    return bad(
        "clock",
        f"the database's clock and ours differ by {skew:.0f} s",
        "set both by NTP: timedatectl set-ntp true",
    )


async def look_at_rows(database: Database) -> list[Finding]:
    """What waits, and what was put aside."""
    findings = [await _outbox(database)]
    async with database.read() as connection:
        count = int(await connection.scalar(select(func.count()).select_from(QUARANTINE)) or 0)
    if count:
        says = f"{count} messages that nobody could understand"
        mend = "heard quarantine list, and when looked at: heard quarantine clear --all"
        findings.append(bad("quarantine", says, mend))
    else:
        findings.append(good("quarantine", "empty"))
    return findings


async def _outbox(database: Database) -> Finding:
    """What stands in the outbox for seconds is stuck; what passes through it is well."""
    query = select(OUTBOX.c.parcel_id).order_by(OUTBOX.c.parcel_id).limit(1)
    oldest = None
    for look in range(LOOKS):
        async with database.read() as connection:
            found = await connection.scalar(query)
            count = await connection.scalar(select(func.count()).select_from(OUTBOX))
        if found is None or (oldest is not None and found != oldest):
            return good("outbox", "what is decided goes out at once")
        oldest = found
        if look < LOOKS - 1:
            await asyncio.sleep(LOOK_EVERY_S)
    return bad("outbox", f"{count} parcels wait and none goes out", "heard up, or heard serve")


def look_at_broker(app: Application) -> tuple[list[Finding], BrokerAddress | None]:
    """It takes connections."""
    try:
        address = app.address()
    except Failure as error:
        return [bad("broker", str(error), "heard up")], None
    try:
        began = time.monotonic()
        with socket.create_connection((address.host, address.port), timeout=3):
            took = (time.monotonic() - began) * 1000
    except OSError as error:
        start = "heard up" if app.embedded else "start Mosquitto, or name it by --broker-host"
        return [bad("broker", f"{address} does not answer: {error}", start)], None
    return [good("broker", f"{address} takes connections, in {took:.0f} ms")], address


async def look_at_services(
    app: Application, database: Database, address: BrokerAddress
) -> list[Finding]:
    """Somebody serves; or else, that the services could log in."""
    if await is_held(database):
        return [good("services", "a process serves this database")]
    start = "heard up" if app.embedded else "heard serve"
    findings = [bad("services", "no process serves this database", start)]
    login = BrokerLogin(username=SERVICES_USERNAME, secret=services_secret(app.settings))
    try:
        # As the services do: a clean session would throw away what waits for them.
        async with MqttBus(BrokerSettings(address=address, login=login)).session():
            pass
    except ConnectionLost as error:
        mend = (
            "stop Mosquitto, then: heard broker render mosquitto --replace --directory DIR "
            "(or set HEARD_SERVICES_SECRET)"
        )
        findings.append(bad("services' login", why(error), mend))
    else:
        findings.append(good("services' login", "the broker lets the services in"))
    return findings


async def look_at_accounts(
    app: Application, database: Database, address: BrokerAddress
) -> list[Finding]:
    """Mosquitto's accounts against the database's devices."""
    if app.embedded:
        return []
    try:
        answers = await command(
            address, admin_secret(app.settings), dynamic_security.list_accounts()
        )
    except (ConnectionLost, dynamic_security.DynamicSecurityRefused) as error:
        mend = "set HEARD_ADMIN_SECRET, or render Mosquitto's accounts anew with --replace"
        return [bad("administrator", why(error), mend)]
    standing = set(dynamic_security.account_names(answers))
    now = system_clock()
    async with database.read() as connection:
        known = {each.username for each in await credentials.every(connection, now)}
    missing = sorted(known - standing)
    stray = sorted(standing - known - OURS)
    findings = [good("administrator", "Mosquitto lets us change accounts")]
    if stray:
        says = f"Mosquitto knows {len(stray)} devices that are gone: {', '.join(stray[:3])}"
        findings.append(bad("accounts", says, "heard device sync"))
    if missing:
        tenant, _, device = missing[0].partition(":")
        says = f"Mosquitto does not know {len(missing)} devices: {', '.join(missing[:3])}"
        mend = f"heard device rotate {device} --tenant {tenant}"
        findings.append(bad("accounts", says, mend))
    if not stray and not missing:
        findings.append(good("accounts", f"{len(known)} devices, as in the database"))
    return findings


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
        difference = retained.compare(standing, wanted)
        now = {each.topic: each for each in difference.missing if not _beats(each, standing)}
        first = look == 0
        missing = now if first else {topic: now[topic] for topic in missing.keys() & now.keys()}
        stray = set(difference.stray) if first else stray & set(difference.stray)
        if not missing and not stray:
            return good(what, f"{len(standing)} states stand as the database says")
        await asyncio.sleep(LOOK_EVERY_S)
    if mend:
        messages = [*missing.values(), *(clearing_of(admitted.tenant, topic) for topic in stray)]
        async with database.write() as connection:
            await enclose(connection, messages)
        return good(what, f"{len(messages)} states are being put right by the services")
    example = next(iter([*missing, *sorted(stray)]))
    says = f"{len(missing)} states are missing or wrong, {len(stray)} stray, as {example}"
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
