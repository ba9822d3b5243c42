"""`heard audit`: who did what, and whether that record is whole."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option
from cli.names import NAME
from cli.printing import counted, note, say, show_json, show_table, when
from services.runtime import audit as record
from services.runtime.audit import Broken, Entry
from services.runtime.database import Database
from services.runtime.tables import NO_TENANT


@click.group(cls=Group)
def audit() -> None:
    """See who did what to which device, person or setting."""


@audit.command()
@click.option(
    "--tenant", type=NAME, metavar="NAME", help="The restaurant; without it, what concerns none."
)
@click.option("--about", metavar="SUBJECT", help="Only this, as roma/pos-1.")
@click.option(
    "--last", type=click.IntRange(min=1), default=50, show_default=True, help="How many, at most."
)
@json_option
@pass_application
def show(
    app: Application, *, tenant: str | None, about: str | None, last: int, as_json: bool
) -> None:
    """Show what was done, oldest first.

    Examples:
      heard audit show --tenant roma
      heard audit show --tenant roma --about roma/pos-1 --json
    """

    async def read(database: Database) -> Sequence[Entry]:
        async with database.read() as connection:
            return await record.entries(connection, tenant or NO_TENANT, newest=last, about=about)

    found = app.run(read)
    if as_json:
        show_json([_as_json(each) for each in found])
        return
    show_table(
        ("no", "at", "who", "did", "to", "details"),
        (
            (
                each.serial,
                when(each.at),
                each.actor,
                each.action,
                each.subject,
                " ".join(f"{name}={value}" for name, value in each.details.items()),
            )
            for each in found
        ),
        empty="nothing was done yet",
    )


@audit.command()
@click.option("--tenant", type=NAME, metavar="NAME", help="One restaurant; without it, all.")
@click.option("--head", metavar="DIGEST", help="A digest noted earlier: it must still stand there.")
@json_option
@pass_application
def verify(app: Application, *, tenant: str | None, head: str | None, as_json: bool) -> None:
    """Hold the record against its digests: nothing changed, taken out or put in.

    What was cut off at the end cannot be seen from the record alone: note the digest that
    is printed here somewhere else, and give it as --head the next time. The exit code is 1
    where the record does not hold.

    Examples:
      heard audit verify
      heard audit verify --tenant roma --head 3f1c…
    """
    if head is not None and tenant is None:
        raise click.UsageError("--head belongs to one chain: name its --tenant")

    async def hold(database: Database) -> list[tuple[str, int, str]]:
        async with database.read() as connection:
            chains = [tenant] if tenant is not None else await record.chains(connection)
            held = []
            for each in chains:
                count = await record.verify(connection, each, head)
                newest = await record.entries(connection, each, newest=1)
                held.append((each, count, newest[0].digest if newest else record.BEGINNING))
            return held

    try:
        held = app.run(hold)
    except Broken as broken:
        raise Failure(
            f"the record does not hold: {broken}: restore a backup, and ask who"
        ) from None
    if as_json:
        show_json(
            [{"tenant": each, "entries": count, "head": newest} for each, count, newest in held]
        )
        return
    for each, count, newest in held:
        whole = counted(count, "entry holds", "entries hold")
        say(f"{each}: {whole}; the newest digest is {newest}")
    if not held:
        note("nothing was recorded yet")


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        "serial": entry.serial,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": dict(entry.details),
        "digest": entry.digest,
    }
