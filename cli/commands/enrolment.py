"""`heard device invite` and `heard device claim`: a device's first day."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import click
import segno

from broker_config.tls_folder import TlsFolder
from cli.admission import admission
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.files import seal_key
from cli.gateway_client import TLS_FOLDER
from cli.grammar import Command, json_option, tenant_option
from cli.names import NAME, ROLES
from cli.printing import note, say, show_json, when
from cli.span import SPAN
from devices import enrolment
from schemas.devices import Role
from services.people.claims import Claims, Invitation
from services.people.seal import Seal
from services.runtime.database import Database


@click.command(cls=Command)
@click.argument("name", type=NAME)
@tenant_option
@click.option("--role", type=click.Choice(ROLES), required=True, help="Its rights follow from it.")
@click.option("--station", type=NAME, metavar="NAME", help="Where a kitchen display stands.")
@click.option(
    "--for", "life_s", type=SPAN, metavar="SPAN", default="15m", show_default=True,
    help="How long the code opens; at most a day.",
)  # fmt: skip
@click.option("--replace", is_flag=True, help="The device takes the place of one of this name.")
@json_option
@pass_application
def invite(
    app: Application,
    *,
    name: str,
    tenant: str,
    role: str,
    station: str | None,
    life_s: float,
    replace: bool,
    as_json: bool,
) -> None:
    """Expect a device: make the code by which it gets its credentials, once.

    On the device: heard device claim. The device makes its own secret; it is shown
    nowhere. A device that it replaces goes on working until the new one is there.

    Examples:
      heard device invite pos-2 --tenant roma --role pos
      heard device invite grill-1 --tenant roma --role kitchen-display --station grill
      heard device invite pos-1 --tenant roma --role pos --replace
    """

    async def make(database: Database) -> tuple[Invitation, str]:
        claims = Claims(admission(app, database), Seal(seal_key(app.settings)))
        return await claims.invite(
            tenant, name, Role(role), station=station, life=timedelta(seconds=life_s),
            replace=replace,
        )  # fmt: skip

    invitation, code = app.run(make)
    gateway = _gateway(app)
    if as_json:
        show_json(
            {
                "tenant": tenant,
                "device": name,
                "role": role,
                "station": station,
                "code": code,
                "expires_at": invitation.expires_at,
                "gateway": gateway,
            }
        )
        return
    say(f"{tenant}/{name} ({role}) is expected until {when(invitation.expires_at)}")
    say(f"code     {code}")
    if gateway:
        say(f"gateway  {gateway}")
    if sys.stdout.isatty():
        segno.make(f"HEARD {gateway or '-'} {code}", error="m").terminal(compact=True)
    note("on the device: heard device claim" + (f" --gateway {gateway}" if gateway else ""))


@click.command(cls=Command)
@click.argument("name", type=NAME)
@tenant_option
@pass_application
def uninvite(app: Application, *, name: str, tenant: str) -> None:
    """Expect a device no longer: its code opens nothing any more.

    Examples:
      heard device uninvite pos-2 --tenant roma
    """
    seal = Seal(seal_key(app.settings))
    was = app.run(lambda database: Claims(admission(app, database), seal).withdraw(tenant, name))
    say(f"{tenant}/{name} is {'no longer' if was else 'not'} expected")


@click.command(cls=Command)
@click.option(
    "--gateway",
    metavar="URL",
    help="Where the gateway answers, as https://heard.example:8880; without it, the one of the "
    "`heard up` on this machine.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the credentials are kept; without it, device.json in the home folder.",
)
@click.option(
    "--gateway-ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The authority that signed the gateway's certificate.",
)
@json_option
@pass_application
def claim(
    app: Application,
    *,
    gateway: str | None,
    out: Path | None,
    gateway_ca: Path | None,
    as_json: bool,
) -> None:
    """Be the device that a code was made for: get its credentials, and keep them.

    Run on the device itself; it asks for the code, or reads it from a pipe. Should the
    answer be lost, the same command asks again and gets it. The file can be read by its
    owner alone; --credentials FILE of other commands takes it.

    Examples:
      heard device claim --gateway https://heard.example:8880
      heard device claim --gateway https://10.0.0.2:8880 --gateway-ca ca.pem --out till.json
    """
    where = gateway or _gateway(app)
    if where is None:
        raise Failure("no gateway runs here: say where it is with --gateway https://HOST:PORT")
    if gateway is None and gateway_ca is None:
        authority = TlsFolder(app.settings.home / TLS_FOLDER).authority.certificate
        gateway_ca = authority if authority.exists() else None
    path = out or app.settings.home / "device.json"
    code = _asked_for("claim code")
    known = enrolment.claim(where, code, path, ca_file=gateway_ca, plaintext=app.settings.plaintext)
    if as_json:
        show_json(known.model_dump(mode="json", exclude={"secret", "broker"}) | {"file": path})
        return
    say(f"this is {known.tenant}/{known.device} ({known.role.value}) now")
    say(f"its credentials stand in {path}")


def _asked_for(what: str) -> str:
    """Ask whoever sits there, or read the first line of a pipe: no process list shows it."""
    if sys.stdin.isatty():
        return str(click.prompt(what, err=True))
    told = sys.stdin.readline().strip()
    if not told:
        raise Failure(f"say the {what}: type it when asked, or give it on standard input")
    return told


def _gateway(app: Application) -> str | None:
    """Where the gateway of the `heard up` of this home answers."""
    running = app.running
    return running.gateway or None if running is not None else None
