"""The sender: what it does with each notice, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from schemas.notices import (
    ChannelKind,
    NoticeGiven,
    NoticeRule,
    NoticeStatus,
    QuietHours,
    WhileQuiet,
)
from schemas.orders import OrderChange
from services.notices import forgetting, sender, setting_up
from services.notices.letter import Unusable
from services.notices.tables import NOTICES
from services.people.store import remove_tenant
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.tables import OUTBOX
from tests.children import Child
from tests.mail_sink import mail_sink
from tests.patience import PATIENCE_S
from tests.services.notice_child import Sending
from tests.services.notice_world import (
    NoticeWorld,
    eventually,
    mail_at,
    on_the_clock,
    quick,
)
from tests.webhook_server import HANG_S, Answer, webhook_server

MQTT, WEBHOOK, EMAIL = ChannelKind.MQTT, ChannelKind.WEBHOOK, ChannelKind.EMAIL
ADA = "ada@example.com"


@pytest.fixture
async def world(database: Database) -> NoticeWorld:
    return await NoticeWorld.make(database)


async def outbox(world: NoticeWorld) -> list[str]:
    async with world.database.read() as connection:
        return list(await connection.scalars(select(OUTBOX.c.messages)))


# Crashes


async def die_at(world: NoticeWorld, point: str, folder: Path) -> None:
    """Let a sender of its own process send, and die there."""
    url = world.database.url.render_as_string(hide_password=False)
    given = Sending(database_url=url, point=point)
    child = Child("tests.services.notice_child", given, folder / "sender.log")
    try:
        async with asyncio.timeout(PATIENCE_S):
            while child.ended is None:  # noqa: ASYNC110 - a process tells the loop nothing
                await asyncio.sleep(0.01)
    finally:
        child.kill()
    assert child.ended == -signal.SIGKILL, child.last_words()


async def test_a_crash_between_giving_and_marking_gives_it_again_under_the_same_id(
    world: NoticeWorld, tmp_path: Path
) -> None:
    with webhook_server() as server:
        await world.channel("shop", WEBHOOK, server.url)
        made = await world.notice("shop")
        await die_at(world, "notice given", tmp_path)
        assert (await world.row(made))["status"] == NoticeStatus.WAITING
        async with world.sending():
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT
    assert server.ids == [str(made)] * 2


async def test_a_crash_after_marking_gives_it_no_second_time(
    world: NoticeWorld, tmp_path: Path
) -> None:
    with webhook_server() as server:
        await world.channel("shop", WEBHOOK, server.url)
        made = await world.notice("shop")
        await die_at(world, "notice marked", tmp_path)
        later = await world.notice("shop")
        async with world.sending():
            await world.until_ended(made, later)
    assert server.ids == [str(made), str(later)]


async def test_a_crash_over_mqtt_leaves_it_once_in_the_outbox(
    world: NoticeWorld, tmp_path: Path
) -> None:
    await world.channel("pager", MQTT)
    made = await world.notice("pager")
    await die_at(world, "notice marked", tmp_path)
    assert (await world.row(made))["status"] == NoticeStatus.SENT
    later = await world.notice("pager")
    async with world.sending():
        await world.until_ended(later)
    parcels = await outbox(world)
    assert [sum(str(each) in text for text in parcels) for each in (made, later)] == [1, 1]
    topic = NoticeGiven.route.topic(tenant=world.tenant, channel="pager")
    assert topic in parcels[0]


async def test_a_sender_that_is_told_to_end_waits_for_no_answer(world: NoticeWorld) -> None:
    with webhook_server(lambda *_: Answer(after_s=HANG_S)) as server:
        await world.channel("shop", WEBHOOK, server.url)
        made = await world.notice("shop")
        # It ends with the context, whose patience is much shorter than the server's and its own.
        async with world.sending(quick(webhook_timeout_s=HANG_S)):
            await eventually(lambda: server.arrivals)
    row = await world.row(made)
    assert (row["status"], row["attempts"]) == (NoticeStatus.WAITING, 0)


async def test_what_arrives_while_the_process_ends_is_marked(
    world: NoticeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "GRACE_S", PATIENCE_S)
    with webhook_server(lambda *_: Answer(after_s=0.3)) as server:
        await world.channel("shop", WEBHOOK, server.url)
        made = await world.notice("shop")
        async with world.sending(quick(webhook_timeout_s=HANG_S)):
            await eventually(lambda: server.arrivals)
    assert (await world.row(made))["status"] == NoticeStatus.SENT
    assert len(server.arrivals) == 1


async def test_a_channel_with_much_to_send_does_not_hide_the_others(world: NoticeWorld) -> None:
    now = system_clock()
    many = [await world.notice("busy", due=now - timedelta(minutes=5)) for _ in range(6)]
    one = await world.notice("quiet", due=now - timedelta(minutes=1))
    full = await world.notice("full", due=now - timedelta(minutes=9))
    async with world.database.read() as connection:
        rows = await sender._due(connection, now, 4, [("roma", "full")])
    found = [row["notice_id"] for row in rows]
    assert found[0] == one
    assert len(found) == 5
    assert set(found[1:]) < set(many)
    assert full not in found


# Quiet hours


async def test_quiet_hours_hold_a_late_notice_and_count_no_try(world: NoticeWorld) -> None:
    now = system_clock()
    quiet = QuietHours(start=on_the_clock(now, minutes=-60), end=on_the_clock(now, minutes=60))
    await world.channel("pager", MQTT)
    await world.rules(
        NoticeRule(rule="told", on=(OrderChange.READY,), channel="pager", quiet=quiet)
    )
    made = await world.notice("pager", at=now - timedelta(hours=3))
    async with world.sending():
        row = await world.until(made, lambda row: row["next_at"] > now)
    assert (row["status"], row["attempts"]) == (NoticeStatus.WAITING, 0)
    assert timedelta(minutes=58) < row["next_at"] - now <= timedelta(minutes=60)
    assert await outbox(world) == []


async def test_quiet_hours_are_those_of_the_houses_clock(world: NoticeWorld) -> None:
    now = system_clock()
    # Quiet by UTC, and by the clock of a house elsewhere it is long over.
    quiet = QuietHours(start=on_the_clock(now, minutes=-60), end=on_the_clock(now, minutes=60))
    await world.channel("pager", MQTT)
    await world.rules(
        NoticeRule(rule="told", on=(OrderChange.READY,), channel="pager", quiet=quiet),
        time_zone="Asia/Tokyo",
    )
    made = await world.notice("pager")
    async with world.sending():
        (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT


async def test_quiet_hours_that_drop_erase_what_was_to_be_told(world: NoticeWorld) -> None:
    now = system_clock()
    quiet = QuietHours(
        start=on_the_clock(now, minutes=-60),
        end=on_the_clock(now, minutes=60),
        then=WhileQuiet.DROP,
    )
    await world.channel("pager", MQTT)
    await world.rules(
        NoticeRule(rule="told", on=(OrderChange.READY,), channel="pager", quiet=quiet)
    )
    made = await world.notice("pager")
    async with world.sending():
        (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.DROPPED
    assert row["error"] == "it fell into quiet hours"
    assert (row["snapshot"], row["to"]) == (None, None)


async def test_a_notice_whose_time_is_to_come_waits_for_it(world: NoticeWorld) -> None:
    await world.channel("pager", MQTT)
    now = system_clock()
    soon = await world.notice("pager", due=now + timedelta(seconds=0.4))
    late = await world.notice("pager", due=now + timedelta(hours=1))
    async with world.sending():
        (row,) = await world.until_ended(soon)
    assert row["ended_at"] >= row["at"]
    assert row["ended_at"] >= now + timedelta(seconds=0.4)
    assert (await world.row(late))["status"] == NoticeStatus.WAITING


# Words


async def test_a_houses_own_words_go_before_those_that_ship(world: NoticeWorld) -> None:
    await world.template("ready", "de", "Fertig: {{ order.number }}", "{{ order.total }}")
    with mail_sink() as sink:
        await world.channel("mail", EMAIL)
        ids = [await world.notice("mail", to=ADA, language=each) for each in ("de-AT", "it", "fr")]
        async with world.sending(quick(mail_server=mail_at(sink.port))):
            await world.until_ended(*ids)
    assert {each["subject"] for each in sink.letters} == {
        "Fertig: SAMPLE-1",
        "Trattoria Roma: your order SAMPLE-1 is ready",
        "Trattoria Roma : votre commande SAMPLE-1 est prête",
    }


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{{ order.nothing }}", "nothing"),
        ("{% for x in %}", "Expected an expression"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ 'x' * 1000000000 }}", "numbers alone"),
        ("{{ 10 ** 10 ** 10 }}", "numbers alone"),
        ("{{ '{:1000000000}'.format(1) }}", "format"),
        ("{{ '%1000000000d' | format(1) }}", "format"),
        ("{% include 'nothing' %}", "nothing"),
    ],
)  # fmt: skip
async def test_a_template_that_cannot_be_filled_in_makes_a_dead_letter(
    world: NoticeWorld, body: str, why: str
) -> None:
    await world.template("ready", "en", "Ready", body)
    await world.channel("pager", MQTT)
    made = await world.notice("pager")
    well = await world.notice("pager", change=OrderChange.PAID)
    async with world.sending():
        row, other = await world.until_ended(made, well)
    assert row["status"] == NoticeStatus.DEAD
    assert row["attempts"] == 1
    assert row["error"].startswith("template ready: ")
    assert why in row["error"]
    assert other["status"] == NoticeStatus.SENT


async def test_a_text_without_an_end_is_cut_off_in_the_making(world: NoticeWorld) -> None:
    nest = "{% for each in order.number %}"
    # As deep as loops may stand, and each round says a great deal.
    await world.template("ready", "en", "Ready", nest * 2 + "more" * 4000 + "{% endfor %}" * 2)
    await world.channel("pager", MQTT)
    made = await world.notice("pager")
    async with world.sending():
        (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.DEAD
    assert "longer than" in row["error"]


# What is not there


async def test_a_channel_that_is_gone_makes_a_dead_letter_that_can_be_replayed(
    world: NoticeWorld,
) -> None:
    made = await world.notice("pager", to=None)
    async with world.sending():
        (row,) = await world.until_ended(made)
        assert row["status"] == NoticeStatus.DEAD
        assert "heard notify channel add pager" in row["error"]
        await world.channel("pager", MQTT)
        async with world.database.write() as connection:
            count = await setting_up.replay(
                connection, world.tenant, actor="test", now=system_clock(), notice_ids=[made]
            )
        assert count == 1
        (row,) = await world.until_ended(made)
    assert (row["status"], row["attempts"], row["error"]) == (NoticeStatus.SENT, 1, None)
    assert sum(str(made) in text for text in await outbox(world)) == 1
    async with world.database.read() as connection:
        deeds = [each.action for each in await audit.entries(connection, world.tenant)]
    assert deeds == ["notices.replayed"]


async def test_only_what_is_dead_can_be_replayed(world: NoticeWorld) -> None:
    await world.channel("pager", MQTT)
    made = await world.notice("pager")
    async with world.sending():
        await world.until_ended(made)
    for each in (made, uuid4()):
        with pytest.raises(Unusable, match="no dead notice"):
            async with world.database.write() as connection:
                await setting_up.replay(
                    connection, world.tenant, actor="test", now=system_clock(), notice_ids=[each]
                )


async def test_notices_of_a_house_that_is_gone_go_with_it(world: NoticeWorld) -> None:
    made = await world.notice("pager")
    other = await NoticeWorld.make(world.database, "oslo")
    await other.channel("pager", MQTT)
    async with world.database.write() as connection:
        await remove_tenant(connection, world.tenant)
    well = await other.notice("pager")
    async with world.sending():
        (row,) = await other.until_ended(well)
        assert row["status"] == NoticeStatus.SENT
    async with world.database.read() as connection:
        left = list(await connection.scalars(select(NOTICES.c.notice_id)))
    assert left == [well]
    assert made not in left


# What is erased


async def test_a_forgotten_guest_is_told_no_more_and_a_manager_hears_no_name(
    world: NoticeWorld,
) -> None:
    later = system_clock() + timedelta(hours=1)
    to_guest = await world.notice("mail", to=ADA, due=later, rule="guest")
    to_boss = await world.notice("mail", to="boss@roma.example", due=later, rule="boss")
    dead = await world.notice("mail", to=ADA, due=later, rule="dead")
    other = await world.notice("mail", to=ADA, due=later, rule="other")
    async with world.database.write() as connection:
        await connection.execute(
            update(NOTICES)
            .where(NOTICES.c.notice_id == dead)
            .values(
                status="dead", next_at=None, ended_at=later, error=f"SMTP 550: {ADA} is unknown"
            )
        )
        orders = [(await world.row(each))["order_id"] for each in (to_guest, to_boss, dead)]
    async with world.database.write() as connection:
        count = await forgetting.forget(connection, world.tenant, orders, system_clock())
        again = await forgetting.forget(connection, world.tenant, orders, system_clock())
    assert (count, again) == (3, 0)
    row = await world.row(to_guest)
    assert row["status"] == NoticeStatus.DROPPED
    assert (row["to"], row["snapshot"]) == (None, None)
    row = await world.row(to_boss)
    assert (row["status"], row["to"]) == (NoticeStatus.WAITING, "boss@roma.example")
    assert row["snapshot"]["order"]["guest"] is None
    assert row["snapshot"]["order"]["number"] == "SAMPLE-1"
    row = await world.row(dead)
    assert (row["status"], row["to"], row["snapshot"]) == (NoticeStatus.DEAD, None, None)
    assert ADA not in row["error"], "a mail server's refusal says the address"
    assert (await world.row(other))["to"] == ADA


async def test_a_guest_who_is_forgotten_in_mid_send_is_told_once(world: NoticeWorld) -> None:
    with webhook_server(lambda *_: Answer(after_s=0.5)) as server:
        await world.channel("shop", WEBHOOK, server.url)
        made = await world.notice("shop")
        async with world.sending(quick(webhook_timeout_s=HANG_S)):
            await eventually(lambda: server.arrivals)
            order_id = (await world.row(made))["order_id"]
            async with world.database.write() as connection:
                await forgetting.forget(connection, world.tenant, [order_id], system_clock())
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT
    assert row["snapshot"] is None
    assert len(server.arrivals) == 1


async def test_what_ended_long_ago_is_thrown_away(world: NoticeWorld) -> None:
    now = system_clock()
    old, young = now - forgetting.KEPT - timedelta(days=1), now - timedelta(days=1)
    tomorrow = now + timedelta(days=1)
    ids = {
        name: await world.notice("pager", at=at, due=tomorrow, rule=name)
        for name, at in (("gone", old), ("waits", old), ("replayed", old), ("kept", young))
    }
    async with world.database.write() as connection:
        for name, ended_at in (("gone", old), ("replayed", young), ("kept", young)):
            await connection.execute(
                update(NOTICES)
                .where(NOTICES.c.notice_id == ids[name])
                .values(status="dead", next_at=None, ended_at=ended_at, error="why")
            )
    assert await forgetting.throw_away(world.database, now - forgetting.KEPT) == 1
    async with world.database.read() as connection:
        left = set(await connection.scalars(select(NOTICES.c.notice_id)))
    assert left == {ids["waits"], ids["replayed"], ids["kept"]}
