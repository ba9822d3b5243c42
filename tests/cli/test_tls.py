"""`heard tls`, and a Mosquitto that is rendered with what it made."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker_config.certificate_checks import check_server, look
from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.topics import Plane, plane_filter
from tests.cli.conftest import Heard, until
from tests.mqtt_client import MqttClient
from tests.patience import PATIENCE_S
from tests.ports import quiet_port
from tests.tls_broker import Certificates


@contextmanager
def mosquitto(directory: Path, port: int) -> Iterator[None]:
    """What `heard broker render mosquitto` wrote, running."""
    binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert binary, "`make test` brings Mosquitto"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "-c", str(directory / "mosquitto.conf")], stdout=log, stderr=log
        )

    def answers() -> bool:
        assert process.poll() is None, (directory / "log").read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        until(answers, "Mosquitto runs")
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_an_authority_and_a_certificate_are_made_once(heard: Heard) -> None:
    made = heard.done("tls", "init", "--host", "mqtt.example", "--host", "10.0.0.1", "--json").json
    folder = heard.home / "tls"
    assert [each["file"] for each in made] == [str(folder / "ca.crt"), str(folder / "server.crt")]
    assert made[1]["hosts"] == ["mqtt.example", "10.0.0.1"]
    check_server(
        folder / "server.crt", folder / "server.key", ca=folder / "ca.crt", host="10.0.0.1"
    )
    again = heard.done("tls", "init", "--host", "other.example", "--json")
    assert again.json == made
    assert "not for other.example: --renew" in again.err
    assert heard.done("tls", "show", "--json").json == made
    assert made[0]["sha256"] in heard.done("tls", "show").out


def test_renewing_keeps_the_authority_and_the_hosts(heard: Heard) -> None:
    before = heard.done("tls", "init", "--host", "mqtt.example", "--json").json
    after = heard.done("tls", "init", "--renew", "--days", "30", "--json").json
    assert after[0] == before[0]
    assert after[1]["hosts"] == ["mqtt.example"]
    assert after[1]["sha256"] != before[1]["sha256"]
    days = datetime.fromisoformat(after[1]["until"]) - datetime.now(UTC)
    assert timedelta(days=28) < days < timedelta(days=30)
    other = heard.done("tls", "init", "--renew", "--host", "new.example", "--json").json
    assert other[1]["hosts"] == ["new.example"]


def test_without_hosts_it_is_for_this_machine(heard: Heard, tmp_path: Path) -> None:
    made = heard.done("tls", "init", "--directory", str(tmp_path / "here"), "--json").json
    assert set(made[1]["hosts"]) == {"localhost", "127.0.0.1", "::1", socket.gethostname().lower()}
    assert not (heard.home / "tls").exists()


def test_a_client_certificate_is_made_for_a_device_or_for_the_services(
    heard: Heard, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert "heard tls init" in heard("tls", "client", "roma", "pos-1", "--out", str(out)).complaint
    heard.done("tls", "init")
    made = heard.done("tls", "client", "roma", "pos-1", "--out", str(out), "--json").json
    assert made["subject"] == "CN=roma:pos-1"
    assert {each.name for each in out.iterdir()} == {
        "ca.crt",
        "roma-pos-1.crt",
        "roma-pos-1.key",
    }
    assert (out / "roma-pos-1.key").stat().st_mode & 0o777 == 0o600
    assert heard.done("tls", "client", "roma", "pos-1", "--out", str(out), "--json").json == made
    renewed = heard.done(
        "tls", "client", "roma", "pos-1", "--out", str(out), "--renew", "--json"
    ).json
    assert renewed["sha256"] != made["sha256"]
    ours = heard.done("tls", "client", "--services", "--out", str(out), "--json").json
    assert ours["subject"] == "CN=heard-services"
    for wrong in (["roma"], ["roma", "pos-1", "--services"], []):
        assert heard("tls", "client", *wrong, "--out", str(out)).code == 2


def wrong_files(heard: Heard, tmp_path: Path) -> list[tuple[list[str], str]]:
    good = Certificates(tmp_path / "good", hosts=("mqtt.example",))
    other = Certificates(tmp_path / "other", hosts=("mqtt.example",))
    past = datetime.now(UTC) - timedelta(days=500)
    old = Certificates(tmp_path / "old", hosts=("mqtt.example",), now=past)
    cert, key = str(good.server.certificate), str(good.server.key)
    return [
        (["--certificate", cert], "both"),
        (["--certificate", cert, "--key", str(other.server.key)], "is not the key of"),
        (["--certificate", str(old.server.certificate), "--key", str(old.server.key)],
         "counted until"),
        (["--certificate", cert, "--key", key, "--listen", "wrong.example"],
         "not for wrong.example"),
        (["--certificate", cert, "--key", key, "--ca", str(other.ca)], "does not follow from"),
        (["--certificate", cert, "--key", key, "--mutual-tls"], "authority"),
        (["--certificate", str(heard.home), "--key", key], "directory"),
        (["--tls"], "run `heard tls init`"),
        (["--tls", "--certificate", cert, "--key", key], "--tls takes"),
        (["--listen", "10.0.0.1"], "--plaintext"),
        (["--limit", "max_size=3"], "NAME=NUMBER"),
        (["--limit", "max_connections=none"], "max_connections: "),
        (["--services-port", "1883"], "another"),
    ]  # fmt: skip


def test_files_that_devices_would_refuse_are_not_rendered(heard: Heard, tmp_path: Path) -> None:
    heard.done("db", "upgrade")
    directory = tmp_path / "mosquitto"
    for given, why in wrong_files(heard, tmp_path):
        ended = heard("broker", "render", "mosquitto", "--directory", str(directory), *given)
        assert ended.code in {1, 2}, given
        assert why in ended.complaint, given
    assert not directory.exists()


def test_what_is_asked_for_by_name_is_rendered(heard: Heard, tmp_path: Path) -> None:
    heard.done("db", "upgrade")
    heard.done("tls", "init")
    render = ("broker", "render", "mosquitto", "--directory", str(tmp_path / "mosquitto"))
    conf = tmp_path / "mosquitto" / "mosquitto.conf"

    def rendered(*given: str) -> list[str]:
        heard.done(*render, *given)
        return conf.read_text().splitlines()

    assert "listener 1883 10.0.0.1" in rendered("--listen", "10.0.0.1", "--plaintext")
    lines = rendered("--tls", "--mutual-tls", "--services-port", "1884", "--limit",
                     "max_connections=7")  # fmt: skip
    wanted = {
        "listener 8883 127.0.0.1",
        "listener 1884 127.0.0.1",
        "max_connections 7",
        "tls_version tlsv1.2",
        "require_certificate true",
        "use_identity_as_username false",
    }
    assert wanted <= set(lines)
    for name in ("server.key", "server.crt", "ca.crt"):
        copy = tmp_path / "mosquitto" / name
        assert copy.read_bytes() == (heard.home / "tls" / name).read_bytes()
        assert copy.stat().st_mode & 0o777 == 0o600


def test_another_machine_is_not_spoken_to_plainly(heard: Heard) -> None:
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    heard.env = {"HEARD_BROKER": "mosquitto", "HEARD_BROKER_HOST": "mqtt.invalid"}
    for command in (["serve"], ["tail", "--tenant", "roma"], ["device", "sync"]):
        complaint = heard(*command).complaint
        assert "mqtt.invalid is another machine" in complaint
        assert "--broker-tls" in complaint
        assert "HEARD_PLAINTEXT" in complaint
    assert "is another machine" not in heard("device", "sync", "--plaintext").err


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mutual-tls"])
def test_commands_services_and_devices_meet_over_tls(
    heard: Heard, tmp_path: Path, postgresql_url: str, mutual: bool
) -> None:
    """As the operators' page has it: five commands, and nothing else."""
    port, services_port = quiet_port(), quiet_port()
    directory = tmp_path / "mosquitto"
    heard.env = {
        "HEARD_BROKER": "mosquitto",
        "HEARD_BROKER_PORT": str(port),
        "HEARD_BROKER_TLS": "true",
        "HEARD_BROKER_CA": str(heard.home / "tls" / "ca.crt"),
        "HEARD_DATABASE": postgresql_url,
    }
    heard.done("db", "upgrade")
    heard.done("tls", "init")
    asked = ["--services-port", str(services_port), *(["--mutual-tls"] if mutual else [])]
    heard.done("broker", "render", "mosquitto", "--directory", str(directory), "--tls", *asked)
    if mutual:
        heard.done("tls", "client", "--services", "--out", str(tmp_path / "ours"))
        heard.env |= {
            "HEARD_BROKER_CERTIFICATE": str(tmp_path / "ours" / "heard-services.crt"),
            "HEARD_BROKER_KEY": str(tmp_path / "ours" / "heard-services.key"),
        }
    with mosquitto(directory, port), heard.running("serve"):
        until(lambda: well(heard), "the services serve over TLS")
        own_port = {"HEARD_BROKER_PORT": str(services_port), "HEARD_BROKER_TLS": "false"}
        assert well(Heard(heard.home, heard.env | own_port)), "the services' own port serves too"
        heard.done("tenant", "add", "roma")
        (tmp_path / "menu.csv").write_text("name,station,price\nBurger,grill,9.50\n")
        heard.done("menu", "import", str(tmp_path / "menu.csv"), "--tenant", "roma")
        placed = heard.done("order", "place", "--tenant", "roma", "burger=2", "--json").json
        assert placed["status"] == "accepted"
        added = heard.done(
            "device", "add", "pos-1", "--tenant", "roma", "--role", "pos", "--json"
        ).json
        login = BrokerLogin(username="roma:pos-1", secret=added["secret"])
        address: dict[str, Any] = {
            "port": port,
            "tls": True,
            "ca_file": heard.home / "tls" / "ca.crt",
        }
        if mutual:
            heard.done("tls", "client", "roma", "pos-1", "--out", str(tmp_path / "pos-1"))
            address["certificate"] = tmp_path / "pos-1" / "roma-pos-1.crt"
            address["key"] = tmp_path / "pos-1" / "roma-pos-1.key"
        with MqttClient(BrokerAddress(**address), login) as till:
            assert till.subscribe(plane_filter(Plane.REPLY, tenant="roma", tail="pos-1")) == 1


