"""`heard track replay`: recorded rides again, a vehicle a file."""

from __future__ import annotations

import dataclasses as dc
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from cli.admission import visiting
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.names import NAME
from cli.printing import counted, note, say, show_json
from cli.progress import progress_bar
from cli.ridden import account, judged, where_they_are
from cli.riding import Ridden, Times, ride
from cli.span import SPEED
from cli.track_files import read_track, sorted_by_time
from devices.gps_tracker import GpsTracker
from schemas.devices import Role
from schemas.identifiers import new_id, slug
from schemas.positions import OneFix

_LOOK_S: Final = 0.2
_NAMED: Final = 3
"""More vehicles than these are not named one by one before they ride."""


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
    would seem to fly. While it rides, the vehicle has the name of its file and an ending of its
    own, which is told at once; at the end, and at Ctrl-C, what was sent and what was found of it.
    The vehicle goes then, its positions are kept (`heard fixes export`).

    Examples:
      heard track replay monday/*.gpx --tenant demo --speed 10x
      heard track replay ride.csv --tenant demo --times now
      heard track replay phone.rec --tenant demo --speed max --times kept --json
    """
    rides = [_read(file, limit) for file in files]
    names = _names(files)
    with visiting(app, tenant, *([Role.TRACKER] * len(files)), names=names) as admitted:
        if not as_json:
            note(_who_rides(tenant, names))
        with ExitStack() as opened:
            devices = [
                opened.enter_context(
                    GpsTracker(one.address.host, one.address.port, **one.options())
                )
                for one in admitted
            ]
            for device in devices:
                if not device.wait_online(15):
                    raise Failure(f"{device.device} does not come in: is the broker running?")
            ridden = [Ridden() for _ in rides]
            whole = _ride(
                [(device, fixes) for device, (fixes, _) in zip(devices, rides, strict=True)],
                ridden, speed, Times(times), show=sys.stderr.isatty() and not as_json,
            )  # fmt: skip
            found = [
                account(device, file, each, bad)
                for device, file, each, (_, bad) in zip(devices, files, ridden, rides, strict=True)
            ]
        if whole:
            # While the vehicles are there: what was found of them goes with them.
            sent = {each.vehicle: each.sent for each in found if each.sent}
            counts = app.run(lambda database: judged(database, tenant, sent))
            found = [dc.replace(each, judged=counts.get(each.vehicle, {})) for each in found]
    if as_json:
        show_json([each.document() for each in found])
    else:
        for each in found:
            say(each.in_words(whole=whole))
        if any(each.sent for each in found):
            note(where_they_are(tenant, found))
    if not whole:
        raise KeyboardInterrupt


def _ride(
    rides: Sequence[tuple[GpsTracker, Sequence[OneFix]]],
    ridden: Sequence[Ridden],
    speed: float,
    times: Times,
    *,
    show: bool,
) -> bool:
    """Have all ride at once; tells whether they came to the end: Ctrl-C stops them."""
    stop = threading.Event()
    every = sum(len(fixes) for _, fixes in rides)
    with (
        progress_bar(every, show=show, what="positions") as progress,
        ThreadPoolExecutor(len(rides)) as pool,
    ):
        riding = [
            pool.submit(ride, device, fixes, each, speed=speed, times=times, stop=stop)
            for (device, fixes), each in zip(rides, ridden, strict=True)
        ]
        try:
            while wait(riding, _LOOK_S, FIRST_EXCEPTION).not_done and not _failed(riding):
                progress(sum(each.told + each.left_out for each in ridden))
            for one in riding:
                if one.done():
                    one.result()
        except KeyboardInterrupt:
            return False
        finally:
            stop.set()
    return True


def _failed(riding: Sequence[Future[None]]) -> bool:
    return any(one.done() and one.exception() is not None for one in riding)


def _who_rides(tenant: str, names: Sequence[str]) -> str:
    """Under which names vehicles ride, and how one looks at them meanwhile."""
    named = "".join(f" --vehicle {each}" for each in names) if len(names) <= _NAMED else ""
    who = ", ".join(names) if named else counted(len(names), "vehicle")
    ride = "rides" if len(names) == 1 else "ride"
    return f"{who} {ride} now: heard track watch --tenant {tenant}{named}"


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
