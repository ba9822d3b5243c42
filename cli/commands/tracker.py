"""`heard tracker`: where a courier is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from cli.admission import as_device
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, LazyCommands, Place, device_options, json_option
from cli.printing import note, say, show_json
from cli.progress import progress_bar
from cli.ridden import account, where_they_are
from cli.riding import Ridden, Times, ride
from cli.span import SPEED
from cli.track_files import read_track
from devices.gps_tracker import GpsTracker
from schemas.devices import Role
from schemas.positions import OneFix

# Imported only when it is called.
_OTHERS: Final[dict[str, Place]] = {
    "owntracks": Place(
        "cli.commands.tracker_owntracks", "owntracks", "Set a phone with OwnTracks up."
    ),
}


@click.group(cls=Group, commands=LazyCommands(_OTHERS))
def tracker() -> None:
    """Be a tracker."""


@tracker.command()
@device_options
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="CSV with recorded_at, lat and lon; or .gpx, .nmea, or .rec of OwnTracks.",
)
@click.option(
    "--speed",
    type=SPEED,
    default="1x",
    show_default=True,
    help="60x rides sixty times as fast; max does not wait.",
)
@click.option(
    "--times",
    type=click.Choice([each.value for each in Times]),
    default=Times.NOW.value,
    show_default=True,
    help="As of when: each as of now; the last one now and the others before it; or as they were.",
)
@click.option(
    "--backlog",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where positions wait that the broker does not have yet.",
)
@json_option
@pass_application
def run(
    app: Application,
    *,
    tenant: str | None,
    credentials: Path | None,
    file: Path,
    speed: float,
    times: str,
    backlog: Path | None,
    as_json: bool,
) -> None:
    """Ride a recorded track: each position is told when its time has come.

    Gaps in the track are waited for at most ten seconds. What cannot be read is named.
    The tracker follows how often it is asked to tell, and leaves out what comes sooner. At the
    end, and at Ctrl-C, it says how many were sent, how many left out, and where to look for them.

    Examples:
      heard tracker run --tenant demo --file track.csv --speed 60x
      heard tracker run --credentials scooter-1.json --file ride.gpx
      heard tracker run --credentials scooter-1.json --file ride.nmea --backlog ride.backlog
    """
    bad = 0
    ridden = Ridden()
    show = sys.stderr.isatty() and not as_json
    held_back: list[str] = []

    def readable() -> Iterator[OneFix]:
        nonlocal bad
        for where, found in read_track(file):
            if isinstance(found, str):
                bad += 1
                # A line in between would tear the bar apart.
                (held_back.append if show else note)(f"{file}, {where}: {found}")
            else:
                yield found

    with as_device(app, tenant, credentials, Role.TRACKER) as admitted:
        problems: list[str] = []
        device = GpsTracker(
            admitted.address.host,
            admitted.address.port,
            backlog=backlog,
            on_problem=problems.append,
            **admitted.options(),
        )
        with device:
            if not device.wait_online(10):
                raise Failure(problems[-1] if problems else f"no connection to {admitted.address}")
            whole = _ride(device, readable(), ridden, speed, Times(times), show=show)
            found = account(device, file, ridden, bad)
    for text in held_back:
        note(text)
    if as_json:
        show_json(found.document())
    else:
        say(found.in_words(whole=whole))
        if credentials is None and found.sent:
            note(where_they_are(admitted.tenant, [found]))
        elif found.sent:
            look = f"heard track show {found.vehicle} --tenant {admitted.tenant}"
            note(f"what was found of them, where the services are: {look}")
        if found.waiting and backlog is not None:
            note(f"{found.waiting} wait in {backlog} and are sent the next time")
    if not whole:
        raise KeyboardInterrupt


def _ride(
    device: GpsTracker,
    fixes: Iterator[OneFix],
    ridden: Ridden,
    speed: float,
    times: Times,
    *,
    show: bool,
) -> bool:
    """Ride; tells whether it came to the end: Ctrl-C stops it."""
    with progress_bar(None, show=show, what="positions") as progress:
        try:
            ride(device, fixes, ridden, speed=speed, times=times,
                 on_told=lambda each: progress(each.told + each.left_out))  # fmt: skip
        except KeyboardInterrupt:
            return False
    return True
