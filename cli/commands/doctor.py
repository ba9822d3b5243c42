"""`heard doctor`: what is wrong, and what mends it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from cli.admission import visiting
from cli.application import Application, pass_application
from cli.examination.broker import look_at_accounts, look_at_broker, look_at_services
from cli.examination.certificates import look_at_certificates, look_at_way
from cli.examination.database import look_at_database, look_at_rows
from cli.examination.drop import look_at_drop
from cli.examination.files import look_at_files, look_at_secrets
from cli.examination.finding import Finding
from cli.examination.gateway import look_at_gateway
from cli.examination.tenant import look_as_manager
from cli.examination.unowned import look_at_unowned
from cli.grammar import Command, json_option
from cli.names import NAME
from cli.printing import say, show_json
from schemas.devices import Role
from services.people import store
from services.runtime.database import Database

_MARKS = {True: ("ok", "green"), False: ("WRONG", "red"), None: ("-", "yellow")}


@click.command(cls=Command)
@click.option("--tenant", type=NAME, metavar="NAME", help="Look at this restaurant alone.")
@click.option(
    "--mend",
    is_flag=True,
    help="Mend what can be mended without asking: migrations, file permissions, what stands "
    "retained.",
)
@json_option
@pass_application
def doctor(app: Application, *, tenant: str | None, mend: bool, as_json: bool) -> None:
    """Say what is wrong, and the command that mends it.

    It looks at files, secrets and certificates, database, migrations, clocks, broker, the
    way to it, accounts, services, gateway, what is retained against what the database says,
    what waits and what was put aside. For each tenant it connects as a device of its own.
    The exit code is 1 where anything is wrong.

    Examples:
      heard doctor
      heard doctor --tenant roma --json
      heard doctor --mend
    """
    findings = examine(app, tenant=tenant, mend=mend)
    if as_json:
        show_json([_as_json(each) for each in findings])
    else:
        for each in findings:
            _show(each)
    if any(each.ok is False for each in findings):
        click.get_current_context().exit(1)


def examine(app: Application, *, tenant: str | None, mend: bool) -> list[Finding]:
    """Look at everything, as far as each can be reached."""
    findings = [*look_at_files(app, mend=mend), *look_at_secrets(app), *look_at_certificates(app)]
    findings += look_at_drop(app)
    findings += asyncio.run(look_at_database(app, mend=mend))
    usable = all(each.ok for each in findings if each.what in {"database", "migrations"})
    seen, address = look_at_broker(app)
    findings += seen
    if address is not None:
        findings += look_at_way(address)
    if not usable:
        return [*findings, Finding("the rest", None, "not looked at: it needs the database")]
    findings += app.run(look_at_rows)
    if address is None:
        return [*findings, Finding("the rest", None, "not looked at: it needs the broker")]
    there = address
    findings += app.run(lambda database: look_at_services(app, database, there))
    serving = any(each.what == "services" and each.ok for each in findings)
    if serving:
        findings += look_at_gateway(app)
    accounts = app.run(lambda database: look_at_accounts(app, database, there))
    findings += accounts
    findings += app.run(lambda database: look_at_unowned(app, database, there, mend=mend))
    if any(each.what == "administrator" and not each.ok for each in accounts):
        says = "not looked at: no device can be let in"
        return [*findings, Finding("tenants", None, says)]
    for name in app.run(_tenants):
        if tenant in {None, name}:
            findings += _look_at_tenant(app, name, serving=serving, mend=mend)
    return findings


def _look_at_tenant(app: Application, name: str, *, serving: bool, mend: bool) -> list[Finding]:
    with visiting(app, name, Role.MANAGER) as (admitted,):
        return app.run(
            lambda database: look_as_manager(database, admitted, serving=serving, mend=mend)
        )


async def _tenants(database: Database) -> list[str]:
    async with database.read() as connection:
        return [each.tenant for each in await store.tenants(connection)]


def _show(finding: Finding) -> None:
    word, colour = _MARKS[finding.ok]
    mark = f"{word:<5}"
    if sys.stdout.isatty():
        mark = click.style(mark, fg=colour, bold=finding.ok is False)
    say(f"{mark}  {finding.what}: {finding.says}")
    if finding.mend and finding.ok is not True:
        say(f"       mend: {finding.mend}")


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what,
        "ok": finding.ok,
        "says": finding.says,
        "mend": finding.mend,
    }
