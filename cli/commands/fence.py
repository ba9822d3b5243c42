"""`heard fence`: the places and areas that a house cares for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.printing import age, counted, note, say, show_json, show_table
from schemas.fences import Fence
from services.geography.shapes import Area
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.tracking import fence_files, fence_store
from services.tracking.fence_store import FenceChanges

_WORDS: Final = {"added": "new", "changed": "changed", "removed": "taken away"}


@click.group(cls=Group)
def fence() -> None:
    """Say which places and areas matter, and who has to stay where."""


@fence.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@tenant_option
@click.option("--replace", is_flag=True, help="Take away the fences that are not in the files.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@json_option
@pass_application
def import_(
    app: Application,
    *,
    files: tuple[Path, ...],
    tenant: str,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put the fences of GeoJSON files in place; they count from the next second on.

    All of them, or none: whatever is wrong is told. A feature is a fence: a Polygon, or a Point
    with the property radius_m. Other properties: name, fence (the name in topics), kind
    (zone, restaurant), hysteresis_m, dwell_s, must_stay, hours (as those of a menu).
    docs/fences.md shows all of it.

    Examples:
      heard fence import zones.geojson --tenant roma --dry-run
      heard fence import zones.geojson --tenant roma
      heard fence import zones.geojson --tenant roma --replace
    """
    wanted = _read(files)

    async def put(database: Database) -> FenceChanges:
        async with database.write() as connection:
            await the_house(connection, tenant)
            before = await fence_store.every(connection, tenant)
            changes = fence_store.compared(before, wanted, replace=replace)
            if changes and not dry_run:
                now = system_clock()
                await fence_store.keep(connection, tenant, wanted, changes, now)
                for what, names in asdict(changes).items():
                    if what == "same":
                        continue
                    for name in names:
                        await audit.record(connection, tenant=tenant, actor=actor(), now=now,
                                           action=f"fence.{what}", subject=name)  # fmt: skip
            return changes

    changes = app.run(put)
    if as_json:
        show_json({"tenant": tenant, "dry_run": dry_run, **asdict(changes)})
        return
    for what, word in _WORDS.items():
        for name in getattr(changes, what):
            say(f"{name}: {word}")
    how = "would be as before" if dry_run else "as before"
    say(f"{counted(len(wanted), 'fence')} read, {len(changes.same)} {how}")


@fence.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List the fences of a house.

    The restaurant itself, and the doors of guests, need none: `heard delivery rules` says how
    near one has to come to them.

    Examples:
      heard fence list --tenant roma
      heard fence list --tenant roma --json
    """
    found = list(_every(app, tenant).values())
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("fence", "name", "kind", "shape", "stays", "told after", "counts"),
        (
            (
                each.fence,
                each.name,
                each.kind.value,
                _shape(each),
                "must" if each.must_stay else "",
                "" if each.dwell_s is None else age(each.dwell_s),
                _hours(each),
            )
            for each in found
        ),
        empty=f"{tenant} has no fence: heard fence import zones.geojson --tenant {tenant}",
    )


@fence.command()
@click.argument("name", type=NAME, required=False, metavar="[FENCE]")
@tenant_option
@pass_application
def show(app: Application, *, name: str | None, tenant: str) -> None:
    """Print a fence, or all of them, as GeoJSON that `import` and any map read.

    Examples:
      heard fence show centre --tenant roma
      heard fence show --tenant roma > zones.geojson
    """
    found = _every(app, tenant)
    show_json(fence_files.written(list(found.values()) if name is None else [_one(found, name)]))


@fence.command()
@click.argument("name", type=NAME, metavar="FENCE")
@tenant_option
@pass_application
def remove(app: Application, *, name: str, tenant: str) -> None:
    """Take a fence away; what stands against who left it ends with it.

    Examples:
      heard fence remove centre --tenant roma
    """

    async def take(database: Database) -> None:
        async with database.write() as connection:
            await the_house(connection, tenant)
            _one(await fence_store.every(connection, tenant), name)
            now = system_clock()
            await fence_store.keep(connection, tenant, {}, FenceChanges(removed=(name,)), now)
            await audit.record(connection, tenant=tenant, actor=actor(), now=now,
                               action="fence.removed", subject=name)  # fmt: skip

    app.run(take)
    say(f"{name}: taken away")


def _read(files: Sequence[Path]) -> dict[str, Fence]:
    """The fences of several files.

    Raises:
        Failure: anything is wrong with any of them; where it is more than one thing, each is
            told before, in a line of its own.
    """
    found: dict[str, Fence] = {}
    wrong: list[str] = []
    for file in files:
        try:
            read = fence_files.read(file.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            wrong.append(f"{file} is no UTF-8 text: {error.reason} at byte {error.start}")
            continue
        wrong += [f"{file}: {each}" for each in read.wrong]
        wrong += [
            f"{file}: {name}: it is in another file too" for name in read.fences if name in found
        ]
        found |= read.fences
    if len(wrong) == 1:
        raise Failure(f"{wrong[0]} (nothing was imported)")
    if wrong:
        for each in wrong:
            note(each)
        raise Failure(f"{len(wrong)} problems, named above: nothing was imported")
    return found


def _every(app: Application, tenant: str) -> dict[str, Fence]:
    async def read(database: Database) -> dict[str, Fence]:
        async with database.read() as connection:
            await the_house(connection, tenant)
            return await fence_store.every(connection, tenant)

    return app.run(read)


def _one(found: dict[str, Fence], name: str) -> Fence:
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise Failure(f"there is no fence {name}: there are {known}")
    return found[name]


def _shape(fence: Fence) -> str:
    shape = fence_files.shape_of(fence)
    if isinstance(shape, Area):
        return f"{shape.area_m2 / 1e6:.3g} km²"
    return f"{shape.radius_m:g} m around"


def _hours(fence: Fence) -> str:
    told: list[Any] = []
    for each in fence.hours:
        days = ",".join(day.value[:3] for day in each.days) or "daily"
        since = "" if each.since is None else f"{each.since:%H:%M}"
        until = "" if each.until is None else f"{each.until:%H:%M}"
        told.append(f"{days} {since}-{until}" if since or until else days)
    return "; ".join(told) or "always"
