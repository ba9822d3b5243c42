from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from broker_config.access import WARDEN_USERNAME
from broker_config.secret import derived_secret
from broker_config.settings import BrokerAddress, BrokerLogin
from cli.examination.certificates import look_at_way
from schemas.devices import Role
from schemas.dispatch import DispatchState
from schemas.topics import Plane, plane_filter
from tests.brokers import PrivateMosquitto
from tests.cli.conftest import Heard, until, up_beside
from tests.mqtt_client import MqttClient

STRONG = "LDVa5hkPEHpJm6eWFz0b1Yy3nKq8RtXuNcGsQoTiA_w"
"""As Heard makes them; the same in every process of a run."""


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


def test_a_house_whose_couriers_are_asked_by_themselves_is_well(stack: Heard) -> None:
    stack.done("tenant", "add", "roma")
    secret = stack.done(
        "device", "add", "office", "--tenant", "roma", "--role", "manager", "--json"
    ).json["secret"]
    stack.done("delivery", "rules", "set", "--tenant", "roma", "place=60.17,24.94")
    stack.done("delivery", "rules", "set", "--tenant", "roma", "automatic=true")
    address, _ = _as_services(stack)
    plan = DispatchState.route.topic(tenant="roma")
    with MqttClient(address, BrokerLogin(username="roma:office", secret=secret)) as office:
        office.subscribe(plan)
        office.until(plan)
    assert _wrong(stack) == {}


def test_secrets_that_others_may_read_are_named_and_mended(embedded: Heard) -> None:
    path = embedded.home / "services.secret"
    path.chmod(0o644)
    assert _wrong(embedded)["files"]["mend"] == f"chmod 600 {path}"
    assert _wrong(embedded, "--mend") == {}
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["seal.key", "tls/ca.key", "admin.secret", "demo.json"])
def test_every_secret_of_the_home_folder_is_guarded(heard: Heard, name: str) -> None:
    path = heard.home / name
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text("secret")
    path.chmod(0o640)
    assert _wrong(heard)["files"]["mend"] == f"chmod 600 {path}"
    heard("doctor", "--mend")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "files" not in _wrong(heard)


def test_a_home_in_which_others_may_read_orders_is_closed(heard: Heard) -> None:
    heard.done("db", "upgrade")
    outbox = heard.home / "outboxes" / "roma-pos-1.outbox"
    outbox.parent.mkdir()
    outbox.write_bytes(b"")
    assert "files" not in _wrong(heard)
    heard.home.chmod(0o755)
    assert _wrong(heard)["files"]["mend"] == f"chmod 700 {heard.home}"
    heard("doctor", "--mend")
    assert heard.home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("written", "counts"),
    [
        (f'services_secret = "{STRONG}"', True),
        ('database = "postgresql://heard:word@localhost/heard"', True),
        ('database = "postgresql://heard@localhost/heard"', False),
        ('log_level = "info"', False),
    ],
)
def test_settings_that_hold_a_secret_are_guarded_too(
    heard: Heard, written: str, counts: bool
) -> None:
    heard.home.mkdir(mode=0o700)
    path = heard.home / "heard.toml"
    path.write_text(written + "\n")
    path.chmod(0o644)
    heard.env["HEARD_DATABASE"] = f"sqlite:///{heard.home}/heard.db"
    found = heard("doctor", "--json").json
    named = [each for each in found if each["what"] == "files" and each["ok"] is False]
    assert [each["mend"] for each in named] == (["chmod 600 heard.toml"] if counts else [])


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("Password1!", "a word that everybody tries first"),
        ("a-secret-of-mine", "fewer than 32 characters"),
        ("abc" * 20, "repeats a few characters"),
        (STRONG, None),
    ],
)
def test_secrets_that_somebody_thought_up_are_named(
    heard: Heard, secret: str, why: str | None
) -> None:
    heard.env["HEARD_SERVICES_SECRET"] = secret
    found = _wrong(heard).get("secrets")
    assert (found is None) is (why is None)
    if found is not None and why is not None:
        assert "HEARD_SERVICES_SECRET" in found["says"]
        assert why in found["says"]
        assert "openssl rand" in found["mend"]
        assert secret not in heard("doctor").out


def test_a_password_of_the_database_that_everybody_tries_is_named(heard: Heard) -> None:
    heard.env["HEARD_DATABASE"] = "postgresql://heard:heard@127.0.0.1:1/heard"
    assert "database's password" in _wrong(heard)["secrets"]["says"]


