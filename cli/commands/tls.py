"""`heard tls`: certificates."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from broker_config.access import SERVICES_USERNAME, client_id_of
from broker_config.certificate_checks import Facts, look
from broker_config.certificates import CLIENT_DAYS, SERVER_DAYS
from broker_config.private_files import PUBLIC, write_private
from broker_config.tls_folder import Place, TlsFolder
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.files import make_home
from cli.grammar import Group, json_option
from cli.names import NAME
from cli.printing import note, say, show_json, show_table, when
from services.runtime.moment import system_clock

FOLDER: Final = "tls"
SOON: Final = timedelta(days=30)
_DAYS: Final = click.IntRange(1, 3652)


def tls_folder(app: Application, directory: Path | None = None) -> TlsFolder:
    """The folder that was named, else the one in the home folder."""
    return TlsFolder((directory or app.settings.home / FOLDER).absolute())


_directory: Final[Callable[..., Any]] = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the certificates stand; by default tls in the home folder.",
)


@click.group(cls=Group)
def tls() -> None:
    """Make certificates, and look at them."""


@tls.command()
@_directory
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or address by which devices reach the broker; as often as needed. By default "
    "localhost, 127.0.0.1, ::1 and this machine's name.",
)
@click.option(
    "--days",
    type=_DAYS,
    default=SERVER_DAYS,
    show_default=True,
    help="How long the server's certificate counts.",
)
@click.option(
    "--renew", is_flag=True, help="Make a new server's certificate under the same authority."
)
@json_option
@pass_application
def init(
    app: Application,
    *,
    directory: Path | None,
    hosts: tuple[str, ...],
    days: int,
    renew: bool,
    as_json: bool,
) -> None:
    """Make an authority of your own, and the broker's certificate.

    What stands there is left alone, so it may be called again. The authority counts ten
    years; devices need its ca.crt and nothing else. Keep ca.key: whoever has it can make
    certificates that your devices believe.

    Examples:
      heard tls init --host mqtt.roma.example --host 192.168.1.10
      heard tls init --renew
    """
    if directory is None:
        make_home(app.settings)
    folder = tls_folder(app, directory)

    def wanted() -> Sequence[str]:
        if hosts:
            return hosts
        if folder.server.certificate.exists():
            return look(folder.server.certificate).hosts
        return list(dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname().lower())))

    made = folder.prepare(wanted, system_clock(), days=days, renew=renew)
    facts = look(folder.server.certificate)
    if made and renew:
        note(
            "the broker takes it when its configuration is rendered again and it is told to "
            "look: heard broker render mosquitto --tls …, then kill -HUP its process"
        )
    lacking = [host for host in hosts if not facts.covers(host)]
    if lacking:
        note(
            f"the certificate that stands there is not for {', '.join(lacking)}: "
            "--renew makes one that is"
        )
    _show(folder, as_json=as_json)


@tls.command()
@_directory
@json_option
@pass_application
def show(app: Application, *, directory: Path | None, as_json: bool) -> None:
    """Show what stands there, until when it counts, and its fingerprints.

    Examples:
      heard tls show
      heard tls show --json
    """
    _show(tls_folder(app, directory), as_json=as_json)


@tls.command()
@click.argument("tenant", type=NAME, required=False)
@click.argument("device", type=NAME, required=False)
@click.option("--services", is_flag=True, help="For the services themselves, not for a device.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Where the certificate, its key and the authority's certificate are written.",
)
@_directory
@click.option(
    "--days", type=_DAYS, default=CLIENT_DAYS, show_default=True, help="How long it counts."
)
@click.option("--renew", is_flag=True, help="Make a new one although one stands there.")
@json_option
@pass_application
def client(
    app: Application,
    *,
    tenant: str | None,
    device: str | None,
    services: bool,
    out: Path,
    directory: Path | None,
    days: int,
    renew: bool,
    as_json: bool,
) -> None:
    """Make a client's certificate, for a broker rendered with --mutual-tls.

    It does not stand for the device's secret: both are needed. The subject is the device's
    MQTT client id. Carry the three files to the device, and keep no copy of the key.

    Examples:
      heard tls client roma grill-1 --out grill-1
      heard tls client --services --out services-tls
    """
    if services is (tenant is not None) or (not services and device is None):
        raise click.UsageError("name TENANT and DEVICE, or --services")
    if services:
        name, client_id = SERVICES_USERNAME, SERVICES_USERNAME
    else:
        name, client_id = f"{tenant}-{device}", client_id_of(str(tenant), str(device))
    folder = tls_folder(app, directory)
    place = Place(out.absolute() / f"{name}.crt", out.absolute() / f"{name}.key")
    if place.whole and not renew:
        note("it stands there already: --renew makes a new one")
    else:
        folder.client(client_id, place, system_clock(), days)
        authority = folder.authority.certificate.read_bytes()
        write_private(place.certificate.with_name("ca.crt"), authority, mode=PUBLIC)
    facts = look(place.certificate)
    if as_json:
        show_json(_as_json(place.certificate, facts) | {"key": str(place.key)})
        return
    say(f"{place.certificate} and its key, for {client_id}, until {when(facts.ends)}")


def _show(folder: TlsFolder, *, as_json: bool) -> None:
    found = {folder.directory / name: facts for name, facts in folder.facts().items()}
    if not found:
        raise Failure(f"no certificates are in {folder.directory}: run `heard tls init`")
    if as_json:
        show_json([_as_json(path, facts) for path, facts in found.items()])
        return
    now = system_clock()
    show_table(
        ("file", "for", "until", "", "SHA-256"),
        (
            (
                path,
                "authority" if facts.authority else ", ".join(facts.hosts),
                when(facts.ends),
                remark(facts, now),
                facts.fingerprint,
            )
            for path, facts in found.items()
        ),
        empty="",
    )


def remark(facts: Facts, now: datetime) -> str:
    """What is to be said of a certificate's time."""
    if facts.ends <= now:
        return "EXPIRED"
    if facts.begins > now:
        return "not yet"
    return "soon over" if facts.ends - now < SOON else ""


def _as_json(path: Path, facts: Facts) -> dict[str, Any]:
    return {
        "file": str(path),
        "subject": facts.subject,
        "issuer": facts.issuer,
        "authority": facts.authority,
        "hosts": list(facts.hosts),
        "from": facts.begins,
        "until": facts.ends,
        "sha256": facts.fingerprint,
    }
