"""`heard fixes`: the positions that are kept."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.printing import counted, note, say, show_json, when
from cli.progress import progress_bar
from cli.times import MOMENT
from cli.whole_file import writing
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.tracking import exporting
from services.tracking.exporting import Wanted
from services.tracking.retention import Pruned, Pruner

_WRITERS: Final = {"gpx": exporting.gpx, "geojson": exporting.geojson}
_ENDINGS: Final = {".gpx": "gpx", ".geojson": "geojson", ".json": "geojson"}


@click.group(cls=Group)
def fixes() -> None:
    """Look after the positions that are kept: export and prune them."""


@fixes.command()
@tenant_option
@click.option("--vehicle", "vehicles", type=NAME, multiple=True, metavar="NAME",
              help="Of this one alone; may be given again.")  # fmt: skip
@click.option("--since", type=MOMENT, metavar="WHEN", help="From then on: a date, or 2h, 7d ago.")
@click.option("--until", type=MOMENT, metavar="WHEN", help="Before then.")
@click.option("--format", "kind", type=click.Choice(sorted(_WRITERS)),
              help="Else as the name of the file ends; GPX on standard output.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="With those that were found wrong, too.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write there, once it is whole; else to standard output.")  # fmt: skip
@pass_application
def export(
    app: Application,
    *,
    tenant: str,
    vehicles: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    kind: str | None,
    everything: bool,
    out: Path | None,
) -> None:
    """Write the ways of vehicles as GPX or GeoJSON; over gaps no line is drawn.

    Examples:
      heard fixes export --tenant roma --vehicle bike-1 --since 1d --out bike.gpx
      heard fixes export --tenant roma --since 2024-05-01 --until 2024-05-02 --out day.geojson
      heard fixes export --tenant roma --format geojson | jq .features[0].properties.vehicle
    """
    kind = kind or _by_its_name(out)
    if since is not None and until is not None and until <= since:
        raise click.UsageError(
            f"--until ({when(until)}) is not after --since ({when(since)}): the other way round?"
        )
    wanted = Wanted(tenant, vehicles, since, until, all=everything)

    async def write(database: Database) -> int:
        async with database.read() as connection:
            await the_house(connection, tenant)
            for name in vehicles:
                if not await exporting.is_known(connection, tenant, name):
                    raise Failure(
                        f"{tenant} has no vehicle {name}, nor a position of one: "
                        f"heard track show --tenant {tenant} lists who is known"
                    )
            if not await exporting.is_any(connection, wanted):
                raise Failure(await _nothing(connection, wanted))
        with writing(out) as file:
            return await _WRITERS[kind](database, wanted, file.write)

    count = app.run(write)
    note(f"{counted(count, 'position')} written" + ("" if out is None else f" to {out}"))


def _by_its_name(out: Path | None) -> str:
    """What is to be written into a file of this name."""
    if out is None:
        return "gpx"
    kind = _ENDINGS.get(out.suffix.lower())
    if kind is None:
        known = ", ".join(_ENDINGS)
        raise click.UsageError(
            f"{out} does not say what to write ({known}): add --format gpx or --format geojson"
        )
    return kind


async def _nothing(connection: AsyncConnection, wanted: Wanted) -> str:
    """Why there is nothing to export, and what there is."""
    kept = await exporting.kept_between(
        connection, replace(wanted, since=None, until=None, all=True)
    )
    whose = " or ".join(wanted.vehicles) or wanted.tenant
    if kept is None:
        return f"no position of {whose} is kept (nothing was written)"
    span = f"those kept are from {when(kept[0])} to {when(kept[1])}"
    if wanted.all:
        return f"no position of {whose} is of that time (nothing was written): {span}"
    return (
        f"no good position of {whose} is of that time (nothing was written): {span}; "
        "--all takes those that were found wrong, too"
    )


@fixes.command()
@click.option("--tenant", type=NAME, metavar="NAME", help="The positions of this house alone.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@json_option
@pass_application
def prune(app: Application, *, tenant: str | None, dry_run: bool, as_json: bool) -> None:
    """Let go of positions that are older than a house keeps them, and thin the old ones.

    What the rules of the house say counts: keep-fixes-days, thin-after-days and thin-to-s, in
    `heard delivery rules`. The services do the same by themselves every hour.

    Examples:
      heard fixes prune
      heard fixes prune --dry-run
      heard fixes prune --tenant roma --json
    """

    async def run(database: Database) -> Pruned:
        if tenant is not None:
            async with database.read() as connection:
                await the_house(connection, tenant)
        pruner = Pruner(database, system_clock)
        show = sys.stderr.isatty() and not as_json
        with progress_bar(await pruner.vehicles(tenant), show=show, what="vehicles") as done:
            return await pruner.prune(tenant, done, dry=dry_run)

    pruned = app.run(run)
    if as_json:
        show_json(asdict(pruned))
        return
    say(
        ("would go, or be thinned out: " if dry_run else "")
        + f"{counted(pruned.days, 'whole day')} and {counted(pruned.expired, 'position')} too old, "
        f"{counted(pruned.thinned, 'position')} thinned out, "
        f"{counted(pruned.crossings, 'crossing')} of fences forgotten"
    )
