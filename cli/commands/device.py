"""`heard device`: who may connect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import click

from broker_config import dynamic_security
from broker_config.access import OURS, client_id_of, parse_username
from broker_config.dynamic_security import Command
from cli.admission import a_device, admission, put_out
from cli.application import Application, pass_application
from cli.commands import enrolment, importing
from cli.failures import Failure
from cli.files import admin_secret
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.names import NAME, ROLES
from cli.printing import counted, note, say, show_json, show_table, when
from cli.span import SPAN
from schemas.devices import Role
from services.people import credentials, store
from services.people.accounts import Account
from services.people.control import command
from services.people.store import Device
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.group(cls=Group)
def device() -> None:
    """Let devices in, and put them out."""


for _each in (enrolment.invite, enrolment.uninvite, enrolment.claim, importing.import_):
    device.add_command(_each)


@device.command()
@click.argument("name", type=NAME)
@tenant_option
@click.option("--role", type=click.Choice(ROLES), required=True, help="Its rights follow from it.")
@click.option("--station", type=NAME, metavar="NAME", help="Where a kitchen display stands.")
@json_option
@pass_application
def add(
    app: Application, *, name: str, tenant: str, role: str, station: str | None, as_json: bool
) -> None:
    """Let a device in. Its secret is shown this once.

    Examples:
      heard device add pos-1 --tenant roma --role pos
      heard device add grill-1 --tenant roma --role kitchen-display --station grill
    """
    new = a_device(tenant, name, Role(role), station=station)

    async def make(database: Database) -> Account:
        async with database.read() as connection:
            if await store.seek_device(connection, tenant, name) is not None:
                raise Failure(
                    f"{tenant} has a device {name} already: "
                    f"heard device rotate {name} --tenant {tenant}"
                )
        return (await admission(app, database).admit([new]))[0]

    _show_secret(new, app.run(make), as_json=as_json)


@device.command("list")
@click.option("--tenant", type=NAME, metavar="NAME", help="Only this restaurant's.")
@json_option
@pass_application
def list_(app: Application, *, tenant: str | None, as_json: bool) -> None:
    """List devices, and whether they are there.

    Examples:
      heard device list --tenant roma
      heard device list --json
    """

    async def read(database: Database) -> tuple[Sequence[Device], dict[tuple[str, str], str]]:
        async with database.read() as connection:
            if tenant is not None:
                await must_be_there(connection, tenant)
            return (
                await store.devices(connection, tenant),
                {
                    (row["tenant"], row["device"]): row["status"]
                    for row in await last_epochs(connection)
                },
            )

    from services.presence.store import last_epochs  # noqa: PLC0415 - a table of another area

    found, presence = app.run(read)
    if as_json:
        show_json(
            [
                _as_json(each) | {"status": presence.get((each.tenant, each.device))}
                for each in found
            ]
        )
        return
    show_table(
        ("tenant", "device", "role", "station", "status", "since", "until"),
        (
            (
                each.tenant,
                each.device,
                each.role.value,
                each.station,
                presence.get((each.tenant, each.device), "never seen"),
                when(each.created_at),
                when(each.expires_at),
            )
            for each in found
        ),
        empty="no devices yet: heard device add NAME --tenant NAME --role ROLE",
    )


@device.command()
@click.argument("name", type=NAME)
@tenant_option
@click.option(
    "--overlap",
    type=SPAN,
    metavar="SPAN",
    help="How long the old secret still opens: 30m, 2h, 1d. Without it, not at all.",
)
@json_option
@pass_application
def rotate(
    app: Application, *, name: str, tenant: str, overlap: float | None, as_json: bool
) -> None:
    """Give a device a new secret, and a new user name that goes with it.

    With --overlap both secrets open for that long, so that nothing stops while the new one
    is put into the device. Without, whoever holds the old one is put out at once.

    Examples:
      heard device rotate pos-1 --tenant roma
      heard device rotate pos-1 --tenant roma --overlap 2h
    """

    async def renew(database: Database) -> tuple[Device, Account]:
        rotating = admission(app, database)
        account = await rotating.rotate(tenant, name, overlap=timedelta(seconds=overlap or 0))
        async with database.read() as connection:
            return await store.find_device(connection, tenant, name), account

    known, account = app.run(renew)
    _show_secret(known, account, as_json=as_json)


@device.command()
@click.argument("name", type=NAME)
@click.argument("role", type=click.Choice(ROLES))
@tenant_option
@click.option("--station", type=NAME, metavar="NAME", help="Where a kitchen display stands.")
@pass_application
def role(app: Application, *, name: str, role: str, tenant: str, station: str | None) -> None:
    """Give a device another role, at once: it is put out, and comes back with other rights.

    Examples:
      heard device role tablet-3 manager --tenant roma
      heard device role tablet-3 kitchen-display --station grill --tenant roma
    """
    app.run(
        lambda database: admission(app, database).change_role(tenant, name, Role(role), station)
    )
    say(f"{tenant}/{name} is a {role} now")


@device.command()
@click.argument("name", type=NAME)
@tenant_option
@pass_application
def revoke(app: Application, *, name: str, tenant: str) -> None:
    """Put a device out, at once and for good.

    Its connection is closed, its session with all that waited for it is dropped, and what
    it left standing on the broker is cleared.

    Examples:
      heard device revoke pos-1 --tenant roma
    """
    app.run(lambda database: put_out(app, database, tenant, [name]))
    say(f"{tenant}/{name} is out")


@device.command()
@json_option
@pass_application
def sync(app: Application, *, as_json: bool) -> None:
    """Make a Mosquitto's accounts agree with the database, and with this version's rights.

    Accounts of devices that are gone are removed. After an upgrade that changes what roles
    may do, devices get their new rights; those are put out for a moment.

    A secret cannot be told again, for only its hash is kept: devices that Mosquitto does
    not know are named, and need a new secret (`heard device rotate`), or Mosquitto's
    accounts written anew while it is stopped (`heard broker render mosquitto --replace`).
    The exit code is 1 then.

    Examples:
      heard device sync --broker mosquitto
    """
    if app.embedded:
        raise Failure(
            "the embedded broker asks the database itself; there is nothing to do "
            "(for a Mosquitto: --broker mosquitto)"
        )

    async def agree(database: Database) -> tuple[list[str], int, list[str]]:
        await admission(app, database).end_expired()
        async with database.read() as connection:
            known = await credentials.every(connection, system_clock())
        wanted = {each.username for each in known}
        secret = admin_secret(app.settings)
        answers = await command(app.address(), secret, dynamic_security.list_accounts())
        standing = set(dynamic_security.account_names(answers))
        stray = sorted(standing - wanted - OURS)
        rights = {each.identity.client_id for each in known}
        removals = [one for name in stray for one in _removal(name, rights)]
        await command(app.address(), secret, removals)
        stood = await command(app.address(), secret, dynamic_security.list_rights())
        renewals = dynamic_security.renewed(stood, {each.identity for each in known})
        await command(app.address(), secret, renewals)
        return stray, len(renewals), sorted(wanted - standing)

    stray, renewed, missing = app.run(agree)
    if as_json:
        show_json({"removed": stray, "rights_renewed": renewed, "missing": missing})
    else:
        say(
            f"{counted(len(stray), 'account')} removed, {counted(renewed, 'right')} renewed, "
            f"{len(missing)} missing"
        )
        for name in missing:
            note(f"{name}: Mosquitto does not know it: give it a new secret")
    if missing:
        click.get_current_context().exit(1)


def _removal(username: str, rights: set[str]) -> Sequence[Command]:
    """What removes an account, and the rights that nobody else has."""
    parsed = parse_username(username)
    client_id = client_id_of(*parsed[:2]) if parsed else username
    if client_id in rights:
        return dynamic_security.withdraw(username)
    return (*dynamic_security.withdraw(username), *dynamic_security.revoke(client_id, ()))


def _as_json(device: Device) -> dict[str, object]:
    return {
        "tenant": device.tenant,
        "device": device.device,
        "role": device.role.value,
        "station": device.station,
        "created_at": device.created_at,
        "expires_at": device.expires_at,
    }


def _show_secret(device: Device, account: Account, *, as_json: bool) -> None:
    if as_json:
        show_json(
            _as_json(device)
            | {
                "username": account.username,
                "client_id": device.identity.client_id,
                "secret": account.secret,
            }
        )
        return
    say(f"{device.shown} ({device.role.value}) may connect")
    say(f"user name  {account.username}")
    say(f"client id  {device.identity.client_id}")
    say(f"secret     {account.secret}")
    note("the secret is shown this once: put it into the device now")
