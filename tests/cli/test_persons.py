"""People from the command line; no password where anybody reads it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pyotp
import pytest

from broker_config.settings import BrokerAddress, BrokerLogin
from tests.brokers import PrivateMosquitto
from tests.cli.conftest import Ended, Heard, until
from tests.mqtt_client import ConnectionRefused, MqttClient
from tests.patience import PATIENCE_S

PASSWORD = "quiet lemon staircase"
ADA = ("ada", "--tenant", "roma")
Typed = Callable[..., Ended]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Run a command that reads lines from standard input."""

    def run(heard: Heard, *arguments: str, lines: tuple[str, ...] = (PASSWORD,)) -> Ended:
        text = "".join(f"{line}\n" for line in lines)
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdin", io.StringIO(text))
            return heard(*arguments, "--password-stdin")

    return run


def running(heard: Heard) -> dict[str, object]:
    found: dict[str, object] = json.loads((heard.home / "run.json").read_text())
    return found


@pytest.fixture
def peopled(embedded: Heard, typed: Typed) -> Heard:
    embedded.done("tenant", "add", "roma")
    added = typed(embedded, "person", "add", *ADA, "--role", "manager", "--name", "Ada Lovelace")
    assert added.code == 0, added.err
    return embedded


def test_heard_up_tells_where_its_gateway_answers(embedded: Heard) -> None:
    url = str(running(embedded)["gateway"])
    assert httpx.get(f"{url}/healthz").json()["status"] == "ok"


def test_a_person_logs_in_changes_and_leaves(peopled: Heard, typed: Typed) -> None:
    address = BrokerAddress(port=int(str(running(peopled)["port"])))
    told = typed(peopled, "person", "login", *ADA, "--json").json
    assert (told["role"], told["device_role"]) == ("manager", "manager")
    login = BrokerLogin(username=told["username"], secret=told["token"])
    with MqttClient(address, login) as screen:
        peopled.done("person", "role", *ADA, "--role", "waiter")
        screen.wait_until_gone()
    (listed,) = peopled.done("person", "list", "--tenant", "roma", "--json").json
    assert (listed["person"], listed["name"], listed["role"]) == ("ada", "Ada Lovelace", "waiter")
    peopled.done("person", "disable", *ADA)
    assert "wrong" in typed(peopled, "person", "login", *ADA).complaint
    peopled.done("person", "enable", *ADA)
    other = ("another fine sentence",)
    assert typed(peopled, "person", "password", *ADA, lines=other).code == 0
    assert typed(peopled, "person", "login", *ADA).code == 1
    told = typed(peopled, "person", "login", *ADA, "--json", lines=other).json
    assert told["device_role"] == "pos"
    peopled.done("person", "remove", *ADA)
    assert peopled.done("person", "list", "--json").json == []
    assert peopled("person", "remove", *ADA).complaint == "there is no person roma/ada"
    with pytest.raises(ConnectionRefused), MqttClient(address, login):
        pass
    entries = peopled.done("audit", "show", "--tenant", "roma", "--json").json
    assert {each["action"] for each in entries} >= {
        "person.added",
        "login.succeeded",
        "person.role-changed",
        "person.disabled",
        "person.enabled",
        "person.password-changed",
        "person.removed",
    }


def test_without_json_a_login_prints_the_token_and_nothing_else(
    peopled: Heard, typed: Typed
) -> None:
    ended = typed(peopled, "person", "login", *ADA)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", ended.out)
    assert "renewed at most until" in ended.err
    assert ended.out.strip() not in ended.err


