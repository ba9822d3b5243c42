"""Many devices at once, and once more after an interruption."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from broker_config.settings import BrokerAddress, BrokerLogin
from tests.cli.conftest import Heard
from tests.mqtt_client import MqttClient

AT = ("--tenant", "roma")


def test_many_devices_come_in_by_a_file_and_a_second_time_none(
    stack: Heard, tmp_path: Path
) -> None:
    stack.done("tenant", "add", "roma")
    file, out = tmp_path / "devices.csv", tmp_path / "secrets.json"
    lines = [f"pos-{number},pos," for number in range(60)] + ["grill-1,kitchen-display,grill"]
    file.write_text("device,role,station\n" + "\n".join(lines[:40]) + "\n")
    assert stack.done("device", "import", str(file), *AT, "--out", str(out), "--json").json[
        "added"
    ] == 40  # fmt: skip
    file.write_text("device,role,station\n" + "\n".join(lines) + "\n")
    told = stack.done("device", "import", str(file), *AT, "--out", str(out), "--json").json
    assert (told["added"], told["already_there"]) == (21, 40)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    secrets = json.loads(out.read_text())
    findings = stack.done("doctor", "--json").json
    port = next(each["says"] for each in findings if each["what"] == "broker").split(":")[2]
    address = BrokerAddress(port=int(port.split()[0]))
    for name in ("pos-0", "pos-59", "grill-1"):
        with MqttClient(address, BrokerLogin(username=f"roma:{name}", secret=secrets[name])):
            pass
    (held,) = stack.done("audit", "verify", *AT, "--json").json
    assert held["entries"] >= 61


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,role\npos-1,pos\n", "device and role"),
        ("device,role\npos-1,chef\n", "line 2: 'chef' is no role"),
        ("device,role\npos-1,pos\nPOS 2,pos\n", "line 3: 'POS 2' is no name"),
        ("device,role\npos-1,pos\npos-1,pos\n", "line 3: pos-1 stands there twice"),
        ("device,role\npos-1,service\n", "'service' is no role"),
    ],
)
def test_of_a_file_with_a_wrong_line_nobody_comes_in(
    heard: Heard, tmp_path: Path, text: str, says: str
) -> None:
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    file, out = tmp_path / "devices.csv", tmp_path / "secrets.json"
    file.write_text(text)
    ended = heard("device", "import", str(file), *AT, "--out", str(out))
    assert ended.code == 1
    assert says in ended.complaint
    assert not out.exists()
    assert heard.done("device", "list", *AT, "--json").json == []
