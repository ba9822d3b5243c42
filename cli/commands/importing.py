"""`heard device import`: many devices at once."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import click

from broker_config.private_files import write_private
from broker_config.secret import new_secret
from cli.admission import a_device, admission
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.names import ROLES
from cli.printing import counted, note, say, show_json
from schemas.devices import Role
from schemas.identifiers import is_slug
from services.people import store
from services.people.store import Device
from services.runtime.database import Database

AT_ONCE: Final = 50
"""Devices in one transaction: orders on SQLite wait no longer than for these."""
_MOST: Final = 10_000


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="Where the secrets go, readable by their owner alone.",
)
@json_option
@pass_application
def import_(app: Application, *, file: Path, tenant: str, out: Path, as_json: bool) -> None:
    """Let many devices in: a CSV with the columns device, role and, for displays, station.

    Nothing is done when a line is wrong. The secrets stand in the file before anybody is let
    in, so that it may be run again after an interruption: devices that are there already
    stay as they are.

    Examples:
      heard device import devices.csv --tenant roma --out secrets.json
    """
    wanted = _read(file, tenant)
    secrets = _kept(out)
    for each in wanted:
        secrets.setdefault(each.device, new_secret())
    write_private(out, json.dumps(secrets, indent=1) + "\n")

    async def let_in(database: Database) -> int:
        async with database.read() as connection:
            there = {each.device for each in await store.devices(connection, tenant)}
        missing = [each for each in wanted if each.device not in there]
        admitting = admission(app, database)
        with click.progressbar(
            length=len(missing), label="devices", file=sys.stderr, hidden=as_json
        ) as bar:
            for batch in _batches(missing):
                await admitting.admit(batch, [secrets[each.device] for each in batch])
                bar.update(len(batch))
        return len(missing)

    added = app.run(let_in)
    if as_json:
        show_json({"added": added, "already_there": len(wanted) - added, "secrets": out})
        return
    say(f"{counted(added, 'device')} let in, {len(wanted) - added} there already")
    note(f"their secrets stand in {out}: put them into the devices, and remove it")


def _batches(devices: Sequence[Device]) -> Iterator[list[Device]]:
    remaining = iter(devices)
    while batch := list(islice(remaining, AT_ONCE)):
        yield batch


def _read(file: Path, tenant: str) -> list[Device]:
    """The devices of a file, each of its lines checked."""
    try:
        rows = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8: {error.reason}") from None
    if not {"device", "role"} <= set(rows.fieldnames or []):
        raise Failure(f"{file}: its first line must name the columns device and role")
    found: dict[str, Device] = {}
    for row in rows:
        where = f"{file}, line {rows.line_num}"
        name, role = (row["device"] or "").strip(), (row["role"] or "").strip()
        station = (row.get("station") or "").strip() or None
        if not is_slug(name) or (station is not None and not is_slug(station)):
            raise Failure(
                f"{where}: {name or station!r} is no name: lower-case letters, digits and hyphens"
            )
        if role not in ROLES:
            raise Failure(f"{where}: {role!r} is no role: choose of {', '.join(ROLES)}")
        if name in found:
            raise Failure(f"{where}: {name} stands there twice")
        if len(found) == _MOST:
            raise Failure(f"{file} has more than {_MOST} devices: divide it")
        found[name] = a_device(tenant, name, Role(role), station=station)
    return list(found.values())


def _kept(out: Path) -> dict[str, str]:
    """The secrets of an earlier run that was interrupted."""
    try:
        found = json.loads(out.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise Failure(f"{out} is something else: choose another file")
    return found
