"""`heard notify rules`: who is told of what."""

from __future__ import annotations

from pathlib import Path

import click

from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.printing import note, say, show_json, show_table
from schemas.notices import NoticeRule, NoticeRules
from services.notices import setting_up
from services.notices.letter import Unusable
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.group(cls=Group)
def rules() -> None:
    """Say who is told of what."""


@rules.command()
@tenant_option
@json_option
@pass_application
def show(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show a house's rules, as YAML that `set` reads.

    Examples:
      heard notify rules show --tenant roma > rules.yaml
      heard notify rules show --tenant roma --json
    """

    async def read(database: Database) -> NoticeRules:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            return (await house_rules.read(connection, tenant)).notices

    book = app.run(read)
    if as_json:
        show_json(book.model_dump(mode="json"))
    else:
        say(setting_up.written_book(book).rstrip("\n"))


@rules.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@click.option("--dry-run", is_flag=True, help="Only see whether they would do.")
@json_option
@pass_application
def set_(app: Application, *, file: Path, tenant: str, dry_run: bool, as_json: bool) -> None:
    """Put the rules of a file in the place of those before; the next change is told by them.

    The file is YAML: `rules:` with a list, each with rule (its name), on (the changes:
    placed, accepted, ready, …), channel, and where wanted to (an email address; without it
    the guest's), kinds (dine-in, takeaway, delivery), template, language, after_s, and quiet
    (start, end, then: hold or drop).

    Examples:
      heard notify rules set rules.yaml --tenant roma
      heard notify rules set rules.yaml --tenant roma --dry-run
    """
    try:
        book = setting_up.read_book(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is no UTF-8 text: {error.reason} at byte {error.start}") from None
    except Unusable as error:
        raise Failure(f"{file}: {error}") from None

    async def write(database: Database) -> None:
        async with database.write() as connection:
            if dry_run:
                await setting_up.check_book(connection, tenant, book)
            else:
                await setting_up.set_book(
                    connection, tenant, book, actor=actor(), now=system_clock()
                )

    app.run(write)
    if as_json:
        show_json(book.model_dump(mode="json"))
        return
    show_table(
        ("rule", "on", "channel", "to", "kinds", "after", "quiet"),
        (_row(each) for each in book.rules),
        empty="no rules: nobody is told",
    )
    note("they would do; nothing was changed" if dry_run else f"{tenant} tells by these")


def _row(rule: NoticeRule) -> tuple[str, ...]:
    quiet = rule.quiet
    return (
        rule.rule,
        ", ".join(rule.on),
        rule.channel,
        rule.to or "",
        ", ".join(rule.kinds) or "all",
        f"{rule.after_s}s" if rule.after_s else "",
        "" if quiet is None else f"{quiet.start}-{quiet.end} {quiet.then}",
    )
