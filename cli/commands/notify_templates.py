"""`heard notify template`: the words of notices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
import yaml

from cli.admission import actor
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.names import NAME
from cli.printing import note, say, show_json
from schemas.notices import ChannelKind
from schemas.orders import OrderChange
from services.notices import setting_up, store
from services.notices.letter import Channel, Letter, Unusable
from services.notices.store import House
from services.notices.trying import sample_letter
from services.notices.words import Own, Words, find
from services.people.store import Unknown, find_tenant
from services.runtime.database import Database
from services.runtime.house_rules import no_such_house
from services.runtime.moment import system_clock


class _Language(click.ParamType[str]):
    """A language, as `en` or `de-AT`."""

    name = "language"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        if re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", str(value)) is None:
            self.fail(f"{value!r} is no language: write it as en or de-AT", param, ctx)
        return str(value)


LANGUAGE: Final = _Language()
_language_option = click.option(
    "--language", type=LANGUAGE, help="In this language; without it, the house's."
)


@click.group(cls=Group)
def template() -> None:
    """Look at and change the words of notices."""


@template.command()
@click.argument("name", type=NAME)
@tenant_option
@_language_option
@json_option
@pass_application
def show(app: Application, *, name: str, tenant: str, language: str | None, as_json: bool) -> None:
    """Show a template, as YAML that `set` reads: a house's own, or the one that ships.

    NAME is that of a change, as ready or payment-failed, or of the house's own making.

    Examples:
      heard notify template show ready --tenant roma --language de > ready.yaml
    """
    house, _ = app.run(lambda database: _house(database, tenant))
    words, found = find(house.words, name, name if _is_change(name) else "", language
                        or house.rules.language)  # fmt: skip
    own = (name, found) in house.words
    if as_json:
        show_json({"template": name, "language": found, "own": own,
                   "headline": words.headline, "body": words.body})  # fmt: skip
        return
    note(f"{'of the house' if own else 'as it ships'}, in {found}")
    say(_as_yaml(words).rstrip("\n"))


@template.command("set")
@click.argument("name", type=NAME)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@_language_option
@click.option("--dry-run", is_flag=True, help="Only fill it in, and show it.")
@pass_application
def set_(
    app: Application, *, name: str, file: Path, tenant: str, language: str | None, dry_run: bool
) -> None:
    """Keep a house's own words; they are tried on a sample order first.

    The file is YAML with headline (one line) and body, both Jinja2: see docs/notices.md for
    what they may name.

    Examples:
      heard notify template set ready ready.yaml --tenant roma --language de
      heard notify template set pager pager.yaml --tenant roma --dry-run
    """
    words = _read(file)
    house, currency = app.run(lambda database: _house(database, tenant))
    written_in = language or house.rules.language
    own = {**house.words, (name, written_in): words}
    try:
        letter = _sample(house, tenant, own, name=name, language=written_in, currency=currency)
    except Unusable as error:
        raise Failure(f"{file}: {error}") from None
    if dry_run:
        _show_letter(letter)
        note("it would do; nothing was changed")
        return

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await setting_up.put_template(
                connection, tenant, name, written_in, words, actor=actor(), now=system_clock()
            )

    app.run(write)
    say(f"{tenant} has words of its own for {name} in {written_in}")


@template.command()
@click.argument("name", type=NAME)
@tenant_option
@_language_option
@pass_application
def remove(app: Application, *, name: str, tenant: str, language: str | None) -> None:
    """Take a house's own words away; those that ship count again.

    Examples:
      heard notify template remove ready --tenant roma --language de
    """

    async def write(database: Database) -> str:
        house, _ = await _house(database, tenant)
        written_in = language or house.rules.language
        async with database.write() as connection:
            await setting_up.put_template(
                connection, tenant, name, written_in, None, actor=actor(), now=system_clock()
            )
        return written_in

    say(f"{tenant} has no words of its own for {name} in {app.run(write)} any more")


@template.command()
@click.argument("name", type=NAME)
@tenant_option
@_language_option
@click.option(
    "--change",
    type=click.Choice([each.value for each in OrderChange]),
    help="What it tells of; without it, the change of its name, or ready.",
)
@json_option
@pass_application
def preview(
    app: Application, *, name: str, tenant: str, language: str | None, change: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Fill a template in with a sample order, and show what a guest would read.

    Examples:
      heard notify template preview ready --tenant roma --language fr
    """
    house, currency = app.run(lambda database: _house(database, tenant))
    letter = _sample(
        house,
        tenant,
        house.words,
        name=name,
        language=language or house.rules.language,
        currency=currency,
        change=change,
    )
    if as_json:
        show_json({"language": letter.language, "headline": letter.headline, "text": letter.text})
        return
    _show_letter(letter)


async def _house(database: Database, tenant: str) -> tuple[House, str]:
    async with database.read() as connection:
        known = await find_tenant(connection, tenant)
        if known is None:
            raise Unknown(no_such_house(tenant))
        return (await store.houses(connection, [tenant]))[tenant], known.currency


def _sample(
    house: House,
    tenant: str,
    own: Own,
    *,
    name: str,
    language: str,
    currency: str,
    change: str | None = None,
) -> Letter:
    told_of = change or (name if _is_change(name) else OrderChange.READY.value)
    way = Channel("sample", ChannelKind.MQTT)
    return sample_letter(
        House(house.name, house.rules, {}, {way.channel: way}, own),
        tenant,
        way,
        change=OrderChange(told_of),
        language=language,
        currency=currency,
        to=None,
        now=system_clock(),
        template=name,
    )


def _is_change(name: str) -> bool:
    return name in {each.value for each in OrderChange}


def _show_letter(letter: Letter) -> None:
    note(f"in {letter.language}")
    say(letter.headline)
    say("")
    say(letter.text.rstrip("\n"))


def _read(file: Path) -> Words:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is no UTF-8 text: {error.reason} at byte {error.start}") from None
    except yaml.YAMLError as error:
        raise Failure(f"{file} is no YAML: {' '.join(str(error).split())[:200]}") from None
    told = document if isinstance(document, dict) else {}
    headline, body = told.get("headline"), told.get("body")
    if set(told) != {"headline", "body"} or not isinstance(headline, str):
        raise Failure(f"{file}: write headline and body, both text, and nothing else")
    if not isinstance(body, str) or not headline.strip():
        raise Failure(f"{file}: write headline and body, both text, and nothing else")
    return Words(headline, body)


class _Block(str):
    """Text that YAML shows line by line."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes a body as people write it."""


def _block(dumper: _Dumper, data: _Block) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(data), style="|")


_Dumper.add_representer(_Block, _block)


def _as_yaml(words: Words) -> str:
    told = {"headline": words.headline, "body": _Block(words.body + "\n")}
    return yaml.dump(told, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
