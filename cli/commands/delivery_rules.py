"""`heard delivery rules`: how a house brings food to its guests."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from cli.application import Application, pass_application
from cli.grammar import Group, json_option, tenant_option
from cli.house_books import HouseBook
from cli.places import PLACE
from schemas.delivery_rules import DeliveryRules, RoutingEngine
from schemas.identifiers import is_slug

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
    BOOK.show(BOOK.read(app, tenant), as_json=as_json)


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
    BOOK.show_change(BOOK.change(app, tenant, pairs), as_json=as_json)


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


def _lacks(house: DeliveryRules) -> str | None:
    """What rules want of each other."""
    if house.automatic and house.place is None:
        return (
            "automatic=true needs where the restaurant is: say place=LAT,LON with it, or "
            "automatic=false"
        )
    if house.engine is RoutingEngine.STRAIGHT or house.engine_url is not None:
        return None
    return (
        f"engine={house.engine} needs where it answers: say engine-url=http://HOST:PORT with it, "
        "or engine=straight"
    )


BOOK: Final = HouseBook("delivery", "delivery-rules.set", _rows, _put, _lacks)
