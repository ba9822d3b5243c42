"""`heard notify channel`: the ways to tell somebody."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cli.admission import actor
from cli.application import Application, pass_application
from cli.files import seal_key
from cli.grammar import Group, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import note, say, show_json, show_table, when
from schemas.notices import ChannelKind
from services.notices import setting_up, store
from services.notices.letter import Channel
from services.notices.webhook import checked_url
from services.people.seal import Seal
from services.people.store import Unknown
from services.runtime.database import Database
from services.runtime.house_rules import no_such_house
from services.runtime.moment import system_clock
from services.runtime.signatures import new_signing_secret


@click.group(cls=Group)
def channel() -> None:
    """Set up the ways to tell somebody."""


@channel.command()
@click.argument("name", type=NAME)
@tenant_option
@click.option(
    "--kind",
    type=click.Choice([each.value for each in ChannelKind]),
    required=True,
    help="mqtt (an event on event/notices/NAME), webhook (needs --url) or email.",
)
@click.option(
    "--url", metavar="URL", help="Where a webhook is posted: https, or http on this machine."
)
@json_option
@pass_application
def add(
    app: Application, *, name: str, tenant: str, kind: str, url: str | None, as_json: bool
) -> None:
    """Set up a channel. A webhook's signing secret is made here, and shown this once.

    Examples:
      heard notify channel add pager --tenant roma --kind mqtt
      heard notify channel add shop --tenant roma --kind webhook --url https://shop.example/hooks
      heard notify channel add mail --tenant roma --kind email
    """
    chosen = ChannelKind(kind)
    if (chosen is ChannelKind.WEBHOOK) != (url is not None):
        raise click.UsageError("--url goes with --kind webhook, and with it alone")
    secret = None
    if url is not None:
        checked_url(url, plaintext=app.settings.plaintext)
        secret = new_signing_secret()
    sealed = None if secret is None else Seal(seal_key(app.settings)).seal(secret.encode())
    made = Channel(name, chosen, url, sealed)

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await must_be_there(connection, tenant)
            await setting_up.add_channel(
                connection, tenant, made, actor=actor(), now=system_clock()
            )

    app.run(write)
    if as_json:
        show_json({"tenant": tenant, "channel": name, "kind": kind, "url": url, "secret": secret})
        return
    note(f"{tenant} can tell over {name}")
    if chosen is ChannelKind.EMAIL and app.settings.smtp_url is None:
        note("no mail server is set yet: HEARD_SMTP_URL and HEARD_SMTP_FROM, where heard serves")
    _show_secret(secret)


@channel.command()
@click.argument("name", type=NAME)
@tenant_option
@json_option
@pass_application
def secret(app: Application, *, name: str, tenant: str, as_json: bool) -> None:
    """Give a webhook another signing secret; the one before signs nothing more.

    Examples:
      heard notify channel secret shop --tenant roma
    """
    made = new_signing_secret()
    sealed = Seal(seal_key(app.settings)).seal(made.encode())

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await setting_up.change_secret(
                connection, tenant, name, sealed, actor=actor(), now=system_clock()
            )

    app.run(write)
    if as_json:
        show_json({"tenant": tenant, "channel": name, "secret": made})
        return
    _show_secret(made)


@channel.command("list")
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List the channels of a restaurant.

    Examples:
      heard notify channel list --tenant roma
    """

    async def read(database: Database) -> Sequence[Channel]:
        async with database.read() as connection:
            house = (await store.houses(connection, [tenant])).get(tenant)
            if house is None:
                raise Unknown(no_such_house(tenant))
            return sorted(house.channels.values(), key=lambda each: each.channel)

    found = app.run(read)
    if as_json:
        show_json(
            [{"channel": each.channel, "kind": each.kind, "url": each.url,
              "created_at": each.created_at} for each in found]
        )  # fmt: skip
        return
    show_table(
        ("channel", "kind", "url", "since"),
        ((each.channel, each.kind.value, each.url, when(each.created_at)) for each in found),
        empty=f"none yet: heard notify channel add NAME --kind mqtt --tenant {tenant}",
    )


@channel.command()
@click.argument("name", type=NAME)
@tenant_option
@pass_application
def remove(app: Application, *, name: str, tenant: str) -> None:
    """Take a channel away; what waits for it dies, and may be replayed over one of its name.

    Examples:
      heard notify channel remove shop --tenant roma
    """

    async def write(database: Database) -> None:
        async with database.write() as connection:
            await setting_up.remove_channel(
                connection, tenant, name, actor=actor(), now=system_clock()
            )

    app.run(write)
    say(f"{tenant} tells nobody over {name} any more")


def _show_secret(secret: str | None) -> None:
    if secret is not None:
        note("it is signed with this secret, which is shown this once:")
        say(secret)