def well(heard: Heard) -> bool:
    """Whether the doctor finds nothing wrong."""
    return heard("doctor", "--json").code == 0


Wrong = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def wrong(heard: Heard) -> Wrong:
    """What the doctor finds wrong, by what it looked at."""

    def look_again(*arguments: str) -> dict[str, dict[str, Any]]:
        found = heard("doctor", "--json", *arguments).json
        return {each["what"]: each for each in found if each["ok"] is False}

    return look_again


def test_the_doctor_finds_certificates_that_expire(heard: Heard, wrong: Wrong) -> None:
    heard.done("db", "upgrade")
    heard.done("tls", "init", "--days", "20")
    assert "heard tls init --renew" in wrong()["certificates"]["mend"]
    heard.done("tls", "init", "--renew")
    assert "certificates" not in wrong()
    past = datetime.now(UTC) - timedelta(days=500)
    shutil.rmtree(heard.home / "tls")
    Certificates(heard.home / "tls", now=past)
    assert "expired" in wrong()["certificates"]["says"]
    heard.done("tls", "init", "--renew")
    (heard.home / "tls" / "server.key").write_bytes((heard.home / "tls" / "ca.key").read_bytes())
    assert "is not the key of" in wrong()["certificates"]["says"]
    heard.done("tls", "init")
    assert "certificates" not in wrong()


