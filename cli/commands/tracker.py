"""`heard tracker`: where a courier is."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError

from cli.admission import as_device
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, device_options, json_option
from cli.printing import counted, note, say, show_json
from cli.span import SPEED
from devices.gps_tracker import GpsTracker
from schemas.devices import Fix, Role

_NEEDED = {"recorded_at", "lat", "lon"}
_LONGEST_WAIT_S = 10.0
_SPOOL = 400


@click.group(cls=Group)
def tracker() -> None:
    """Be a tracker."""


@tracker.command()
@device_options
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="CSV with recorded_at, lat and lon.",
)
@click.option(
    "--speed",
    type=SPEED,
    default="1x",
    show_default=True,
    help="60x rides sixty times as fast; max does not wait.",
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
    as_json: bool,
) -> None:
    """Ride a recorded track: each position is told when its time has come.

    Gaps in the track are waited for at most ten seconds. What cannot be read is named.

    Examples:
      heard tracker run --tenant demo --file track.csv --speed 60x
      heard tracker run --credentials scooter-1.json --file track.csv
    """
    sent = bad = 0
    with as_device(app, tenant, credentials, Role.TRACKER) as admitted:
        problems: list[str] = []
        device = GpsTracker(
            admitted.address.host,
            admitted.address.port,
            on_problem=problems.append,
            **admitted.options(),
        )
        with device:
            if not device.wait_online(10):
                raise Failure(problems[-1] if problems else f"no connection to {admitted.address}")
            last: datetime | None = None
            for line, found in _fixes(file):
                if isinstance(found, str):
                    bad += 1
                    note(f"{file}, line {line}: {found}")
                    continue
                if last is not None:
                    gap = (found.at - last).total_seconds() / speed
                    time.sleep(min(max(gap, 0.0), _LONGEST_WAIT_S))
                last = found.at
                # Told as of now: a position of years ago is no news to anybody.
                device.report(found.model_copy(update={"at": datetime.now(UTC)}))
                sent += 1
                if speed == float("inf") and sent % _SPOOL == 0:
                    time.sleep(0.05)  # at most the newest thousand wait in the device
    if as_json:
        show_json({"sent": sent, "unreadable": bad})
    else:
        say(f"{counted(sent, 'position')} sent, {counted(bad, 'line')} could not be read")


def _fixes(path: Path) -> Iterator[tuple[int, Fix | str]]:
    """Each line's position, or what is wrong with it."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        missing = _NEEDED - set(table.fieldnames or [])
        if missing:
            raise Failure(f"{path} is no track: its first line lacks {', '.join(sorted(missing))}")
        for row in table:
            try:
                at = datetime.fromisoformat(row["recorded_at"].strip())
                at = at if at.tzinfo else at.replace(tzinfo=UTC)
                yield table.line_num, Fix(at=at, lat=float(row["lat"]), lon=float(row["lon"]))
            except ValidationError as error:
                first = error.errors()[0]
                yield table.line_num, f"{first['loc'][0]}: {first['msg']}"
            except (ValueError, AttributeError) as error:
                yield table.line_num, str(error)
