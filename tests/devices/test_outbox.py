from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.outbox import Entry, Outbox, OutboxBroken, OutboxInUse, OutboxWriter
from schemas.identifiers import new_id
from tests.patience import PATIENCE_S

AT = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)


def entry(number: int = 0) -> Entry:
    return Entry(new_id(), "heard/v1/demo/request/pos-1/orders/place", b"%d" % number, AT)


def test_what_was_put_waits_in_its_order_until_it_is_cleared(tmp_path: Path) -> None:
    first, second, third = entry(1), entry(2), entry(3)
    with Outbox(tmp_path / "o") as outbox:
        outbox.put(first.id, first.topic, first.payload, first.created)
        outbox.put_many([second, third])
        assert outbox.waiting() == [first, second, third]
        outbox.clear(second.id)
        outbox.clear(second.id)
        assert outbox.waiting() == [first, third]
    with Outbox(tmp_path / "o") as again:
        assert again.waiting() == [first, third]


def test_an_id_that_waits_already_stays_as_it_was(tmp_path: Path) -> None:
    kept = entry(1)
    with Outbox(tmp_path / "o") as outbox:
        outbox.put_many([kept, Entry(kept.id, "other", b"other", AT)])
        assert outbox.waiting() == [kept]


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    wrong = Entry(new_id(), None, b"", AT)  # type: ignore[arg-type]  # what the disk refuses
    with Outbox(tmp_path / "o") as outbox:
        with pytest.raises(OutboxBroken, match="cannot be used"):
            outbox.put_many([entry(), wrong])
        assert outbox.waiting() == []
        outbox.put_many([entry()])
        assert len(outbox.waiting()) == 1


def test_one_outbox_is_opened_once_in_a_process(tmp_path: Path) -> None:
    path = tmp_path / "o"
    with Outbox(path), pytest.raises(OutboxInUse, match="is in use"):
        Outbox(path)
    Outbox(path).close()


def test_two_processes_cannot_have_one_outbox_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "o"
    script = (
        "import sys, time; from pathlib import Path; from devices.outbox import Outbox;"
        "o = Outbox(Path(sys.argv[1])); print('open', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == b"open\n"
        with pytest.raises(OutboxInUse, match="stop the other process"):
            Outbox(path)
        it.send_signal(signal.SIGKILL)
    Outbox(path).close()


def test_every_put_that_returned_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "o"
    script = (
        "import sys; from pathlib import Path; from datetime import *;"
        "from devices.outbox import *; from schemas.identifiers import new_id\n"
        "with Outbox(Path(sys.argv[1])) as o:\n"
        " while True:\n"
        "  i = new_id(); o.put(i, 't', b'p', datetime.now(UTC)); print(i, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as it:
        assert it.stdout is not None
        told = [it.stdout.readline() for _ in range(50)]
        it.send_signal(signal.SIGKILL)
        told += [line for line in it.stdout.read().splitlines(keepends=True) if line[-1:] == b"\n"]
    with Outbox(path) as outbox:
        waiting = [str(entry.id) for entry in outbox.waiting()]
    said = [line.decode().strip() for line in told]
    assert waiting[: len(said)] == said
    assert len(waiting) <= len(said) + 1


def test_what_is_no_outbox_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "o"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(OutboxBroken, match="not a database"):
        Outbox(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutboxBroken, match="unable to open"):
        Outbox(tmp_path / "folder")


def test_the_disk_is_told_to_keep_every_commit(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        assert outbox._database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert outbox._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


class Slow(Outbox):
    """An outbox whose disk takes its time, and may fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.commits: list[int] = []
        self.go = threading.Event()
        self.broken = False

    def commit(self, *, puts=(), clears=()):  # type: ignore[no-untyped-def]  # a thin double
        puts = list(puts)
        if puts:
            self.commits.append(len(puts))
            assert self.go.wait(PATIENCE_S)
        if self.broken:
            raise OutboxBroken(self.path, sqlite3.OperationalError("disk is full"))
        super().commit(puts=puts, clears=clears)


def test_what_comes_while_the_disk_is_busy_shares_one_commit(tmp_path: Path) -> None:
    outbox = Slow(tmp_path / "o")
    kept: list[object] = []
    writer = OutboxWriter(
        outbox, name="w", on_kept=kept.extend, on_failed=lambda *_: pytest.fail("it failed")
    )
    entries = [entry(n) for n in range(100)]
    writer.put(entries[:1])
    deadline = time.monotonic() + PATIENCE_S
    while not outbox.commits:
        assert time.monotonic() < deadline
    for one in entries[1:]:
        writer.put([one])
    assert kept == []
    outbox.go.set()
    writer.close()
    assert outbox.commits == [1, 99]
    assert kept == [one.id for one in entries]
    with pytest.raises(RuntimeError, match="closed"):
        writer.put([entry()])


def test_what_the_disk_did_not_take_is_said_and_clears_are_tried_again(tmp_path: Path) -> None:
    outbox = Slow(tmp_path / "o")
    outbox.go.set()
    old, new, later = entry(1), entry(2), entry(3)
    Outbox.commit(outbox, puts=[old])
    kept: list[object] = []
    failed: list[object] = []
    writer = OutboxWriter(
        outbox, name="w", on_kept=kept.extend, on_failed=lambda ids, _: failed.extend(ids)
    )
    outbox.broken = True
    writer.clear([old.id])
    writer.put([new])
    deadline = time.monotonic() + PATIENCE_S
    while not failed:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert failed == [new.id]
    outbox.broken = False
    writer.put([later])
    writer.close()
    assert kept == [later.id]
    with Outbox(tmp_path / "o") as again:
        assert again.waiting() == [later]
