"""Requests that come as files: each once, in order, and whatever lies there harms nobody."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from schemas.envelope import MAX_REQUEST_BYTES, device_source, encode, envelope_of
from schemas.identifiers import new_id
from schemas.limits import Limits
from schemas.message import Message
from schemas.order_changes import ReadOrder
from schemas.orders import AddLines, CloseOrder
from schemas.refusals import RefusalCode
from schemas.replies import OrderPage, OrderReceipt, Outcome, Reply
from services.orders.store import ORDERS
from services.runtime import drop_folder, file_drop
from services.runtime.file_drop import FileDrop
from services.runtime.names import FILE_DROP
from services.runtime.tables import INBOX
from tests.spoken import order
from tests.system import RunningSystem, RunningTenant, until


class Dropping:
    """A drop folder that a running system takes from."""

    def __init__(self, system: RunningSystem, root: Path) -> None:
        self.system = system
        self.root = root
        self._running: Future[None] | None = None

    def start(self) -> None:
        served = self.system.served
        drop = FileDrop(
            self.root,
            served.systems,
            self.system._outside,
            lambda: datetime.now(UTC),
            serving=lambda: served.intake.is_open,
        )
        self._running = asyncio.run_coroutine_threadsafe(drop.run(), self.system._loop)

    def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            self.system.call(asyncio.sleep(0))

    def folder(self, tenant: RunningTenant) -> Folder:
        made = self.root / tenant.name
        made.mkdir(exist_ok=True)
        return Folder(tenant, made)


class Folder:
    """One restaurant's folder, as another system sees it."""

    def __init__(self, tenant: RunningTenant, path: Path) -> None:
        self.tenant = tenant
        self.path = path

    def wire(self, message: Message, id_: UUID | None = None) -> bytes:
        source = device_source(self.tenant.name, FILE_DROP)
        return encode(message, id=id_ or new_id(), source=source, time=datetime.now(UTC))

    def put(self, name: str, *wires: bytes) -> None:
        """Write it under another name, then rename it: as the manual says."""
        passing = self.path / f"{name}.part"
        passing.write_bytes(b"\n".join(wires))
        passing.rename(self.path / name)

    def names(self, where: str = "") -> set[str]:
        folder = self.path / where
        return {each.name for each in folder.iterdir()} if folder.is_dir() else set()

    def wait(self, name: str, where: str = "done") -> list[Reply]:
        until(lambda: name in self.names(where), f"{name} in {where}/")
        return self.replies(name)

    def replies(self, name: str) -> list[Reply]:
        text = (self.path / drop_folder.reply_name(name)).read_bytes()
        return [envelope_of(Reply).model_validate_json(line).data for line in text.splitlines()]


