"""`heard track replay`: recorded rides again, a vehicle a file."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import click

from cli.admission import visiting
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.names import NAME
from cli.printing import counted, note, say, show_json
from cli.riding import Times, ride
from cli.span import SPEED
from cli.track_files import read_track, sorted_by_time
from devices.gps_tracker import GpsTracker
from schemas.devices import Role
from schemas.identifiers import new_id, slug
from schemas.positions import OneFix


@click.command(cls=Command)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--tenant", type=NAME, required=True, metavar="NAME", help="The restaurant.")
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
    default=Times.ENDING.value,
    show_default=True,
    help="As of when: each as of now; the last one now and the others before it; or as they were.",
)
@click.option(
    "--limit", type=click.IntRange(1), help="Of each file only the first so many positions."
)
@json_option
@pass_application
def replay(
    app: Application,
    *,
    files: tuple[Path, ...],
    tenant: str,
    speed: float,
    times: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """Ride recorded tracks again, all at once: each file is a vehicle with a tracker of its own.

    Files are CSV with recorded_at, lat and lon, or .gpx, .nmea, or .rec of OwnTracks. Faster
    than it was, a ride keeps its own spacing and ends now (--times ending): else vehicles
    would seem to fly.

    Examples:
      heard track replay monday/*.gpx --tenant demo --speed 10x
      heard track replay ride.csv --tenant demo --times now
      heard track replay phone.rec --tenant demo --speed max --times kept --json
    """
    rides = [_read(file, limit) for file in files]
    names = _names(files)
    stop = threading.Event()
    with (
        visiting(app, tenant, *([Role.TRACKER] * len(files)), names=names) as admitted,
        ExitStack() as opened,
    ):
        devices = [
            opened.enter_context(GpsTracker(one.address.host, one.address.port, **one.options()))
            for one in admitted
        ]
        for device in devices:
            if not device.wait_online(15):
                raise Failure(f"{device.device} does not come in: is the broker running?")
        with ThreadPoolExecutor(len(devices)) as pool:
            opened.callback(stop.set)
            told = [
                pool.submit(ride, device, fixes, speed=speed, times=Times(times), stop=stop)
                for device, (fixes, _) in zip(devices, rides, strict=True)
            ]
            try:
                sent = [each.result() for each in told]
            except BaseException:
                stop.set()
                raise
    found = [
        {"vehicle": name, "file": str(file), "sent": count, "unreadable": bad}
        for name, file, count, (_, bad) in zip(names, files, sent, rides, strict=True)
    ]
    if as_json:
        show_json(found)
        return
    for each in found:
        say(f"{each['vehicle']}: {counted(int(str(each['sent'])), 'position')} of {each['file']}")


def _read(file: Path, limit: int | None) -> tuple[list[OneFix], int]:
    fixes: list[OneFix] = []
    bad = 0
    for where, found in read_track(file):
        if limit is not None and len(fixes) >= limit:
            break
        if isinstance(found, str):
            bad += 1
            note(f"{file}, {where}: {found}")
        else:
            fixes.append(found)
    return sorted_by_time(fixes), bad


def _names(files: Sequence[Path]) -> list[str]:
    """Each vehicle by its file; a tail tells it from those of other replays."""
    tail = new_id().hex[-6:]
    return [
        f"{slug(file.stem)[:40] or 'ride'}-{tail}" + (f"-{number}" if len(files) > 1 else "")
        for number, file in enumerate(files, 1)
    ]
