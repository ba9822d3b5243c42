"""`heard stock sensors`: the house's thermometers, what they should read, and what they do."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import click
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure, explain
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.printing import age, note, say, show_json, show_table
from cli.span import SPAN
from schemas.devices import Role
from schemas.sensors import SensorRules, SensorState
from schemas.stock_rules import StockRules
from services.inventory.sensor_store import of_house
from services.people import store
from services.runtime import audit, house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

_ANY: Final = "none"
"""What takes a limit away."""


@click.group(cls=Group)
def sensors() -> None:
    """Say which thermometers there are, and see what they read."""


class _Limit(click.ParamType[float | None]):
    """A temperature in °C, or ``none``."""

    name = "limit"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Read it."""
        if str(value).strip().lower() == _ANY:
            return None
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is no temperature: write 5, -18.5, or none", param, ctx)


_LIMIT: Final = _Limit()


@sensors.command("set")
@click.argument("sensor", type=NAME, metavar="SENSOR")
@click.option("--device", type=NAME, metavar="NAME", help="Who speaks: itself, or its bridge.")
@click.option("--below", type=NAME, metavar="NAME", help="Its name below a Zigbee bridge.")
@click.option("--probe", metavar="NAME", help="Which of several: DS18B20-1, temperature_l2.")
@click.option("--name", metavar="TEXT", help="For people: what it hangs in.")
@click.option("--least", type=_LIMIT, metavar="°C", help="Colder is out of limits; none for none.")
@click.option("--most", type=_LIMIT, metavar="°C", help="Warmer is out of limits; none for none.")
@click.option("--may-exceed", "may_exceed_s", type=SPAN, metavar="SPAN", help="For so long it may.")
@click.option("--clears-within", type=click.FloatRange(0, 50), metavar="°C",
              help="So far within its limits an alert is over.")  # fmt: skip
@click.option("--silent-after", "silent_after_s", type=SPAN, metavar="SPAN",
              help="After so long without a reading somebody is told.")  # fmt: skip
@tenant_option
@json_option
@pass_application
def set_(app: Application, *, sensor: str, tenant: str, as_json: bool, **said: Any) -> None:
    """Add a thermometer, or change what is known of it; what is not named stays as it is.

    What it says counts from the next second on, with no restart. The device must be there:
    `heard device add fridge-1 --tenant roma --role sensor`.

    Examples:
      heard stock sensors set walk-in --tenant roma --device fridge-1 --most 5 --name "Walk-in"
      heard stock sensors set freezer --tenant roma --device zigbee --below freezer --most -15
      heard stock sensors set hot-hold --tenant roma --device plug --probe DS18B20-2 --least 63
      heard stock sensors set walk-in --tenant roma --may-exceed 20m --silent-after 2h
    """
    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    named = {name: value for name, value in said.items()
             if context.get_parameter_source(name) is given}  # fmt: skip
    for span in ("may_exceed_s", "silent_after_s"):
        if span in named:
            named[span] = round(named[span])

    async def write(database: Database) -> SensorRules:
        async with database.write() as connection:
            await the_house(connection, tenant)
            house = (await house_rules.read(connection, tenant)).stock
            before = house.sensors.get(sensor)
            values = {} if before is None else before.model_dump()
            if before is None:
                if "device" not in named:
                    raise Failure(f"{sensor} is new: say who speaks for it with --device")
                values["name"] = sensor.replace("-", " ").capitalize()
            after = SensorRules.model_validate({**values, **named})
            device = await store.find_device(connection, tenant, after.device)
            if device.role is not Role.SENSOR and after.below is not None:
                raise Failure(f"{after.device} is no sensor: only such speak for a Zigbee bridge")
            rules = house.model_copy(update={"sensors": {**house.sensors, sensor: after}})
            await _keep(connection, tenant, rules, "sensor.set", sensor, **named)
            return after

    try:
        after = app.run(write)
    except ValidationError as error:
        raise Failure(f"{explain(error)} (nothing was changed)") from None
    if as_json:
        show_json({"sensor": sensor, **after.model_dump(mode="json")})
        return
    if after.least is None and after.most is None:
        note(f"{sensor} has no limits: only its silence is told. Give it --least or --most.")
    say(f"{sensor}: {after.name}, {_limits(after)}")