@pytest.fixture
def dropping(
    system: RunningSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Dropping]:
    monkeypatch.setattr(file_drop, "LOOK_EVERY_S", 0.05)
    made = Dropping(system, tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def folder(dropping: Dropping, tenant: RunningTenant) -> Folder:
    return dropping.folder(tenant)


def test_a_file_becomes_an_order_and_its_reply_lies_beside_it(folder: Folder) -> None:
    id_ = new_id()
    folder.put("web-17.json", folder.wire(order("burger", ("ale", 2)), id_))
    (reply,) = folder.wait("web-17.json")
    assert isinstance(reply.result, OrderReceipt)
    assert (reply.request, reply.result.order_id) == (id_, id_)
    (row,) = folder.tenant.rows(ORDERS)
    assert (row["order_id"], row["device"], row["total_minor"]) == (id_, FILE_DROP, 1955)
    assert folder.names() == {"done", "web-17.reply.json"}


def test_each_line_of_a_file_is_a_request_in_its_order(folder: Folder) -> None:
    first, second = new_id(), new_id()
    more = AddLines(order_id=first, lines=order("ale").lines)
    wires = [
        folder.wire(order("burger"), first),
        folder.wire(more),
        b"  ",
        folder.wire(order("fries"), second),
        folder.wire(ReadOrder(order_id=first)),
    ]
    folder.put("evening.jsonl", *wires)
    replies = folder.wait("evening.jsonl")
    assert [reply.outcome for reply in replies] == [Outcome.ACCEPTED] * 4
    assert folder.tenant.count(ORDERS) == 2
    page = replies[3].result
    assert isinstance(page, OrderPage)
    assert page.order.order_id == first


def test_a_backlog_is_taken_in_pages_and_in_the_order_of_names(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop_folder, "PAGE", 7)
    ids = [new_id() for _ in range(30)]
    # What adds to an order comes right after it: it is there by then, or it would be refused.
    for number, id_ in reversed(list(enumerate(ids))):
        more = AddLines(order_id=id_, lines=order("ale").lines)
        folder.put(f"{number:03}-b.json", folder.wire(more))
        folder.put(f"{number:03}-a.json", folder.wire(order("burger"), id_))
    # Put down backwards, some may be taken before their order came; all are taken in the end.
    until(lambda: len(folder.names("done")) + len(folder.names("refused")) == 60, "all")
    assert len([name for name in folder.names("done") if name.endswith("-a.json")]) == 30
    assert folder.tenant.count(ORDERS) == 30


def test_a_whole_backlog_that_was_there_before_keeps_its_order(
    system: RunningSystem, tenant: RunningTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop_folder, "PAGE", 7)
    dropping = Dropping(system, tmp_path)
    folder = dropping.folder(tenant)
    for number in range(30):
        id_ = new_id()
        more = AddLines(order_id=id_, lines=order("ale").lines)
        folder.put(f"{number:03}-b.json", folder.wire(more))
        folder.put(f"{number:03}-a.json", folder.wire(order("burger"), id_))
    dropping.start()
    until(lambda: len(folder.names("done")) == 60, "all of them done")
    dropping.stop()
    assert {row["total_minor"] for row in tenant.rows(ORDERS)} == {995 + 480}


def test_the_same_request_in_two_files_is_one_order_with_one_answer(folder: Folder) -> None:
    wire = folder.wire(order("burger"))
    folder.put("a.json", wire)
    folder.put("b.json", wire)
    assert folder.wait("a.json") == folder.wait("b.json")
    folder.put("a.json", wire)  # again, under a name that is taken in done/
    until(lambda: len(folder.names("done")) == 3, "the third")
    assert folder.names("done") == {"a.json", "b.json", "a.2.json"}
    assert folder.tenant.count(ORDERS) == 1


def test_what_is_not_finished_is_not_touched(folder: Folder) -> None:
    wire = folder.wire(order("burger"))
    names = {"a.json.tmp", "a.json.part", ".a.json", "a.txt", "a.JSON", "x.reply.json", "json"}
    for name in names:
        (folder.path / name).write_bytes(wire[:40])
    folder.put("z.json", wire)
    folder.wait("z.json")
    assert names <= folder.names()
    assert folder.tenant.count(ORDERS) == 1
    (folder.path / "a.json.part").write_bytes(folder.wire(order("ale")))
    (folder.path / "a.json.part").rename(folder.path / "a.json")
    folder.wait("a.json")
    assert folder.tenant.count(ORDERS) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", RefusalCode.UNREADABLE),
        (b"{", RefusalCode.UNREADABLE),
        (b"\xff\xfe\x00", RefusalCode.UNREADABLE),
        (b"[" * 50_000, RefusalCode.UNREADABLE),
        (b"x" * (MAX_REQUEST_BYTES + 1), RefusalCode.TOO_LARGE),
        (b'{"type": "heard.inside.forget-guest.v1"}', RefusalCode.UNKNOWN_TYPE),
        (b'{"type": "heard.ticket.bump.v1"}', RefusalCode.NOT_ALLOWED),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    folder: Folder, text: bytes, code: RefusalCode
) -> None:
    folder.put("bad.json", text)
    folder.put("good.json", folder.wire(order("ale")))
    (reply,) = folder.wait("bad.json", "refused")
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, code)
    assert folder.wait("good.json")[0].outcome is Outcome.ACCEPTED


def test_a_rejected_order_is_refused_and_so_is_a_file_with_one_of_them(folder: Folder) -> None:
    folder.put("soup.json", folder.wire(order("soup")))
    (reply,) = folder.wait("soup.json", "refused")
    assert reply.code is RefusalCode.UNKNOWN_ITEM
    wires = [folder.wire(order("ale")), folder.wire(CloseOrder(order_id=new_id())), b"\xff"]
    folder.put("mixed.jsonl", *wires)
    codes = [reply.code for reply in folder.wait("mixed.jsonl", "refused")]
    assert codes == [None, RefusalCode.NOT_FOUND, RefusalCode.UNREADABLE]
    assert folder.tenant.count(ORDERS) == 1


def test_nobody_says_anything_in_the_name_of_another(folder: Folder, system: RunningSystem) -> None:
    other = system.add_tenant()
    theirs = Folder(other, folder.path)
    folder.put("theirs.json", theirs.wire(order("ale")))
    (reply,) = folder.wait("theirs.json", "refused")
    assert reply.code is RefusalCode.TOPIC_MISMATCH
    assert other.count(ORDERS) == folder.tenant.count(ORDERS) == 0