def test_an_app_is_asked_for_codes_and_reset_when_it_is_lost(peopled: Heard, typed: Typed) -> None:
    told = peopled.done("person", "totp", *ADA, "--json").json
    assert told["uri"].startswith("otpauth://totp/")
    assert "code" in typed(peopled, "person", "login", *ADA).complaint
    code = pyotp.TOTP(told["secret"]).now()
    assert typed(peopled, "person", "login", *ADA, lines=(PASSWORD, code)).code == 0
    assert typed(peopled, "person", "login", *ADA, lines=(PASSWORD, code)).code == 1
    (listed,) = peopled.done("person", "list", "--json").json
    assert listed["code"] is True
    assert told["secret"] not in json.dumps(listed)
    peopled.done("person", "totp", *ADA, "--off")
    assert typed(peopled, "person", "login", *ADA).code == 0


def test_an_operator_belongs_to_no_restaurant_and_works_in_any(
    peopled: Heard, typed: Typed
) -> None:
    assert typed(peopled, "person", "add", "olga", "--operator").code == 0
    told = typed(
        peopled, "person", "login", "olga", "--operator", "--tenant", "roma", "--json"
    ).json
    assert (told["tenant"], told["role"]) == ("roma", "operator")
    (listed,) = peopled.done("person", "list", "--operator", "--json").json
    assert (listed["tenant"], listed["person"]) == ("-", "olga")
    peopled.done("person", "remove", "olga", "--operator")


def test_keys_are_listed_and_changed_by_hand(peopled: Heard, typed: Typed) -> None:
    assert peopled.done("person", "keys", "list", "--json").json == []
    first = typed(peopled, "person", "login", *ADA, "--json").json
    (key,) = peopled.done("person", "keys", "list", "--json").json
    said = peopled.done("person", "keys", "rotate").out
    newest, oldest = peopled.done("person", "keys", "list", "--json").json
    assert said == f"{newest['kid']} signs from now on\n"
    assert oldest["kid"] == key["kid"]
    assert oldest["retires_at"] is not None
    url = str(running(peopled)["gateway"])
    assert {each["kid"] for each in httpx.get(f"{url}/v1/keys").json()["keys"]} == {
        newest["kid"], oldest["kid"],
    }  # fmt: skip
    kept = httpx.get(f"{url}/v1/me", headers={"Authorization": f"Bearer {first['token']}"})
    assert kept.status_code == 200


_IMPOSSIBLE = (
    (("person", "add", "bob", "--role", "cook"), (PASSWORD,), "--tenant NAME, or --operator"),
    (("person", "add", "bob", "--role", "cook", "--tenant", "roma", "--operator"),
     (PASSWORD,), "--tenant NAME, or --operator"),
    (("person", "add", "bob", "--tenant", "roma"), (PASSWORD,), "--role"),
    (("person", "add", "bob", "--operator", "--role", "cook"), (PASSWORD,), "--role"),
    (("person", "add", "bob", "--tenant", "roma", "--role", "cook"), ("short",), "at least 10"),
    (("person", "add", "bob", "--tenant", "roma", "--role", "cook"), ("",), "no password"),
    (("person", "add", "bob", "--tenant", "napoli", "--role", "cook"), (PASSWORD,),
     "there is no tenant napoli: heard tenant list"),
    (("person", "add", *ADA, "--role", "cook"), (PASSWORD,), "roma/ada already"),
    (("person", "login", *ADA), ("not the password",), "name, password or code is wrong"),
    (("person", "login", *ADA, "--url", "http://127.0.0.1:1"), (PASSWORD,), "does not answer"),
    (("person", "login", *ADA, "--url", "http://192.0.2.1"), (PASSWORD,), "without TLS"),
)  # fmt: skip


def test_what_cannot_be_done_is_said_in_one_line(peopled: Heard, typed: Typed) -> None:
    for arguments, lines, complaint in _IMPOSSIBLE:  # none of them changes anything
        ended = typed(peopled, *arguments, lines=lines)
        assert ended.code != 0, arguments
        assert complaint in ended.complaint, arguments
        assert not lines[0] or lines[0] not in ended.err, arguments


def test_where_nobody_can_be_asked_a_password_is_not_waited_for(peopled: Heard) -> None:
    ended = peopled("person", "password", *ADA)
    assert "--password-stdin" in ended.complaint