@sensors.command()
@click.argument("sensor", type=NAME, metavar="SENSOR")
@tenant_option
@pass_application
def remove(app: Application, *, sensor: str, tenant: str) -> None:
    """Take a thermometer away; its alerts end with it.

    Examples:
      heard stock sensors remove walk-in --tenant roma
    """

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await the_house(connection, tenant)
            house = (await house_rules.read(connection, tenant)).stock
            if sensor not in house.sensors:
                known = ", ".join(sorted(house.sensors)) or "none"
                raise Failure(f"{tenant} has no thermometer {sensor}; it has: {known}")
            left = {name: each for name, each in house.sensors.items() if name != sensor}
            rules = house.model_copy(update={"sensors": left})
            await _keep(connection, tenant, rules, "sensor.remove", sensor)

    app.run(write)
    say(f"{sensor} is gone")


@sensors.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List the thermometers: what each reads, since when it is so, and its limits.

    A reading that no thermometer could mean (-127 °C) is counted under `ignored`, and else
    nothing; one that cannot be read at all lies in `heard quarantine list`.

    Examples:
      heard stock sensors list --tenant roma
      heard stock sensors list --tenant roma --json
    """

    async def read(database: Database) -> tuple[dict[str, SensorRules], dict[str, SensorState]]:
        async with database.read() as connection:
            await the_house(connection, tenant)
            house = (await house_rules.read(connection, tenant)).stock
            states = {each.sensor_id: each for each in await of_house(connection, tenant)}
            return house.sensors, states

    rules, states = app.run(read)
    if as_json:
        show_json(
            [
                {
                    "sensor": name,
                    "rules": each.model_dump(mode="json"),
                    "state": states[name].model_dump(mode="json") if name in states else None,
                }
                for name, each in sorted(rules.items())
            ]
        )
        return
    now = system_clock()
    show_table(
        ("sensor", "name", "reads", "ago", "status", "for", "limits", "speaks", "ignored"),
        (_row(name, each, states.get(name), now) for name, each in sorted(rules.items())),
        empty="no thermometers: heard stock sensors set NAME --device DEVICE --most 5 "
        f"--tenant {tenant}",
    )


def _row(
    name: str, rules: SensorRules, state: SensorState | None, now: datetime
) -> tuple[str, ...]:
    speaks = rules.device if rules.below is None else f"{rules.device}/{rules.below}"
    speaks += "" if rules.probe is None else f" {rules.probe}"
    if state is None:
        return name, rules.name, "", "", "unknown", "", _limits(rules), speaks, ""
    ago = "" if state.read_at is None else age((now - state.read_at).total_seconds())
    return (
        name,
        rules.name,
        "" if state.celsius is None else f"{state.celsius:.1f} °C",
        ago,
        state.status.value,
        age((now - state.since).total_seconds()),
        _limits(rules),
        speaks,
        str(state.ignored or ""),
    )


def _limits(rules: SensorRules) -> str:
    if rules.least is None and rules.most is None:
        return "no limits"
    if rules.least is None:
        return f"at most {rules.most:g} °C"
    if rules.most is None:
        return f"at least {rules.least:g} °C"
    return f"{rules.least:g} to {rules.most:g} °C"


async def _keep(
    connection: AsyncConnection,
    tenant: str,
    rules: StockRules,
    action: str,
    sensor: str,
    **news: object,
) -> None:
    await house_rules.write(connection, tenant, stock=rules)
    await audit.record(
        connection,
        tenant=tenant,
        actor=actor(),
        action=action,
        subject=sensor,
        now=system_clock(),
        **{name: str(value) for name, value in news.items()},
    )
