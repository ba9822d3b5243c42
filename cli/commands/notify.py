"""`heard notify`: whoever wants to know of a change is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.admission import actor
from cli.application import Application, pass_application
from cli.commands.notify_channels import channel
from cli.commands.notify_rules import rules
from cli.commands.notify_templates import LANGUAGE, template
from cli.failures import Failure
from cli.grammar import Group, json_option, tenant_option
from cli.names import NAME
from cli.notices import sender_settings
from cli.printing import note, say, show_json, show_table, when
from schemas.notices import ChannelKind, NoticeRule, NoticeStatus
from schemas.orders import OrderChange
from services.notices import setting_up, store
from services.notices.letter import Channel, Letter
from services.notices.retrying import Delivered, Verdict
from services.notices.trying import give, sample_letter
from services.people.store import Unknown, find_tenant
from services.runtime.database import Database
from services.runtime.house_rules import no_such_house
from services.runtime.moment import system_clock

SHOWN = 60
_UNSHOWN = {"tenant", "version", "snapshot"}


@click.group(cls=Group)
def notify() -> None:
    """Tell guests, staff and other systems of changes: over MQTT, webhooks, email."""


notify.add_command(channel)
notify.add_command(rules)
notify.add_command(template)


@notify.command("test")
@click.argument("name", type=NAME, metavar="CHANNEL|RULE")
@tenant_option
@click.option("--to", metavar="ADDRESS", help="For email: where the sample goes.")
@click.option(
    "--change",
    type=click.Choice([each.value for each in OrderChange]),
    help="What the sample tells of; a rule's first, else ready.",
)
@click.option("--language", type=LANGUAGE, help="Of the sample; without it, the house's.")
@json_option
@pass_application
def test_(
    app: Application, *, name: str, tenant: str, to: str | None, change: str | None,
    language: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Send a sample notice through a channel right now, and say what came back.

    Quiet hours do not count, and nothing is tried again.

    Examples:
      heard notify test shop --tenant roma
      heard notify test mail --tenant roma --to ada@example.com --change paid --language de
      heard notify test ready-mail --tenant roma --to ada@example.com
    """

    async def send(database: Database) -> tuple[Letter, Verdict]:
        now = system_clock()
        async with database.read() as connection:
            currency = await _currency(connection, tenant)
            house = (await store.houses(connection, [tenant]))[tenant]
        way, rule = _named(house, tenant, name)
        if way.kind is ChannelKind.EMAIL and not (to or (rule and rule.to)):
            raise Failure("say where the sample goes: --to ADDRESS")
        letter = sample_letter(
            house,
            tenant,
            way,
            change=OrderChange(change) if change else rule.on[0] if rule else OrderChange.READY,
            language=language or (rule.language if rule else None) or house.rules.language,
            currency=currency,
            to=to,
            now=now,
            rule=rule,
        )
        if way.kind is not ChannelKind.MQTT:
            return letter, await give(None, letter, sender_settings(app.settings), now)
        async with database.write() as connection:
            return letter, await give(connection, letter, sender_settings(app.settings), now)

    letter, verdict = app.run(send)
    came = verdict.said if isinstance(verdict, Delivered) else verdict.why
    delivered = isinstance(verdict, Delivered)
    if as_json:
        show_json(
            {"channel": letter.channel.channel, "notice_id": letter.notice_id, "to": letter.to,
             "headline": letter.headline, "delivered": delivered, "said": came}
        )  # fmt: skip
    elif delivered:
        say(f"delivered: {came}")
    if not delivered:
        raise Failure(f"{letter.channel.channel} did not take it: {came}")


async def _currency(connection: AsyncConnection, tenant: str) -> str:
    known = await find_tenant(connection, tenant)
    if known is None:
        raise Unknown(no_such_house(tenant))
    return known.currency


def _named(house: store.House, tenant: str, name: str) -> tuple[Channel, NoticeRule | None]:
    rule = house.book.get(name)
    way = house.channels.get(name) or (house.channels.get(rule.channel) if rule else None)
    if way is None:
        raise Failure(
            f"{tenant} has neither a channel nor a rule {name}: "
            f"heard notify channel list --tenant {tenant}"
        )
    return way, None if name in house.channels else rule


_channel_option = click.option(
    "--channel", "channel_", type=NAME, metavar="NAME", help="Only this channel's."
)
_limit_option = click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many."
)


@notify.command("list")
@tenant_option
@click.option(
    "--status",
    type=click.Choice([each.value for each in NoticeStatus]),
    help="Only those that stand so.",
)
@_channel_option
@_limit_option
@json_option
@pass_application
def list_(
    app: Application, *, tenant: str, status: str | None, channel_: str | None, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """List notices, the newest first.

    Examples:
      heard notify list --tenant roma
      heard notify list --tenant roma --status waiting --json
    """
    statuses = () if status is None else (NoticeStatus(status),)
    _show(_read(app, tenant, statuses, channel_, limit), as_json=as_json, empty="no notices")


@notify.command()
@tenant_option
@_channel_option
@_limit_option
@json_option
@pass_application
def dead(app: Application, *, tenant: str, channel_: str | None, limit: int, as_json: bool) -> None:
    """List notices that could not be delivered, each with its reason.

    They are kept for 90 days, for a person to have them tried again: heard notify replay.

    Examples:
      heard notify dead --tenant roma
      heard notify dead --tenant roma --channel shop --json
    """
    found = _read(app, tenant, (NoticeStatus.DEAD,), channel_, limit)
    _show(found, as_json=as_json, empty="none is dead")


@notify.command()
@click.argument("notices", type=click.UUID, nargs=-1, metavar="ID...")
@tenant_option
@click.option("--all", "whole", is_flag=True, help="All that are dead.")
@_channel_option
@pass_application
def replay(
    app: Application, *, notices: tuple[UUID, ...], tenant: str, whole: bool, channel_: str | None
) -> None:
    """Have dead notices tried again, under the same ids, from the beginning.

    Examples:
      heard notify replay 0197a3b2-5c1e-7a40-9f7e-2f4c5d6e7f80 --tenant roma
      heard notify replay --all --channel shop --tenant roma
    """
    if bool(notices) == whole:
        raise click.UsageError("name what to replay, or say --all")

    async def write(database: Database) -> int:
        async with database.write() as connection:
            await _currency(connection, tenant)
            return await setting_up.replay(
                connection, tenant, actor=actor(), now=system_clock(), notice_ids=notices,
                channel=channel_,
            )  # fmt: skip

    say(f"{app.run(write)} will be tried again")


def _read(
    app: Application,
    tenant: str,
    statuses: Sequence[NoticeStatus],
    channel_: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    async def read(database: Database) -> list[dict[str, Any]]:
        async with database.read() as connection:
            await _currency(connection, tenant)
            query = store.listing(tenant, statuses=statuses, channel=channel_, limit=limit)
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    return app.run(read)


def _show(found: list[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    if as_json:
        show_json([_as_json(row) for row in found])
        return
    show_table(
        ("id", "of", "change", "rule", "channel", "status", "tries", "next", "why"),
        (
            (
                row["notice_id"],
                when(row["at"]),
                row["change"],
                row["rule"],
                row["channel"],
                row["status"],
                row["attempts"],
                when(row["next_at"]),
                (row["error"] or "")[:SHOWN],
            )
            for row in found
        ),
        empty=empty,
    )
    if any(row["status"] == NoticeStatus.DEAD for row in found):
        note("have them tried again: heard notify replay ID, or --all")


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _UNSHOWN}
