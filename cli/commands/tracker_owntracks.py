"""`heard tracker owntracks`: set a phone with OwnTracks up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from broker_config.private_files import write_private
from cli.failures import Failure
from cli.grammar import Command
from cli.printing import note, say
from schemas.devices import Role
from schemas.foreign_positions import OwnTracksSaid

SETTING = {
    "significant": 1,
    "move": 2,
}


@click.command(cls=Command)
@click.option(
    "--credentials",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="Of a tracker: what `heard device claim` has made.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it; without, beside the credentials, as .otrc.",
)
@click.option(
    "--mode",
    type=click.Choice(sorted(SETTING)),
    default="move",
    show_default=True,
    help="How it looks where it is: all the time, or when it has gone some way.",
)
def owntracks(*, credentials: Path, out: Path | None, mode: str) -> None:
    """Write the configuration with which a phone's OwnTracks speaks to this restaurant.

    Open the file on the phone, and the app takes it over. It holds the tracker's secret: send
    it to nobody else, and delete it afterwards.

    Examples:
      heard tracker owntracks --credentials scooter-1.json
      heard tracker owntracks --credentials scooter-1.json --out phone.otrc --mode significant
    """
    from devices.enrolment import read_credentials  # noqa: PLC0415 - httpx is slow to import

    known = read_credentials(credentials)
    if known.role is not Role.TRACKER:
        raise Failure(f"{credentials} is of a {known.role.value}, not of a tracker")
    broker = known.broker
    written: dict[str, Any] = {
        "_type": "configuration",
        "mode": 0,  # MQTT
        "host": broker.host,
        "port": broker.port,
        "tls": broker.tls,
        "auth": True,
        "username": known.username,
        "password": known.secret,
        "clientId": known.client_id,
        "deviceId": known.device,
        "tid": known.device[-2:],
        "mqttProtocolLevel": 4,
        "cleanSession": False,
        "keepalive": 60,
        "pubTopicBase": OwnTracksSaid.route.topic(tenant=known.tenant, device=known.device),
        "pubQos": 1,
        "pubRetain": False,  # what trackers say stands nowhere
        "willRetain": False,
        "sub": False,  # nobody hears of the others
        "cmd": False,
        "remoteConfiguration": False,
        "monitoring": SETTING[mode],
    }
    path = out or credentials.with_suffix(".otrc")
    write_private(path, json.dumps(written, indent=1) + "\n")
    if broker.ca:
        note(
            "the broker's certificate is of an authority of its own: install that on the phone too"
        )
    say(f"{path} is written: open it on the phone")
