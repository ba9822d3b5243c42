"""`heard tenant`: the restaurants."""

from __future__ import annotations

import click

from cli.admission import actor, drop_tenant
from cli.application import Application, pass_application
from cli.commands import tenant_rules
from cli.failures import Failure
from cli.grammar import Group, json_option
from cli.names import NAME
from cli.printing import counted, say, show_json, show_table, when
from services.people import store
from services.people.store import Tenant
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.group(cls=Group)
def tenant() -> None:
    """Look after tenants: the restaurants."""


tenant.add_command(tenant_rules.rules)


@tenant.command()
@click.argument("name", type=NAME)
@click.option("--title", metavar="TEXT", help="Its name for people; without it, NAME.")
@click.option("--currency", default="GBP", show_default=True, help="An ISO 4217 code.")
@json_option
@pass_application
def add(app: Application, *, name: str, title: str | None, currency: str, as_json: bool) -> None:
    """Add a tenant. One that is there already, the same, is no error.

    Examples:
      heard tenant add roma --title "Trattoria Roma" --currency EUR
    """
    code = currency.upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise click.BadParameter(
            f"{currency!r} is no ISO 4217 code such as GBP", param_hint="--currency"
        )
    new = Tenant(name, (title or name)[:120], code, system_clock())

    async def make(database: Database) -> bool:
        async with database.write() as connection:
            added = await store.add_tenant(connection, new)
            if added:
                await audit.record(
                    connection,
                    tenant=name,
                    actor=actor(),
                    action="tenant.added",
                    subject=name,
                    now=new.created_at,
                    currency=code,
                )
            return added

    added = app.run(make)
    if as_json:
        show_json({"tenant": name, "title": new.name, "currency": code, "added": added})
    else:
        say(f"{name} {'added' if added else 'was there already'}")


@tenant.command("list")
@json_option
@pass_application
def list_(app: Application, *, as_json: bool) -> None:
    """List the tenants.

    Examples:
      heard tenant list
      heard tenant list --json
    """

    async def read(database: Database) -> list[Tenant]:
        async with database.read() as connection:
            return await store.tenants(connection)

    found = app.run(read)
    if as_json:
        show_json(
            [
                {
                    "tenant": each.tenant,
                    "title": each.name,
                    "currency": each.currency,
                    "created_at": each.created_at,
                }
                for each in found
            ]
        )
        return
    show_table(
        ("tenant", "title", "currency", "since"),
        ((each.tenant, each.name, each.currency, when(each.created_at)) for each in found),
        empty="no tenants yet: heard tenant add NAME",
    )


@tenant.command()
@click.argument("name", type=NAME)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_application
def remove(app: Application, *, name: str, yes: bool) -> None:
    """Remove a tenant with everything that is kept of it: orders, menu, devices.

    Examples:
      heard tenant remove roma
      heard tenant remove roma --yes
    """
    if not yes and not click.confirm(
        f"Remove {name} with all its orders, its menu and its devices? There is no way back"
    ):
        raise Failure("nothing was removed")
    devices = app.run(lambda database: drop_tenant(app, database, name))
    say(f"{name} removed, with {counted(devices, 'device')}")
