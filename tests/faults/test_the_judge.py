"""The judge of the fault runs sees what is wrong: else every run would be right."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from schemas.kitchen import TicketState
from tests.faults.ending import must_be_right
from tests.faults.evening import Evening
from tests.faults.ground import TENANT, Ground, footing
from tests.faults.plan import Stack, draw_orders, seeded
from tests.faults.truth import wrongs
from tests.mqtt_client import MqttClient

HARMS = {
    "its total is": "UPDATE orders SET total_minor = total_minor + 1",
    "recounted": "UPDATE orders SET tips_minor = tips_minor + 1",
    "are due, by the journal": "UPDATE journal SET guest_minor = guest_minor + 1,"
    " cash_minor = cash_minor - 1",
    "entries": "DELETE FROM journal WHERE version = 1",
    "it went from": "UPDATE journal SET status = 'served' WHERE version = 2",
    "is not kept": "DELETE FROM orders WHERE rowid = (SELECT min(rowid) FROM orders)",
    "an order that nobody placed": "UPDATE orders SET order_id = '0190000000007000800000000000abcd'"
    " WHERE rowid = (SELECT min(rowid) FROM orders)",
    "are on no ticket|without a ticket": "DELETE FROM tickets"
    " WHERE rowid = (SELECT min(rowid) FROM tickets)",
    "is at .* changes": "UPDATE stations SET sequence = sequence + 1",
    "its tickets at": "UPDATE tickets SET sequence = 1",
    "kept None": "DELETE FROM inbox",
    "parcels are left": "INSERT INTO outbox VALUES ('roma', '0190000000007000800000000000abcd',"
    " '[]')",
    "in quarantine": "INSERT INTO quarantine VALUES ('roma', '0190000000007000800000000000abcd',"
    " 't', x'00', 'why', 0)",
    "shows other than is kept": "UPDATE tickets SET version = version + 1",
    "are not heard": "UPDATE tickets SET heard_at = NULL, heard_by = NULL, status = 'sent',"
    " started_at = NULL, ended_at = NULL",
    "believed offline": "UPDATE presence SET status = 'offline'",
    "not retained as the database says": "UPDATE menu_items SET price_minor = price_minor + 1",
}


@pytest.fixture(scope="module")
def quiet_house(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """A house in which all is right, and nothing happens any more."""
    orders = draw_orders(seeded(5), 5, 6, over_s=0.3)
    with (
        footing(Stack.MIXED, ground, tmp_path_factory.mktemp("judge")) as standing,
        Evening(standing, orders, cooks=False) as house,
    ):
        must_be_right(house, wire_is_whole=True)
        house.serving.now.stall()
        yield house


@pytest.mark.parametrize(("seen", "harm"), HARMS.items(), ids=HARMS)
def test_the_judge_sees_harm_in_the_database(quiet_house: Evening, seen: str, harm: str) -> None:
    path = quiet_house.footing.store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(":memory:")) as saved:
        database.backup(saved)
        database.execute(harm)
        database.commit()
        found = wrongs(quiet_house, wire_is_whole=True)
        saved.backup(database)
    assert any(re.search(seen, line) for line in found), found


def test_the_judge_sees_a_stray_on_the_broker(quiet_house: Evening) -> None:
    stray = TicketState.route.topic(tenant=TENANT, station="grill", ticket_id="nobodys")
    _stand(quiet_house, stray, b"{}")
    found = wrongs(quiet_house)
    _stand(quiet_house, stray, b"")
    assert f"retained and should not be: {stray}" in found


def _stand(house: Evening, topic: str, payload: bytes) -> None:
    inspector = house.footing.inspector
    with MqttClient(inspector.address, inspector.login) as someone:
        someone.publish(topic, payload, retain=True)
