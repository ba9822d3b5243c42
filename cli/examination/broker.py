"""The broker: whether it answers, lets the services in, and knows the devices."""

from __future__ import annotations

import socket
import time

from broker_config import dynamic_security
from broker_config.access import OURS, SERVICES_USERNAME
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings, PlaintextRefused
from cli.application import Application
from cli.examination.finding import Finding, bad, good, why
from cli.failures import Failure
from cli.files import (
    admin_secret,
    services_secret,
)
from cli.printing import counted
from services.people import credentials
from services.people.control import command
from services.runtime.bus import ConnectionLost
from services.runtime.database import Database
from services.runtime.lease import is_held
from services.runtime.moment import system_clock
from services.runtime.mqtt_bus import MqttBus


def look_at_broker(app: Application) -> tuple[list[Finding], BrokerAddress | None]:
    """It takes connections."""
    try:
        address = app.address()
    except Failure as error:
        return [bad("broker", str(error), "heard up")], None
    except PlaintextRefused as error:
        mend = "HEARD_BROKER_TLS=true HEARD_BROKER_CA=…/ca.crt (heard tls init makes them)"
        return [bad("plaintext", str(error), mend)], None
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
    findings = [bad("services", "no process serves this database", app.serves_with)]
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
        gone = counted(len(stray), "device that is gone", "devices that are gone")
        says = f"Mosquitto knows {gone}: {', '.join(stray[:3])}"
        findings.append(bad("accounts", says, "heard device sync"))
    if missing:
        tenant, _, device = missing[0].partition(":")
        says = (
            f"Mosquitto does not know {counted(len(missing), 'device')}: {', '.join(missing[:3])}"
        )
        mend = f"heard device rotate {device} --tenant {tenant}"
        findings.append(bad("accounts", says, mend))
    if not stray and not missing:
        findings.append(good("accounts", f"{counted(len(known), 'device')}, as in the database"))
    return findings
