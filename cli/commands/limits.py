"""`heard limits`: how much devices and restaurants may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.admission import actor
from cli.application import Application, pass_application
from cli.grammar import Group, json_option, tenant_option
from cli.names import NAME
from cli.printing import say, show_json, show_table
from schemas.limits import Limits
from services.people import limits as held
from services.people import store
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.moment import system_clock

F = TypeVar("F", bound=Callable[..., Any])

HEADS = ("whose", "messages/s", "burst", "bytes/s", "burst", "payload", "set")


@click.group(cls=Group)
def limits() -> None:
    """Say how much devices and restaurants may send."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Limits, and whose they are."""

    whose: str
    limits: Limits
    own: Mapping[str, Any] | None = None

    def row(self) -> tuple[str, ...]:
        """As a line of a table."""
        told = self.limits
        return (
            self.whose,
            _number(told.messages_per_s),
            _number(told.messages_burst),
            _number(told.bytes_per_s),
            _number(told.bytes_burst),
            _number(told.payload_bytes),
            "own" if self.own else "",
        )

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"whose": self.whose, **self.limits.model_dump(), "own": self.own}


def _number(value: float | None) -> str:
    return "no limit" if value is None else f"{value:,.10g}"


_device_option = click.option("--device", type=NAME, metavar="NAME", help="Only this device's.")


@limits.command()
@click.option("--tenant", type=NAME, metavar="NAME", help="This restaurant's, and its devices'.")
@_device_option
@json_option
@pass_application
def show(app: Application, *, tenant: str | None, device: str | None, as_json: bool) -> None:
    """Show limits; without a restaurant, what every one is held to that has none of its own.

    Examples:
      heard limits show
      heard limits show --tenant roma
      heard limits show --tenant roma --device pos-1 --json
    """
    if device is not None and tenant is None:
        raise click.UsageError("--device needs --tenant: whose device is it?")

    async def read(database: Database) -> list[Shown]:
        async with database.read() as connection:
            return await _of(connection, str(tenant), device)

    found = _usual() if tenant is None else app.run(read)
    if as_json:
        show_json([each.document() for each in found])
    else:
        show_table(HEADS, (each.row() for each in found), empty="no limits")


def _usual() -> list[Shown]:
    roles = [Shown(f"a {role.value}", each) for role, each in held.BY_ROLE.items()]
    return [*roles, Shown("a restaurant in all", held.OF_TENANT)]


async def _of(connection: AsyncConnection, tenant: str, device: str | None) -> list[Shown]:
    if device is not None:
        devices, found = [await store.find_device(connection, tenant, device)], []
    else:
        own = await held.own_of_tenant(connection, tenant)
        found = [Shown(f"{tenant} in all", held.of_tenant(own), own)]
        devices = await store.devices(connection, tenant)
    return found + [
        Shown(each.shown, held.of_device(each.role, each.limits), each.limits) for each in devices
    ]


def _amounts(function: F) -> F:
    per_s, count = click.FloatRange(min=0, min_open=True), click.IntRange(min=1)
    for option in (
        click.option("--unlimited", is_flag=True, help="No limit on messages and bytes at all."),
        click.option("--payload-bytes", type=count, metavar="N", help="Of one message, at most."),
        click.option("--bytes-burst", type=count, metavar="N", help="Bytes after a rest."),
        click.option("--bytes-per-s", type=per_s, metavar="N", help="Bytes a second, for ever."),
        click.option("--burst", "--messages-burst", "messages_burst", type=count, metavar="N",
                     help="Messages after a rest."),
        click.option("--messages-per-s", type=per_s, metavar="N",
                     help="Messages a second, for ever."),
    ):  # fmt: skip
        function = option(function)
    return function


@limits.command("set")
@tenant_option
@_device_option
@_amounts
@pass_application
def set_(
    app: Application, *, tenant: str, device: str | None, unlimited: bool, **amounts: float | None
) -> None:
    """Set limits of a device, or of a restaurant in all; they count within a second or two.

    What is not named stays as it is.

    Examples:
      heard limits set --tenant roma --device pos-1 --messages-per-s 50 --burst 2000
      heard limits set --tenant roma --messages-per-s 2000 --burst 100000
      heard limits set --tenant roma --device importer --unlimited
    """
    given = {name: value for name, value in amounts.items() if value is not None}
    wanted = {**(held.UNLIMITED if unlimited else {}), **given}
    if not wanted:
        raise click.UsageError("say what to set: --messages-per-s, --burst, … or --unlimited")

    async def write(database: Database) -> Limits:
        async with database.write() as connection:
            if device is None:
                before = await held.own_of_tenant(connection, tenant)
                usual = held.OF_TENANT
            else:
                known = await store.find_device(connection, tenant, device)
                before, usual = known.limits, held.of_device(known.role, None)
            own = {**(before or {}), **wanted}
            limits_ = held.checked(usual, own)
            await _write(connection, tenant, device, own)
            await _note(connection, "limits.set", tenant, device, wanted)
        return limits_

    shown = Shown(_whose(tenant, device), app.run(write), wanted)
    show_table(HEADS, [shown.row()], empty="")


@limits.command()
@tenant_option
@_device_option
@pass_application
def reset(app: Application, *, tenant: str, device: str | None) -> None:
    """Give a device its role's limits again, or a restaurant the usual ones.

    Examples:
      heard limits reset --tenant roma --device pos-1
      heard limits reset --tenant roma
    """

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await _write(connection, tenant, device, None)
            await _note(connection, "limits.reset", tenant, device, {})

    app.run(write)
    say(f"{_whose(tenant, device)} has the usual limits")


def _whose(tenant: str, device: str | None) -> str:
    return tenant if device is None else f"{tenant}/{device}"


async def _write(
    connection: AsyncConnection, tenant: str, device: str | None, own: Mapping[str, Any] | None
) -> None:
    if device is None:
        await held.set_for_tenant(connection, tenant, own)
    else:
        await held.set_for_device(connection, tenant, device, own)


async def _note(
    connection: AsyncConnection,
    action: str,
    tenant: str,
    device: str | None,
    details: Mapping[str, Any],
) -> None:
    # As text: a digest must not depend on how a database writes a fraction.
    told = {name: "no limit" if value is None else str(value) for name, value in details.items()}
    await audit.record(
        connection,
        tenant=tenant,
        actor=actor(),
        action=action,
        subject=_whose(tenant, device),
        now=system_clock(),
        **told,
    )
