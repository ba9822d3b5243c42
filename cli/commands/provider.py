"""`heard provider`: who may report of payments."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.files import seal_key
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import note, say, show_json, show_table, when
from schemas.payments import CASH
from services.orders import providers
from services.orders.providers import NoSuchProvider, Provider, ProviderTaken
from services.people.seal import Seal
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.signatures import UnusableSecret, key_of, new_signing_secret


@click.group(cls=Group)
def provider() -> None:
    """Say which payment providers a restaurant believes."""


@provider.command()
@click.argument("name", type=NAME)
@tenant_option
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the signing secret (whsec_…) from standard input, one line, where the provider "
    "made it.",
)
@click.option(
    "--change",
    is_flag=True,
    help="Give one that is there another secret; the one before counts until the next change.",
)
@json_option
@pass_application
def add(
    app: Application, *, name: str, tenant: str, secret_stdin: bool, change: bool, as_json: bool
) -> None:
    """Believe a payment provider's webhooks. Its signing secret is shown this once.

    NAME is the payment method under which guests pay with it.

    Examples:
      heard provider add stripe --tenant roma
      pass roma/adyen | heard provider add adyen --tenant roma --secret-stdin
      heard provider add stripe --tenant roma --change
    """
    if name == CASH:
        raise Failure(f"{CASH} is paid at the till, and nobody reports it: choose another name")
    secret = _given() if secret_stdin else new_signing_secret()
    seal = Seal(seal_key(app.settings))

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await must_be_there(connection, tenant)
            now, who = system_clock(), actor()
            if change:
                await providers.change_secret(
                    connection, tenant, name, secret,
                    seal_it=seal.seal, open_it=seal.open, actor=who, now=now,
                )  # fmt: skip
            else:
                await providers.add(
                    connection, tenant, name, secret, seal_it=seal.seal, actor=who, now=now
                )

    try:
        app.run(write)
    except ProviderTaken:
        raise Failure(f"{tenant} believes {name} already: --change gives it a secret") from None
    except NoSuchProvider:
        raise _none(tenant, name) from None
    path = f"/v1/tenants/{tenant}/payments/{name}"
    if as_json:
        show_json({"tenant": tenant, "provider": name, "path": path, "secret": secret})
        return
    note(f"{tenant} believes {name} at {path}")
    if not secret_stdin:
        note("its secret is shown this once:")
        say(secret)


@provider.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List the payment providers that a restaurant believes.

    Examples:
      heard provider list --tenant roma
      heard provider list --tenant roma --json
    """

    async def read(database: Database) -> Sequence[Provider]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            return await providers.listed(connection, tenant)

    found = app.run(read)
    if as_json:
        show_json([{"provider": each.provider, "created_at": each.created_at} for each in found])
        return
    show_table(
        ("provider", "since"),
        ((each.provider, when(each.created_at)) for each in found),
        empty=f"none yet: heard provider add NAME --tenant {tenant}",
    )


@provider.command()
@click.argument("name", type=NAME)
@tenant_option
@pass_application
def remove(app: Application, *, name: str, tenant: str) -> None:
    """Believe a payment provider no longer; what it said so far stays.

    Examples:
      heard provider remove stripe --tenant roma
    """

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await providers.remove(connection, tenant, name, actor=actor(), now=system_clock())

    try:
        app.run(write)
    except NoSuchProvider:
        raise _none(tenant, name) from None
    say(f"{tenant} believes {name} no longer")


def _given() -> str:
    secret = sys.stdin.readline().strip()
    try:
        key_of(secret)
    except UnusableSecret as error:
        raise Failure(f"what came on standard input cannot be used: {error}") from None
    return secret


def _none(tenant: str, name: str) -> Failure:
    return Failure(f"{tenant} knows no {name}: heard provider list --tenant {tenant}")
