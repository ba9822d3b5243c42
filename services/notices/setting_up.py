"""What a house says of its notices: channels, rules, templates; each change in the audit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import yaml
from pydantic import ValidationError
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.notices import ChannelKind, NoticeRule, NoticeRules, NoticeStatus, QuietHours
from services.notices import store
from services.notices.letter import Channel, Unusable
from services.notices.tables import CHANNELS, NOTICES, TEMPLATES
from services.notices.words import NoWords, Words, find
from services.runtime import audit, house_rules

SealIt = Callable[[bytes], str]

_KEYS: Final = {
    "rule": frozenset(NoticeRule.model_fields),
    "quiet": frozenset(QuietHours.model_fields),
}


async def add_channel(
    connection: AsyncConnection, tenant: str, channel: Channel, *, actor: str, now: datetime
) -> None:
    """Set up a channel; its secret comes sealed.

    Raises:
        Unusable: there is one of this name.
    """
    if await find_channel(connection, tenant, channel.channel) is not None:
        raise Unusable(f"{tenant} has a channel {channel.channel} already: remove it first")
    await connection.execute(
        insert(CHANNELS).values(
            tenant=tenant,
            channel=channel.channel,
            kind=channel.kind.value,
            url=channel.url,
            secret=channel.secret,
            created_at=now,
        )
    )
    await audit.record(
        connection, tenant=tenant, actor=actor, action="channel.added", now=now,
        subject=f"{tenant}/{channel.channel}", kind=channel.kind.value, url=channel.url,
    )  # fmt: skip


async def change_secret(
    connection: AsyncConnection, tenant: str, channel: str, sealed: str, *, actor: str,
    now: datetime,
) -> None:  # fmt: skip
    """Let a webhook be signed with another secret from now on.

    Raises:
        Unusable: there is no webhook of this name.
    """
    found = await find_channel(connection, tenant, channel)
    if found is None or found.kind is not ChannelKind.WEBHOOK:
        raise Unusable(
            f"{tenant} has no webhook {channel}: heard notify channel list --tenant {tenant}"
        )
    await connection.execute(
        update(CHANNELS)
        .where(CHANNELS.c.tenant == tenant, CHANNELS.c.channel == channel)
        .values(secret=sealed)
    )
    await audit.record(
        connection, tenant=tenant, actor=actor, action="channel.secret-changed", now=now,
        subject=f"{tenant}/{channel}",
    )  # fmt: skip


async def remove_channel(
    connection: AsyncConnection, tenant: str, channel: str, *, actor: str, now: datetime
) -> None:
    """Take a channel away.

    Raises:
        Unusable: there is none, or a rule tells over it.
    """
    if await find_channel(connection, tenant, channel) is None:
        raise Unusable(
            f"{tenant} has no channel {channel}: heard notify channel list --tenant {tenant}"
        )
    book = (await house_rules.read(connection, tenant)).notices
    using = [each.rule for each in book.rules if each.channel == channel]
    if using:
        raise Unusable(f"rules tell over {channel}: {', '.join(using)}: change them first")
    await connection.execute(
        delete(CHANNELS).where(CHANNELS.c.tenant == tenant, CHANNELS.c.channel == channel)
    )
    await audit.record(
        connection, tenant=tenant, actor=actor, action="channel.removed", now=now,
        subject=f"{tenant}/{channel}",
    )  # fmt: skip


async def find_channel(connection: AsyncConnection, tenant: str, channel: str) -> Channel | None:
    """One channel; None where there is none of this name."""
    query = select(CHANNELS).where(CHANNELS.c.tenant == tenant, CHANNELS.c.channel == channel)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else store.channel_of(dict(row))


def read_book(text: str) -> NoticeRules:
    """Read rules from YAML, as they are written by hand.

    Raises:
        Unusable: they cannot be read, or hold a word that means nothing.
    """
    try:
        # Text alone: YAML else takes `on` for a truth, and 22:00 for a number.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it builds text only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Unusable(f"no YAML{where}: {getattr(error, 'problem', error)}") from None
    listed = document.get("rules") if isinstance(document, dict) else document
    if not isinstance(listed, list) or (isinstance(document, dict) and set(document) - {"rules"}):
        raise Unusable("write a list of rules, under `rules:`")
    return checked_book([_without_nothing(each) for each in listed])


def checked_book(listed: Sequence[Any]) -> NoticeRules:
    """Rules from plain values.

    Raises:
        Unusable: a rule is none; the message names it.
    """
    for number, each in enumerate(listed, 1):
        if not isinstance(each, Mapping):
            raise Unusable(f"rule {number} is no rule: write rule, on and channel")
        name = each.get("rule", number)
        _refuse_unknown(f"rule {name}", each, _KEYS["rule"])
        if isinstance(each.get("quiet"), Mapping):
            _refuse_unknown(f"quiet of rule {name}", each["quiet"], _KEYS["quiet"])
    try:
        return NoticeRules.model_validate({"rules": list(listed)})
    except ValidationError as error:
        told = []
        for fault in error.errors(include_url=False, include_context=False):
            place = fault["loc"]
            at = place[1] if len(place) > 1 and isinstance(place[1], int) else None
            name = "" if at is None else f"rule {listed[at].get('rule', at + 1)}: "
            field = ".".join(str(part) for part in place[2:])
            clock = bool(place) and place[-1] in {"start", "end"}
            what = "write a time as 07:00" if clock else fault["msg"]
            told.append(f"{name}{field + ': ' if field else ''}{what}")
        raise Unusable("; ".join(told[:5])) from None


def _refuse_unknown(what: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise Unusable(f"{what}: unknown {', '.join(unknown)} (known: {', '.join(sorted(known))})")


def _without_nothing(value: Any) -> Any:
    """Without what stands empty in the file: it is as if it were not there."""
    if not isinstance(value, Mapping):
        return value
    told = {name: _without_nothing(each) for name, each in value.items()}
    return {name: each for name, each in told.items() if each not in ("", "null", "~")}


def written_book(book: NoticeRules) -> str:
    """Rules as YAML, to be changed by hand and read again."""
    plain = book.model_dump(mode="json", exclude_defaults=True)
    listed = {"rules": plain.get("rules", [])}
    return yaml.safe_dump(listed, sort_keys=False, allow_unicode=True)


async def set_book(
    connection: AsyncConnection, tenant: str, book: NoticeRules, *, actor: str, now: datetime
) -> None:
    """Put new rules in the place of the old ones; the next order is told by them.

    Raises:
        Unusable: a rule names what this house does not have.
    """
    await check_book(connection, tenant, book)
    await house_rules.write(connection, tenant, notices=book)
    await audit.record(
        connection, tenant=tenant, actor=actor, action="notice-rules.set", now=now, subject=tenant,
        rules=", ".join(each.rule for each in book.rules) or "none",
    )  # fmt: skip


async def check_book(connection: AsyncConnection, tenant: str, book: NoticeRules) -> None:
    """See that a house has what its rules name.

    Raises:
        Unusable: it has not; the message names the rule.
    """
    house = (await store.houses(connection, [tenant])).get(tenant)
    if house is None:
        raise Unusable(house_rules.no_such_house(tenant))
    for rule in book.rules:
        channel = house.channels.get(rule.channel)
        if channel is None:
            have = ", ".join(sorted(house.channels)) or "none"
            raise Unusable(f"rule {rule.rule}: there is no channel {rule.channel} (have: {have})")
        if rule.to is not None and channel.kind is not ChannelKind.EMAIL:
            raise Unusable(f"rule {rule.rule}: `to` is for email, and {rule.channel} is none")
        for change in rule.on:
            try:
                find(house.words, rule.template or change.value, change.value, house.rules.language)
            except NoWords as error:
                raise Unusable(f"rule {rule.rule}: {error}") from None


async def put_template(
    connection: AsyncConnection, tenant: str, template: str, language: str, words: Words | None,
    *, actor: str, now: datetime,
) -> None:  # fmt: skip
    """Keep a house's own words in place of those before; None takes them away.

    Raises:
        Unusable: there are none to take away.
    """
    gone = await connection.execute(
        delete(TEMPLATES).where(
            TEMPLATES.c.tenant == tenant,
            TEMPLATES.c.template == template,
            TEMPLATES.c.language == language,
        )
    )
    if words is not None:
        await connection.execute(
            insert(TEMPLATES).values(
                tenant=tenant,
                template=template,
                language=language,
                headline=words.headline,
                body=words.body,
            )
        )
    elif not gone.rowcount:
        raise Unusable(f"{tenant} has no template {template} of its own in {language}")
    await audit.record(
        connection, tenant=tenant, actor=actor, now=now,
        action="template.removed" if words is None else "template.set",
        subject=f"{tenant}/{template}", language=language,
    )  # fmt: skip


async def replay(
    connection: AsyncConnection, tenant: str, *, actor: str, now: datetime,
    notice_ids: Sequence[UUID] = (), channel: str | None = None,
) -> int:  # fmt: skip
    """Have dead notices tried again, under the same ids; returns how many.

    Args:
        connection: a transaction that writes.
        tenant: whose.
        actor: who wants it.
        now: the time.
        notice_ids: these; without any, all dead ones.
        channel: of these only those of this channel.

    Raises:
        Unusable: one of those that were named is not there, or not dead.
    """
    query = store.listing(tenant, statuses=(NoticeStatus.DEAD,), channel=channel)
    if notice_ids:
        query = query.where(NOTICES.c.notice_id.in_(list(notice_ids)))
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    missing = set(notice_ids) - {row["notice_id"] for row in rows}
    if missing:
        raise Unusable(f"no dead notice is called {min(missing)}: heard notify dead")
    count = 0
    for row in rows:
        count += await store.change(connection, row, store.replayed(row, now))
    if count:
        await audit.record(
            connection, tenant=tenant, actor=actor, action="notices.replayed", now=now,
            subject=tenant, count=count, channel=channel,
        )  # fmt: skip
    return count