def test_the_doctor_looks_at_what_the_broker_shows(
    heard: Heard, wrong: Wrong, tmp_path: Path
) -> None:
    port = quiet_port()
    heard.env = {
        "HEARD_BROKER": "mosquitto",
        "HEARD_BROKER_PORT": str(port),
        "HEARD_BROKER_TLS": "true",
        "HEARD_BROKER_CA": str(heard.home / "tls" / "ca.crt"),
    }
    heard.done("db", "upgrade")
    heard.done("tls", "init", "--host", "localhost", "--days", "20")
    directory = tmp_path / "mosquitto"
    heard.done("broker", "render", "mosquitto", "--directory", str(directory), "--tls")
    with mosquitto(directory, port):
        heard.done("tls", "init", "--renew")
        # What stands in the folder is renewed; the broker was not told.
        facts = look(directory / "server.crt")
        found = wrong()["certificates"]
        assert f"mqtts://127.0.0.1:{port} shows counts until" in found["says"]
        assert facts.ends < datetime.now(UTC) + timedelta(days=30)
    heard.done("broker", "render", "mosquitto", "--directory", str(directory), "--tls")
    with mosquitto(directory, port):
        found = wrong()["certificates"]
        assert "not valid for '127.0.0.1'" in found["says"]
        heard.env["HEARD_BROKER_HOST"] = "localhost"
        assert "certificates" not in wrong()
        heard.env["HEARD_BROKER_CA"] = str(Certificates(tmp_path / "strangers").ca)
        assert "not believed" in wrong()["certificates"]["says"]
