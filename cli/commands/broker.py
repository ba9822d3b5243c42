"""`heard broker`: set a broker up."""

from __future__ import annotations

import getpass
import ipaddress
import os
import pwd
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from broker_config.access import Credential, service_credentials
from broker_config.certificate_checks import check_server
from broker_config.mosquitto import render as render_files
from broker_config.mosquitto import write
from broker_config.mosquitto_conf import LIMITS, MosquittoSettings, find_plugin
from broker_config.secret import SecretHash
from cli.application import Application, pass_application
from cli.commands.tls import SOON, tls_folder
from cli.failures import Failure
from cli.files import admin_secret, services_secret
from cli.grammar import Group
from cli.printing import note, say, when
from cli.settings import PORT, TLS_PORT
from services.people import credentials
from services.runtime.database import Database
from services.runtime.moment import system_clock

MOSQUITTO_USER: Final = "mosquitto"
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group)
def broker() -> None:
    """Set up a broker."""


@broker.group(cls=Group)
def render() -> None:
    """Write a broker's configuration."""


@render.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Where its configuration and its data stand.",
)
@click.option("--listen", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.option("--tls", is_flag=True, help="Speak TLS with the certificate of `heard tls init`.")
@click.option(
    "--certificate",
    type=_FILE,
    metavar="FILE",
    help="A server's certificate chain of your own; with --key it speaks TLS only.",
)
@click.option("--key", type=_FILE, metavar="FILE", help="The certificate's key.")
@click.option(
    "--ca",
    type=_FILE,
    metavar="FILE",
    help="The authority that devices trust; with --mutual-tls also that of their certificates.",
)
@click.option(
    "--mutual-tls",
    is_flag=True,
    help="Let in nobody without a certificate of the authority (`heard tls client`); name and "
    "secret are needed all the same.",
)
@click.option(
    "--services-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="A second port, on this machine alone, for the services and for heard's commands: "
    "connections are counted by port, so however many devices come, these get in.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    help=f"Another limit than the usual: {', '.join(LIMITS)}.",
)
@click.option(
    "--user",
    metavar="NAME",
    help="The system user that a Mosquitto of root becomes; its package's own, if it can.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Write the accounts anew too, from the database; Mosquitto must be stopped.",
)
@pass_application
def mosquitto(
    app: Application,
    *,
    directory: Path,
    listen: str,
    tls: bool,
    certificate: Path | None,
    key: Path | None,
    ca: Path | None,
    mutual_tls: bool,
    services_port: int | None,
    limits: tuple[str, ...],
    user: str | None,
    replace: bool,
) -> None:
    """Write mosquitto.conf and the accounts, for Mosquitto 2.0 and later.

    The accounts are the services', heard-admin's and every device's of the database.
    Afterwards devices are added and revoked on the running Mosquitto by `heard device`.
    The port is --broker-port, or 8883 with TLS and 1883 without. Without TLS it listens to
    this machine alone, unless --plaintext asks for more.

    Certificate, key and authority are checked, and copied into the directory. When they
    were renewed: render again, then kill -HUP Mosquitto's process.

    Examples:
      heard broker render mosquitto --directory mosquitto
      heard broker render mosquitto --directory mosquitto --listen 0.0.0.0 --tls
        --services-port 1884
      heard broker render mosquitto --directory mosquitto --listen mqtt.roma.example
        --certificate chain.pem --key key.pem --limit max_connections=500
    """
    files = _files(app, tls=tls, certificate=certificate, key=key, ca=ca)
    given: dict[str, Any] = {
        "directory": directory.absolute(),
        "host": listen,
        "port": app.settings.broker_port or (TLS_PORT if files.certificate else PORT),
        "services_port": services_port,
        "certificate": files.certificate,
        "key": files.key,
        "ca": files.ca,
        "mutual_tls": mutual_tls,
        "plaintext": app.settings.plaintext,
        "plugin": find_plugin(),
        "user": user or _system_user(directory.absolute()),
        **_limits(limits),
    }
    try:
        settings = MosquittoSettings(**given)
    except ValidationError as error:
        raise Failure("; ".join(_told(each) for each in error.errors())) from None
    _check(settings)

    async def known(database: Database) -> list[Credential]:
        async with database.read() as connection:
            return await credentials.every(connection, system_clock())

    ours = service_credentials(services_secret(app.settings))
    rendered = render_files(
        settings,
        admin=SecretHash.of(admin_secret(app.settings)),
        credentials=[*ours, *app.run(known)],
    )
    accounts = write(rendered, settings, replace_security=replace)
    say(f"start it: mosquitto -c {settings.conf_path}")
    if services_port is not None:
        note(
            "the services use their own port: HEARD_BROKER_HOST=127.0.0.1 "
            f"HEARD_BROKER_PORT={services_port}, without TLS, on this machine"
        )
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed != resource.RLIM_INFINITY and allowed < settings.files_needed:
        note(
            f"it may need {settings.files_needed} open files, and this shell allows {allowed}: "
            f"ulimit -n {settings.files_needed} before it starts, or LimitNOFILE= in its unit"
        )
    if not accounts:
        note(
            f"the accounts in {settings.security_path} were left alone: Mosquitto owns them "
            "(--replace writes them anew)"
        )


@dataclass(frozen=True, slots=True)
class _Files:
    """What TLS needs."""

    certificate: Path | None
    key: Path | None
    ca: Path | None


def _files(
    app: Application, *, tls: bool, certificate: Path | None, key: Path | None, ca: Path | None
) -> _Files:
    """The files of `heard tls init`, or those that were named."""
    if not tls:
        return _Files(*(path and path.absolute() for path in (certificate, key, ca)))
    if certificate or key or ca:
        raise click.UsageError("--tls takes the files of `heard tls init`: name others, or that")
    folder = tls_folder(app)
    if not (folder.authority.whole and folder.server.whole):
        raise Failure(f"no certificates are in {folder.directory}: run `heard tls init`")
    return _Files(folder.server.certificate, folder.server.key, folder.authority.certificate)


def _system_user(directory: Path) -> str | None:
    """Who a Mosquitto of root shall become: its package's own user, where that can work."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(MOSQUITTO_USER)
    except KeyError:
        return getpass.getuser()
    shut = [each for each in directory.parents if each.exists() and not _may_enter(found, each)]
    if not shut:
        return MOSQUITTO_USER
    note(
        f"Mosquitto will stay root: its user {MOSQUITTO_USER} may not enter {shut[0]}; "
        "a directory as /etc/heard/mosquitto is better"
    )
    return getpass.getuser()


def _may_enter(user: pwd.struct_passwd, folder: Path) -> bool:
    found = folder.stat()
    if found.st_uid == user.pw_uid:
        return bool(found.st_mode & 0o100)
    if found.st_gid == user.pw_gid:
        return bool(found.st_mode & 0o010)
    return bool(found.st_mode & 0o001)


def _check(settings: MosquittoSettings) -> None:
    """Find out now what else the first device would."""
    if settings.certificate is None or settings.key is None:
        return
    name = None if _is_address(settings.host) else settings.host
    facts = check_server(settings.certificate, settings.key, ca=settings.ca, host=name)
    if name is None and not facts.covers(settings.host) and not _is_anywhere(settings.host):
        note(
            f"the certificate is not for {settings.host}: devices must ask for it by one of "
            f"its names: {', '.join(facts.hosts) or 'it has none'}"
        )
    if facts.ends - system_clock() < SOON:
        note(f"the certificate counts until {when(facts.ends)} only: renew it soon")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_anywhere(host: str) -> bool:
    """Whether a host stands for all of this machine's addresses."""
    return ipaddress.ip_address(host).is_unspecified


def _limits(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, number = each.partition("=")
        if not equals or name not in LIMITS:
            raise click.UsageError(f"--limit {each}: NAME=NUMBER, with one of {', '.join(LIMITS)}")
        found[name] = number
    return found


def _told(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    what = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
