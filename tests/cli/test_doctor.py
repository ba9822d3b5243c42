from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.devices import Role
from schemas.topics import Plane, plane_filter
from tests.brokers import PrivateMosquitto
from tests.cli.conftest import Heard, until, up
from tests.mqtt_client import MqttClient


def _wrong(heard: Heard, *arguments: str) -> dict[str, dict[str, Any]]:
    ended = heard("doctor", "--json", *arguments)
    found = {each["what"]: each for each in ended.json if each["ok"] is False}
    assert ended.code == (1 if found else 0)
    assert all(each["mend"] for each in found.values())
    return found


def test_a_fresh_home_lacks_a_database_and_a_broker(heard: Heard) -> None:
    found = _wrong(heard)
    assert found["database"]["mend"] == "heard db upgrade"
    assert found["broker"]["mend"] == "heard up"
    heard.done("db", "upgrade")
    assert set(_wrong(heard)) == {"broker"}


def test_a_running_system_is_well(stack: Heard) -> None:
    stack.done("tenant", "add", "roma")
    assert _wrong(stack) == {}


def test_secrets_that_others_may_read_are_named_and_mended(embedded: Heard) -> None:
    path = embedded.home / "services.secret"
    path.chmod(0o644)
    assert _wrong(embedded)["files"]["mend"] == f"chmod 600 {path}"
    assert _wrong(embedded, "--mend") == {}
    assert path.stat().st_mode & 0o077 == 0


def test_a_changed_schema_an_old_version_and_a_full_quarantine_are_named(heard: Heard) -> None:
    heard.done("db", "upgrade")
    with sqlite3.connect(heard.home / "heard.db") as rows:
        rows.execute("ALTER TABLE devices ADD COLUMN surprise TEXT")
        rows.execute(
            "INSERT INTO quarantine (tenant, entry_id, topic, payload, reason, received_at)"
            " VALUES ('roma', ?, 'a/b', ?, 'no reason', 1)",
            ("0" * 32, b"\xff\x1b["),
        )
    rows.close()
    found = _wrong(heard)
    assert "surprise" in found["schema"]["says"]
    assert "heard quarantine list" in found["quarantine"]["mend"]
    (kept,) = heard.done("quarantine", "list", "--json").json
    shown = heard.done("quarantine", "show", kept["id"])
    assert "no reason" in shown.out
    assert "\x1b" not in shown.out
    heard.done("quarantine", "clear", kept["id"])
    assert "quarantine" not in _wrong(heard)
    with sqlite3.connect(heard.home / "heard.db") as rows:
        rows.execute("UPDATE alembic_version SET version_num = '0000'")
    rows.close()
    assert _wrong(heard)["migrations"]["mend"] == "heard db upgrade"


def test_parcels_that_nobody_fetches_are_named(heard: Heard, tmp_path: Path) -> None:
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    menu = tmp_path / "menu.csv"
    menu.write_text("name,station,price\nBurger,grill,9.50\n")
    heard.done("menu", "import", str(menu), "--tenant", "roma")
    assert "heard up" in _wrong(heard)["outbox"]["mend"]
    with up(heard):
        until(lambda: "outbox" not in _wrong(heard), "the parcel goes out")


def test_retained_states_that_are_not_true_are_named_and_mended(
    embedded: Heard, tmp_path: Path
) -> None:
    embedded.done("tenant", "add", "roma")
    menu = tmp_path / "menu.csv"
    menu.write_text("name,station,price\nBurger,grill,9.50\n")
    embedded.done("menu", "import", str(menu), "--tenant", "roma")
    secret = embedded.done(
        "device", "add", "boss", "--tenant", "roma", "--role", "manager", "--json"
    ).json["secret"]
    running = json.loads((embedded.home / "run.json").read_text())
    login = BrokerLogin(username="roma:boss", secret=secret)
    with MqttClient(BrokerAddress(port=running["port"]), login) as boss:
        boss.subscribe(plane_filter(Plane.STATE, tenant="roma", tail="menu/#"))
        item = boss.next_message().topic
    with sqlite3.connect(embedded.home / "heard.db") as rows:
        rows.execute("UPDATE menu_items SET price_minor = 1")
    rows.close()
    found = _wrong(embedded)["roma: retained"]
    assert item in found["says"]
    assert found["mend"] == "heard doctor --mend"
    embedded("doctor", "--mend")
    until(lambda: _wrong(embedded) == {}, "the states are put right")


def test_accounts_and_secrets_of_a_mosquitto_are_looked_at(
    production: Heard, mosquitto_broker: PrivateMosquitto
) -> None:
    production.done("tenant", "add", "roma")
    production.done("device", "add", "pos-1", "--tenant", "roma", "--role", "pos")
    mosquitto_broker.revoke("roma", "pos-1")
    mosquitto_broker.add_device("roma", "stray", Role.POS)
    told = production("doctor").out
    assert "mend: heard device sync" in told
    assert "mend: heard device rotate pos-1 --tenant roma" in told
    production.env["HEARD_ADMIN_SECRET"] = "wrong"
    assert "HEARD_ADMIN_SECRET" in _wrong(production)["administrator"]["mend"]


def test_services_that_do_not_run_or_may_not_log_in_are_named(
    heard: Heard, mosquitto_broker: PrivateMosquitto
) -> None:
    heard.env = {
        "HEARD_BROKER": "mosquitto",
        "HEARD_BROKER_PORT": str(mosquitto_broker.port),
        "HEARD_SERVICES_SECRET": mosquitto_broker.services.secret,
        "HEARD_ADMIN_SECRET": mosquitto_broker.admin.secret,
    }
    heard.done("db", "upgrade")
    assert _wrong(heard).keys() == {"services"}
    heard.env["HEARD_SERVICES_SECRET"] = "wrong"
    assert "services' login" in _wrong(heard)
    mosquitto_broker.stop()
    assert "start Mosquitto" in _wrong(heard)["broker"]["mend"]
