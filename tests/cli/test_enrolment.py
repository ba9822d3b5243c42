"""A device's first day, as its operator and the device itself see it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from broker_config.settings import BrokerAddress, BrokerLogin
from tests.cli.conftest import ROOT, Ended, Heard, until
from tests.mqtt_client import ConnectionRefused, MqttClient
from tests.patience import PATIENCE_S

AT = ("--tenant", "roma")


def _said_to(heard: Heard, text: str, *arguments: str) -> Ended:
    """A command that is told something on its standard input."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env=heard.environment(),
        input=text + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _invite(heard: Heard, name: str, role: str = "pos", *more: str) -> dict[str, str]:
    invited: dict[str, str] = heard.done(
        "device", "invite", name, *AT, "--role", role, "--json", *more
    ).json
    return invited


def _comes_in(path: Path) -> bool:
    known = json.loads(path.read_text())
    broker = BrokerAddress(host=known["broker"]["host"], port=known["broker"]["port"])
    login = BrokerLogin(username=known["username"], secret=known["secret"])
    try:
        with MqttClient(broker, login):
            return True
    except ConnectionRefused:
        return False


def test_a_device_is_invited_claims_its_place_and_is_put_out(
    embedded: Heard, tmp_path: Path
) -> None:
    embedded.done("tenant", "add", "roma")
    invited = _invite(embedded, "pos-1")
    file = tmp_path / "till" / "device.json"
    claimed = _said_to(
        embedded, invited["code"].lower(), "device", "claim", "--out", str(file), "--json"
    )
    assert claimed.code == 0, claimed.err
    assert (claimed.json["tenant"], claimed.json["device"]) == ("roma", "pos-1")
    secret = json.loads(file.read_text())["secret"]
    assert secret not in claimed.out + claimed.err, "the secret is on no screen"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert _comes_in(file)

    again = _said_to(embedded, invited["code"], "device", "claim", "--out", str(file))
    assert (again.code, "already" in again.complaint) == (1, True)
    other = tmp_path / "other.json"
    second = _said_to(embedded, invited["code"], "device", "claim", "--out", str(other))
    assert second.code == 1
    assert "opens nothing" in second.complaint

    embedded.done("device", "revoke", "pos-1", *AT)
    until(lambda: not _comes_in(file), "the revoked device stays out")
    did = [each["action"] for each in embedded.done("audit", "show", *AT, "--json").json]
    assert did == ["tenant.added", "device.invited", "device.claimed", "device.revoked"]
    (held,) = embedded.done("audit", "verify", *AT, "--json").json
    assert held["entries"] == 4
    embedded.done("audit", "verify", *AT, "--head", held["head"])
    assert embedded("audit", "verify", *AT, "--head", "0" * 64).code == 1
    leaked = embedded.done("audit", "show", *AT).out + embedded.done("device", "list").out
    assert secret not in leaked
    assert invited["code"] not in leaked


def test_a_device_asks_again_with_the_secret_that_it_wrote_down(
    embedded: Heard, tmp_path: Path
) -> None:
    embedded.done("tenant", "add", "roma")
    file = tmp_path / "device.json"
    away = _said_to(
        embedded, "7KQ4-M2XD", "device", "claim", "--gateway", "http://127.0.0.1:9", "--out",
        str(file),
    )  # fmt: skip
    assert away.code == 1
    assert "cannot be reached" in away.complaint
    kept = json.loads(file.read_text())["secret"]
    wrong = _said_to(embedded, "7KQ4-M2XD", "device", "claim", "--out", str(file))
    assert "opens nothing" in wrong.complaint
    code = _invite(embedded, "pos-1")["code"]
    assert _said_to(embedded, code, "device", "claim", "--out", str(file)).code == 0
    assert json.loads(file.read_text())["secret"] == kept
    assert _comes_in(file)


def test_a_device_works_with_its_own_credentials(embedded: Heard, tmp_path: Path) -> None:
    embedded.done("tenant", "add", "roma")
    code = _invite(embedded, "scooter-1", "tracker")["code"]
    file, track = tmp_path / "scooter.json", tmp_path / "track.csv"
    assert _said_to(embedded, code, "device", "claim", "--out", str(file)).code == 0
    track.write_text("recorded_at,lat,lon\n2026-03-14T12:00:00Z,51.5,-0.1\n")
    ridden = embedded.done(
        "tracker", "run", "--credentials", str(file), "--file", str(track), "--json"
    )
    assert (ridden.json["sent"], ridden.json["unreadable"]) == (1, 0)
    assert ridden.json["vehicle"] == "scooter-1"
    listed = embedded.done("device", "list", *AT, "--json").json
    assert [each["device"] for each in listed] == ["scooter-1"]
    other = embedded(
        "kitchen", "watch", "--credentials", str(file), "--station", "grill", "--for", "1s"
    )
    assert "of a tracker" in other.complaint
    file.chmod(0o644)
    assert "chmod 600" in embedded(
        "tracker", "run", "--credentials", str(file), "--file", str(track)
    ).complaint  # fmt: skip


def test_an_invitation_can_be_taken_back_and_a_device_replaced(
    embedded: Heard, tmp_path: Path
) -> None:
    embedded.done("tenant", "add", "roma")
    code = _invite(embedded, "pos-1")["code"]
    embedded.done("device", "uninvite", "pos-1", *AT)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert _said_to(embedded, code, "device", "claim", "--out", str(first)).code == 1
    code = _invite(embedded, "pos-1")["code"]
    assert _said_to(embedded, code, "device", "claim", "--out", str(first)).code == 0
    taken = embedded("device", "invite", "pos-1", *AT, "--role", "pos")
    assert "--replace" in taken.complaint
    code = _invite(embedded, "pos-1", "pos", "--replace")["code"]
    assert _comes_in(first)
    assert _said_to(embedded, code, "device", "claim", "--out", str(second)).code == 0
    assert _comes_in(second)
    until(lambda: not _comes_in(first), "the replaced one is out")


def test_the_code_is_shown_with_a_picture_of_it_on_a_terminal_alone(embedded: Heard) -> None:
    embedded.done("tenant", "add", "roma")
    told = embedded.done("device", "invite", "pos-1", *AT, "--role", "pos")
    assert "code     " in told.out
    assert "gateway  http://127.0.0.1:" in told.out
    assert "█" not in told.out
