"""`heard party`: several guests on one order."""

from __future__ import annotations

import sys
from typing import Any, Final
from uuid import UUID

import click

from broker_config.tls_folder import TlsFolder
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.gateway_client import TLS_FOLDER, guests_gateway
from cli.grammar import Group, json_option, tenant_option
from cli.order_lines import WANTED
from cli.party_guest import Guest, file_of, new_host, seated
from cli.printing import note, say, show_json, show_table, when
from cli.span import SPAN
from devices.enrolment import CredentialsBroken, enter_party, read_credentials
from schemas.money import to_text
from schemas.orders import LineRequest
from schemas.parties import Party
from services.people.guests import goes_with
from services.runtime.database import Database

as_option: Final = click.option(
    "--as", "name", required=True, metavar="NAME", help="Which guest: the name they joined under."
)
patience_option: Final = click.option(
    "--patience", type=SPAN, default="15s", show_default=True, help="How long to wait."
)


@click.group(cls=Group)
def party() -> None:
    """Let several guests put one order together."""


@party.command("open")
@click.argument("name")
@tenant_option
@click.option("--table", metavar="TEXT", help="Where the guests sit.")
@patience_option
@json_option
@pass_application
def open_(
    app: Application, *, name: str, tenant: str, table: str | None, patience: float, as_json: bool
) -> None:
    """Open a party as its host, and show the code by which the others join.

    Examples:
      heard party open Ada --tenant demo --table 7
    """
    path = new_host(app, tenant, name)
    with seated(app, tenant, name, patience) as guest:
        receipt = guest.wait(guest.device.open_party(name, table=table))
    device = read_credentials(path).device

    async def goes(database: Database, party_id: UUID = receipt.party.party_id) -> None:
        async with database.write() as connection:
            await goes_with(connection, tenant, device, party_id)

    app.run(goes)
    gateway = guests_gateway(app)
    if not as_json:
        say(f"code     {receipt.party.code}")
        if gateway:
            say(f"gateway  {gateway}")
        if sys.stdout.isatty():
            import segno  # noqa: PLC0415 - only where it can be shown

            text = f"HEARD-PARTY {gateway or '-'} {tenant} {receipt.party.code}"
            segno.make(text, error="m").terminal(compact=True)
        note(f"others join: heard party join {receipt.party.code} NAME --tenant {tenant}")
    _show(receipt.party, as_json=as_json, gateway=gateway)


@party.command()
@click.argument("code")
@click.argument("name")
@tenant_option
@click.option(
    "--gateway",
    metavar="URL",
    help="Where the gateway answers, as https://heard.example:8880; without it, the one of the "
    "`heard up` on this machine.",
)
@patience_option
@json_option
@pass_application
def join(
    app: Application,
    *,
    code: str,
    name: str,
    tenant: str,
    gateway: str | None,
    patience: float,
    as_json: bool,
) -> None:
    """Join a party as a guest's phone does: through the gateway, then over MQTT.

    Examples:
      heard party join K3F7-9QXM Bob --tenant demo
      heard party join k3f79qxm Bob --tenant demo --gateway https://heard.example:8880
    """
    running = app.running
    where = gateway or (running.gateway if running is not None else "")
    if not where:
        raise Failure("no gateway runs here: say where it is with --gateway https://HOST:PORT")
    path = file_of(app, tenant, name)
    try:
        read_credentials(path)
    except CredentialsBroken:
        pass  # none yet; or a secret that was written down, and serves again
    else:
        path.unlink()  # of an earlier party
    authority = TlsFolder(app.settings.home / TLS_FOLDER).authority.certificate
    enter_party(
        where,
        tenant,
        code,
        path,
        ca_file=authority if gateway is None and authority.exists() else None,
        plaintext=app.settings.plaintext,
    )
    with seated(app, tenant, name, patience) as guest:
        _show(guest.wait(guest.device.join_party(code, name)).party, as_json=as_json)


@party.command()
@click.argument("lines", type=WANTED, nargs=-1, metavar="ITEM=QUANTITY...")
@tenant_option
@as_option
@patience_option
@json_option
@pass_application
def choose(
    app: Application,
    *,
    lines: tuple[LineRequest, ...],
    tenant: str,
    name: str,
    patience: float,
    as_json: bool,
) -> None:
    """Say what one guest wants, all of it; without lines, nothing. See `heard order place`.

    Examples:
      heard party choose burger=2 "ale:cold" --as Bob --tenant demo
      heard party choose --as Bob --tenant demo
    """
    with seated(app, tenant, name, patience) as guest:
        _show(guest.wait(guest.device.choose(_id(guest), lines)).party, as_json=as_json)


@party.command()
@tenant_option
@as_option
@patience_option
@json_option
@pass_application
def leave(app: Application, *, tenant: str, name: str, patience: float, as_json: bool) -> None:
    """Leave a party; where its host leaves, it ends.

    Examples:
      heard party leave --as Bob --tenant demo
    """
    with seated(app, tenant, name, patience) as guest:
        _show(guest.wait(guest.device.leave(_id(guest))).party, as_json=as_json)


@party.command()
@tenant_option
@as_option
@patience_option
@json_option
@pass_application
def send(app: Application, *, tenant: str, name: str, patience: float, as_json: bool) -> None:
    """Place the order of a party, as its host.

    Examples:
      heard party send --as Ada --tenant demo
    """
    with seated(app, tenant, name, patience) as guest:
        _show(guest.wait(guest.device.send(_id(guest))).party, as_json=as_json)


@party.command()
@tenant_option
@as_option
@patience_option
@json_option
@pass_application
def show(app: Application, *, tenant: str, name: str, patience: float, as_json: bool) -> None:
    """Show a party as one of its guests sees it.

    Examples:
      heard party show --as Bob --tenant demo
    """
    with seated(app, tenant, name, patience) as guest:
        _show(guest.party(), as_json=as_json)


def _id(guest: Guest) -> UUID:
    return guest.party().party_id


def _show(found: Party, *, as_json: bool, **more: Any) -> None:
    if as_json:
        show_json(found.model_dump(mode="json") | more)
        return
    about = [f"party {found.code}", found.status.value, f"until {when(found.ends_at)}"]
    if found.table:
        about.insert(1, f"table {found.table}")
    if found.order_id is not None and found.order_status is not None:
        about.append(f"order {found.order_id} {found.order_status.value}")
    say("  ".join(about))
    show_table(
        ("guest", "name", "lines", "subtotal"),
        (
            (
                each.guest,
                each.name + (" (left)" if each.left else ""),
                ", ".join(f"{line.quantity} x {line.item}" for line in each.lines),
                to_text(each.subtotal_minor, found.currency),
            )
            for each in found.guests
        ),
        empty="nobody is there any more",
    )