def test_a_plain_way_to_another_machine_is_named(heard: Heard) -> None:
    heard.done("db", "upgrade")
    heard.env = {"HEARD_BROKER": "mosquitto", "HEARD_BROKER_HOST": "mqtt.invalid"}
    assert "HEARD_BROKER_TLS=true" in _wrong(heard)["plaintext"]["mend"]
    # Asked for by name, it is said all the same: here the machine is not another one.
    (found,) = look_at_way(BrokerAddress(host="mqtt.invalid", plaintext=True))
    assert found.ok is False
    assert "heard tls init" in str(found.mend)
    assert look_at_way(BrokerAddress()) == []


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
    with up_beside(heard):
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
    found: dict[str, Any] = {}

    def is_named() -> bool:
        # What the services tell of the new menu a moment later is told as the rows are by then.
        with sqlite3.connect(embedded.home / "heard.db") as rows:
            rows.execute("UPDATE menu_items SET price_minor = price_minor + 1")
        rows.close()
        found.update(_wrong(embedded).get("roma: retained", {}))
        return bool(found)

    until(is_named, "the wrong price to be seen")
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


def test_what_stands_retained_of_devices_that_nobody_knows_is_named_and_cleared(
    production: Heard,
) -> None:
    # The embedded broker lets nothing of the kind stand in the first place.
    stack = production
    stack.done("tenant", "add", "roma")
    secret = stack.done(
        "device", "add", "pos-1", "--tenant", "roma", "--role", "pos", "--json"
    ).json["secret"]
    address, services = _as_services(stack)
    presence = {
        name: plane_filter(Plane.PRESENCE, tenant=tenant, tail=device)
        for name, tenant, device in (
            ("known", "roma", "pos-1"),
            ("gone", "roma", "gone"),
            ("no tenant", "never-was", "pos-1"),
        )
    }
    with MqttClient(address, BrokerLogin(username="roma:pos-1", secret=secret)) as till:
        till.publish(presence["known"], b"{}", retain=True)

    def found() -> dict[str, Any] | None:
        # The services clear it too, once a minute: then it is left behind again.
        with MqttClient(address, services) as ours:
            for name in ("gone", "no tenant"):
                ours.publish(presence[name], b"left behind", retain=True)
        return _wrong(stack).get("retained of devices")

    until(
        lambda: (
            (told := found()) is not None
            and told["says"].startswith("2 messages stand that nobody owns, as ")
            and told["mend"] == "heard doctor --mend"
        ),
        "what was left behind is found",
    )
    assert re.search(
        "2 messages that nobody owned were cleared|all that stands is somebody's",
        stack("doctor", "--mend").out,
    )
    # What they said was no presence, and is kept for whoever looks into it.
    until(lambda: _wrong(stack).keys() == {"quarantine"}, "nothing else is wrong")
    with MqttClient(address, services) as ours:
        for topic in presence.values():
            ours.subscribe(topic)
        ours.publish(presence["gone"], b"marker")
        stood = ours.until(presence["gone"], b"marker")
    assert [each.topic for each in stood if each.retain] == [presence["known"]]


def _as_services(heard: Heard) -> tuple[BrokerAddress, BrokerLogin]:
    """The warden's account: the services' own is in use, and may be connected once."""
    secret = heard.env.get("HEARD_SERVICES_SECRET")
    if secret is None:
        secret = (heard.home / "services.secret").read_text().strip()
    port = heard.env.get("HEARD_BROKER_PORT")
    if port is None:
        port = json.loads((heard.home / "run.json").read_text())["port"]
    login = BrokerLogin(username=WARDEN_USERNAME, secret=derived_secret(secret, WARDEN_USERNAME))
    return BrokerAddress(port=int(port)), login


def test_a_gateway_that_should_answer_and_does_not_is_found(embedded: Heard) -> None:
    findings = {each["what"]: each for each in embedded.done("doctor", "--json").json}
    assert findings["gateway"]["ok"] is True
    run = embedded.home / "run.json"
    told = json.loads(run.read_text())
    run.write_text(json.dumps(told | {"gateway": "http://127.0.0.1:9"}))
    findings = {each["what"]: each for each in embedded("doctor", "--json").json}
    assert findings["gateway"]["ok"] is False
    assert "does not answer" in findings["gateway"]["says"]