def test_links_folders_and_pipes_are_refused_and_nothing_outside_is_touched(
    folder: Folder, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.json"
    outside.write_bytes(folder.wire(order("ale")))
    (folder.path / "link.json").symlink_to(outside)
    (folder.path / "broken.json").symlink_to(tmp_path / "nowhere")
    (folder.path / "folder.json").mkdir()
    (folder.path / "folder.json" / "inside.json").write_bytes(outside.read_bytes())
    os.mkfifo(folder.path / "pipe.json")
    folder.put("good.json", folder.wire(order("burger")))
    for name in ("link.json", "broken.json", "folder.json", "pipe.json"):
        (reply,) = folder.wait(name, "refused")
        assert reply.code is RefusalCode.UNREADABLE
    folder.wait("good.json")
    assert folder.tenant.count(ORDERS) == 1
    assert outside.is_file()
    assert (folder.path / "refused" / "link.json").is_symlink()


def test_a_done_that_leads_elsewhere_is_not_followed(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_drop, "LEFT_ALONE_S", 0.1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder.path / "done").symlink_to(elsewhere)
    folder.put("a.json", folder.wire(order("ale")))
    until(lambda: folder.tenant.count(ORDERS) == 1, "the order")
    until(lambda: "a.reply.json" in folder.names(), "its reply")
    assert not list(elsewhere.iterdir())
    (folder.path / "done").unlink()
    folder.wait("a.json")
    assert folder.tenant.count(ORDERS) == 1


def test_a_reply_that_cannot_be_written_keeps_nobody_else_waiting(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_drop, "LEFT_ALONE_S", 0.2)
    (folder.path / "a.reply.json").mkdir()
    folder.put("a.json", folder.wire(order("ale")))
    folder.put("b.json", folder.wire(order("burger")))
    folder.wait("b.json")
    assert "a.json" in folder.names()
    (folder.path / "a.reply.json").rmdir()
    (reply,) = folder.wait("a.json")
    assert reply.outcome is Outcome.ACCEPTED
    assert folder.tenant.count(ORDERS) == 2


def test_a_folder_of_no_restaurant_is_said_once_and_left_alone(
    dropping: Dropping, folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("nowhere", "Not A Name"):
        (dropping.root / name).mkdir()
        (dropping.root / name / "a.json").write_bytes(b"{}")
    for number in range(3):
        folder.put(f"{number}.json", folder.wire(order("ale")))
        folder.wait(f"{number}.json")
    assert (dropping.root / "nowhere" / "a.json").exists()
    assert capfd.readouterr().out.count("files wait in 'nowhere'") == 1


def test_who_is_over_the_limit_waits_and_loses_nothing(
    dropping: Dropping, folder: Folder, system: RunningSystem
) -> None:
    gate = system.served.systems._guard.gate
    narrow = Limits(messages_per_s=40, messages_burst=5)

    async def hold() -> None:
        gate.sender((folder.tenant.name, FILE_DROP)).hold_to(narrow)

    system.call(hold())
    other = dropping.folder(system.add_tenant())
    folder.put("many.jsonl", *(folder.wire(order("ale")) for _ in range(40)))
    other.put("one.json", other.wire(order("ale")))
    other.wait("one.json")
    replies = folder.wait("many.jsonl")
    assert {reply.outcome for reply in replies} == {Outcome.ACCEPTED}
    assert folder.tenant.count(ORDERS) == 40
    assert folder.tenant.count(INBOX) == 40


def test_while_nobody_serves_no_file_is_taken(
    own_system: RunningSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_drop, "LOOK_EVERY_S", 0.05)
    tenant = own_system.add_tenant()
    dropping = Dropping(own_system, tmp_path)
    folder = dropping.folder(tenant)
    dropping.start()
    folder.put("a.json", folder.wire(order("ale")))
    folder.wait("a.json")
    before = own_system.served
    own_system.stop()
    assert not before.intake.is_open
    folder.put("b.json", folder.wire(order("ale")))
    looks: list[Any] = []
    own_system.call(asyncio.sleep(0.3))
    looks.append(folder.names())
    assert "b.json" in looks[0]
    dropping.stop()
    own_system.start()
    dropping.start()
    folder.wait("b.json")
    dropping.stop()
    assert tenant.count(ORDERS) == 2
