"""`heard delivery rules`: how a house brings food to its guests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import click
from pydantic import ValidationError

from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure, explain
from cli.grammar import Group, json_option, tenant_option
from cli.places import PLACE
from cli.printing import show_json, show_table
from schemas.delivery_rules import DeliveryRules
from schemas.identifiers import is_slug
from services.people import store
from services.people.store import Unknown
from services.runtime import audit, house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

_VEHICLE: Final = "vehicles."


@click.group(cls=Group)
def rules() -> None:
    """Say where a house is, and how it brings food to its guests."""


@rules.command()
@tenant_option
@json_option
@pass_application
def show(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show how a house delivers.

    Examples:
      heard delivery rules show --tenant roma
    """

    async def read(database: Database) -> DeliveryRules:
        async with database.read() as connection:
            if await store.find_tenant(connection, tenant) is None:
                raise Unknown(f"there is no tenant {tenant}: heard tenant add {tenant}")
            return (await house_rules.read(connection, tenant)).delivery

    _show(app.run(read), as_json=as_json)


@rules.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
@tenant_option
@json_option
@pass_application
def set_(app: Application, *, pairs: tuple[str, ...], tenant: str, as_json: bool) -> None:
    """Change how a house delivers; it holds from the next decision on, with no restart.

    What is not named stays as it is. Names are those that `show` lists; place is written as
    latitude,longitude, and nothing takes a value away. vehicles.NAME=DEVICE/BELOW names a
    vehicle that a bridge speaks for, vehicles.NAME.mode=car says what it is.

    Examples:
      heard delivery rules set --tenant roma place=60.1699,24.9384
      heard delivery rules set --tenant roma proof=code code-tries=3 link-hours=4
      heard delivery rules set --tenant roma engine=osrm engine-url=http://127.0.0.1:5000
      heard delivery rules set --tenant roma vehicles.van-1=traccar/356307 vehicles.van-1.mode=car
    """

    async def write(database: Database) -> DeliveryRules:
        async with database.write() as connection:
            if await store.find_tenant(connection, tenant) is None:
                raise Unknown(f"there is no tenant {tenant}: heard tenant add {tenant}")
            before = (await house_rules.read(connection, tenant)).delivery
            after = changed(before, pairs)
            was, is_ = dict(_rows(before)), dict(_rows(after))
            names = sorted(was.keys() | is_.keys())
            news = {name: is_.get(name, "") for name in names if was.get(name) != is_.get(name)}
            if news:
                await house_rules.write(connection, tenant, delivery=after)
                await audit.record(
                    connection,
                    tenant=tenant,
                    actor=actor(),
                    action="delivery-rules.set",
                    subject=tenant,
                    now=system_clock(),
                    **news,
                )
            return after

    try:
        after = app.run(write)
    except ValidationError as error:
        raise Failure(f"{explain(error)} (nothing was changed)") from None
    _show(after, as_json=as_json)


def changed(before: DeliveryRules, pairs: Sequence[str]) -> DeliveryRules:
    """The rules with other values.

    Raises:
        BadParameter: there is no such rule, or the value is none of it.
        ValidationError: a value is out of its range.
    """
    values: dict[str, Any] = before.model_dump(mode="json")
    for pair in pairs:
        name, equals, text = (each.strip() for each in pair.partition("="))
        if not equals:
            raise click.BadParameter(f"{pair!r}: write it as NAME=VALUE", param_hint="NAME=VALUE")
        try:
            _put(values, name, text)
        except ValueError as error:
            raise click.BadParameter(f"{name}: {error}", param_hint="NAME=VALUE") from None
    return DeliveryRules.model_validate(values)


def _put(values: dict[str, Any], name: str, text: str) -> None:
    if name.startswith(_VEHICLE):
        _put_vehicle(values["vehicles"], name.removeprefix(_VEHICLE), text)
        return
    field = name.replace("-", "_")
    if field not in values or field == "vehicles":
        raise ValueError(f"there is no such rule: {', '.join(_names())}")
    if field == "place":
        values[field] = PLACE.convert(text, None, None).model_dump() if text else None
    elif text:
        values[field] = text
    else:
        values[field] = DeliveryRules.model_fields[field].get_default()


def _put_vehicle(vehicles: dict[str, Any], named: str, text: str) -> None:
    name, _, field = named.partition(".")
    if field:
        if field != "mode" or name not in vehicles:
            raise ValueError(f"write vehicles.{name}=DEVICE/BELOW, and then vehicles.{name}.mode")
        vehicles[name]["mode"] = text
        return
    if not is_slug(name):
        raise ValueError("a vehicle is called in lower-case letters, digits and hyphens")
    if not text:
        vehicles.pop(name, None)
        return
    device, _, below = text.partition("/")
    known = vehicles.get(name, {"name": name})
    vehicles[name] = {**known, "device": device, "below": below or None}


def _names() -> list[str]:
    known = [each.replace("_", "-") for each in DeliveryRules.model_fields if each != "vehicles"]
    return [*known, "vehicles.NAME", "vehicles.NAME.mode"]


def _rows(house: DeliveryRules) -> list[tuple[str, str]]:
    found = []
    for field, value in house.model_dump(mode="json").items():
        if field == "vehicles":
            for name, each in sorted(value.items()):
                below = f"/{each['below']}" if each["below"] else ""
                found.append((f"{_VEHICLE}{name}", f"{each['device']}{below}"))
                found.append((f"{_VEHICLE}{name}.mode", each["mode"]))
        elif field == "place":
            text = "" if value is None else f"{value['lat']},{value['lon']}"
            found.append(("place", text))
        else:
            shown = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            found.append((field.replace("_", "-"), shown))
    return found


def _show(house: DeliveryRules, *, as_json: bool) -> None:
    if as_json:
        show_json(house.model_dump(mode="json"))
        return
    show_table(("rule", "value"), _rows(house), empty="")
