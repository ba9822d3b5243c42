"""`heard broker`: set a broker up."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import click
from pydantic import ValidationError

from broker_config.access import Credential, Identity
from broker_config.mosquitto import MosquittoSettings, find_plugin, write
from broker_config.mosquitto import render as render_files
from broker_config.secret import SecretHash
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.files import admin_secret, services_secret
from cli.grammar import Group
from cli.printing import note, say
from services.people import store
from services.runtime.database import Database


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
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The server's certificate chain; with --key it speaks TLS only.",
)
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The certificate's key.",
)
@click.option("--user", metavar="NAME", help="The system user that a Mosquitto of root becomes.")
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
    certificate: Path | None,
    key: Path | None,
    user: str | None,
    replace: bool,
) -> None:
    """Write mosquitto.conf and the accounts, for Mosquitto 2.0 and later.

    The accounts are the services', heard-admin's and every device's of the database.
    Afterwards devices are added and revoked on the running Mosquitto by `heard device`.
    The port is --broker-port, or 1883.

    Examples:
      heard broker render mosquitto --directory mosquitto
      heard broker render mosquitto --directory mosquitto --listen 0.0.0.0 --broker-port 8883
        --certificate chain.pem --key key.pem
    """
    own = getpass.getuser() if os.geteuid() == 0 and user is None else user
    try:
        settings = MosquittoSettings(
            directory=directory.absolute(),
            host=listen,
            port=app.settings.broker_port or 1883,
            certificate=certificate.absolute() if certificate else None,
            key=key.absolute() if key else None,
            plugin=find_plugin(),
            user=own,
        )
    except ValidationError as error:
        raise Failure("; ".join(each["msg"] for each in error.errors())) from None

    async def known(database: Database) -> list[Credential]:
        async with database.read() as connection:
            return await store.credentials(connection)

    services = Credential(Identity.service(), SecretHash.of(services_secret(app.settings)))
    rendered = render_files(
        settings,
        admin=SecretHash.of(admin_secret(app.settings)),
        credentials=[services, *app.run(known)],
    )
    accounts = write(rendered, settings, replace_security=replace)
    say(f"start it: mosquitto -c {settings.conf_path}")
    if not accounts:
        note(
            f"the accounts in {settings.security_path} were left alone: Mosquitto owns them "
            "(--replace writes them anew)"
        )