def test_a_password_is_asked_for_twice_and_seen_by_nobody(peopled: Heard) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "person", "add", "bob", "--tenant", "roma",
         "--role", "cook"],
        cwd=peopled.home, env=peopled.environment(), stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    listed = []
    for asking in (b"Password: ", b"confirmation: "):
        seen += _read_until(ours, asking)
        listed.append(Path(f"/proc/{process.pid}/cmdline").read_bytes())
        listed.append(Path(f"/proc/{process.pid}/environ").read_bytes())
        os.write(ours, PASSWORD.encode() + b"\n")
    seen += _read_until(ours, b"may log in")
    assert process.wait(PATIENCE_S) == 0, seen
    os.close(ours)
    assert PASSWORD.encode() not in seen
    assert not any(PASSWORD.encode() in each for each in listed)
    people = peopled.done("person", "list", "--json").out
    assert '"bob"' in people
    assert PASSWORD not in people


def _read_until(terminal: int, words: bytes) -> bytes:
    said = b""
    deadline = time.monotonic() + PATIENCE_S
    while words not in said:
        readable, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert readable, said
        said += os.read(terminal, 4096)
    return said


def test_a_second_heard_on_the_usual_port_takes_another_and_a_named_one_is_not_shared(
    peopled: Heard, tmp_path: Path
) -> None:
    port = str(running(peopled)["gateway"]).rpartition(":")[2]
    other = Heard(tmp_path / "other", {"HEARD_GATEWAY_PORT": port})
    ended = other("--broker-port", "0", "up", "--for", "1s")
    assert ended.code == 1
    assert f"port {port} is in use" in ended.complaint
    off = Heard(tmp_path / "off", {"HEARD_GATEWAY": "false"})
    assert off("--broker-port", "0", "up", "--for", "1s").code == 0


def test_a_gateway_for_other_machines_needs_a_certificate(tmp_path: Path) -> None:
    heard = Heard(tmp_path / "home", {"HEARD_GATEWAY_HOST": "192.0.2.1"})
    ended = heard("--broker-port", "0", "up", "--for", "1s")
    assert "heard tls init" in ended.complaint


def test_with_certificates_in_the_home_folder_the_gateway_speaks_tls(
    tmp_path: Path, typed: Typed
) -> None:
    heard = Heard(tmp_path / "home")
    heard.done("tls", "init")
    with heard.running("--broker-port", "0", "up") as process:
        until(lambda: (heard.home / "run.json").exists() or process.poll() is not None, "it is up")
        assert str(running(heard)["gateway"]).startswith("https://127.0.0.1:")
        heard.done("tenant", "add", "roma")
        assert typed(heard, "person", "add", *ADA, "--role", "manager").code == 0
        assert typed(heard, "person", "login", *ADA, "--json").json["person"] == "ada"


def test_heard_serve_answers_too_and_says_where(
    tmp_path: Path, mosquitto_broker: PrivateMosquitto, postgresql_url: str, typed: Typed
) -> None:
    heard = Heard(
        tmp_path / "home",
        {
            "HEARD_BROKER": "mosquitto",
            "HEARD_BROKER_PORT": str(mosquitto_broker.port),
            "HEARD_DATABASE": postgresql_url,
            "HEARD_SERVICES_SECRET": mosquitto_broker.services.secret,
            "HEARD_ADMIN_SECRET": mosquitto_broker.admin.secret,
            "HEARD_GATEWAY_PORT": "0",
        },
    )
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    assert typed(heard, "person", "add", *ADA, "--role", "manager").code == 0
    with heard.running("serve") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"answering at (http://\S+);", line):
                break
        else:
            pytest.fail("it did not say where it answers")
        told = typed(heard, "person", "login", *ADA, "--url", found[1], "--json").json
        login = BrokerLogin(username=told["username"], secret=told["token"])
        with MqttClient(mosquitto_broker.address, login) as screen:
            heard.done("person", "disable", *ADA)
            screen.wait_until_gone()
