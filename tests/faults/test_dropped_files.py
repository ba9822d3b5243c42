"""Files that other systems drop: each is one order, wherever the services die over it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from schemas.envelope import device_source, encode, envelope_of
from schemas.identifiers import new_id
from schemas.replies import OrderReceipt, Reply
from services.kitchen.store import TICKETS
from services.orders.store import ORDERS
from services.runtime.database import Database
from services.runtime.drop_folder import reply_name
from services.runtime.names import FILE_DROP
from services.runtime.tables import INBOX
from tests.children import Child
from tests.faults.dropping import Dropping
from tests.faults.ground import INSPECTOR, TENANT, Footing, Ground, footing, run
from tests.faults.plan import Stack
from tests.faults.serving import Crash
from tests.patience import PATIENCE_S
from tests.spoken import order

KILLED = -9
FILES = 4
LINES = 5

# In the worker, and over the files: a first or a later one of them.
DEATHS: Mapping[Stack, Sequence[tuple[str, int]]] = {
    Stack.SERVERS: (("committed", 1), ("asked", 1), ("replied", 4), ("moved", 3)),
    Stack.EMBEDDED: (("decided", 1), ("published", 1), ("asked", 1), ("moved", 1)),
}


def wire(id_: UUID) -> bytes:
    source = device_source(TENANT, FILE_DROP)
    return encode(order("burger", "ale"), id=id_, source=source, time=datetime.now(UTC))


def drop(folder: Path, evening: int) -> dict[str, list[UUID]]:
    """Put down single orders, and a file with several; returns their ids by file."""
    asked = {f"{evening}-{number}.json": [new_id()] for number in range(FILES)}
    asked[f"{evening}-late.jsonl"] = [new_id() for _ in range(LINES)]
    for name, ids in asked.items():
        passing = folder / f"{name}.part"
        passing.write_bytes(b"\n".join(wire(id_) for id_ in ids))
        passing.rename(folder / name)
    return asked


def life(standing: Footing, root: Path, number: int, crash: Crash | None) -> Child:
    given = Dropping(
        database_url=standing.store.services_url,
        port=standing.port,
        secret=standing.services_secret,
        embedded=standing.kind is Stack.EMBEDDED,
        inspector=INSPECTOR,
        inspector_secret=standing.secrets[INSPECTOR],
        crash=crash,
        drop=str(root),
    )
    return Child("tests.faults.dropping", given, standing.directory / f"services-{number}.log")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stack", DEATHS)
def test_each_dropped_order_is_kept_once_wherever_the_services_die_over_it(
    stack: Stack, ground: Ground, tmp_path: Path
) -> None:
    root = tmp_path / "drop"
    folder = root / TENANT
    with footing(stack, ground, tmp_path) as standing:
        folder.mkdir(parents=True)
        asked: dict[str, list[UUID]] = {}
        for number, (point, passing) in enumerate(DEATHS[stack], 1):
            asked |= drop(folder, number)
            child = life(standing, root, number, Crash(point=point, passing=passing))
            deadline = time.monotonic() + PATIENCE_S
            try:
                while child.ended is None:
                    assert time.monotonic() < deadline, f"{point}: {child.last_words()}"
                    time.sleep(0.01)
                assert child.ended == KILLED, f"{point}: {child.last_words()}"
            finally:
                child.kill()
            if point == "asked":  # all were kept, and nobody was told: it is the worst moment
                assert kept(standing) == {id_ for ids in asked.values() for id_ in ids}
                assert not list(folder.glob(f"{number}-*.reply.*"))
        last = life(standing, root, 0, None)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while len(list((folder / "done").glob("*"))) < len(asked):
                assert last.ended is None, last.last_words()
                assert time.monotonic() < deadline, last.last_words()
                time.sleep(0.01)
            assert last.stop() == 0
        finally:
            last.kill()
        assert {each.name for each in (folder / "done").iterdir()} == set(asked)
        assert not (folder / "refused").exists()
        for name, ids in asked.items():
            told = (folder / reply_name(name)).read_bytes().splitlines()
            replies: list[Reply] = [
                envelope_of(Reply).model_validate_json(line).data for line in told
            ]
            assert [reply.request for reply in replies] == ids
            for reply in replies:
                assert isinstance(reply.result, OrderReceipt), reply
                assert reply.result.order_id == reply.request
        assert not [each for each in folder.iterdir() if each.name.endswith((".tmp", ".part"))]
        assert kept(standing) == {id_ for ids in asked.values() for id_ in ids}
        orders = len(DEATHS[stack]) * (FILES + LINES)
        assert once_each(standing) == (orders, 2 * orders, orders)


def kept(standing: Footing) -> set[UUID]:
    async def read() -> set[UUID]:
        database = Database(standing.store.url)
        try:
            async with database.read() as connection:
                return set(await connection.scalars(select(ORDERS.c.order_id)))
        finally:
            await database.close()

    return run(read())


def once_each(standing: Footing) -> tuple[int, int, int]:
    """How many orders, tickets and answers there are."""

    async def read() -> tuple[int, int, int]:
        database = Database(standing.store.url)
        try:
            async with database.read() as connection:
                counts = [
                    len((await connection.execute(select(table.c.tenant))).all())
                    for table in (ORDERS, TICKETS, INBOX)
                ]
        finally:
            await database.close()
        orders, tickets, answers = counts
        return orders, tickets, answers

    return run(read())
