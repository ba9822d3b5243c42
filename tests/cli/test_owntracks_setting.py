"""A phone with OwnTracks comes in with what is written for it, and may say what it will say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker_config.access import Identity, may_publish
from schemas.catalogue import locate
from schemas.devices import Role
from schemas.foreign_positions import OWNTRACKS_TOPICS, OwnTracksBeside, OwnTracksSaid
from tests.cli.conftest import Heard


def credentials(path: Path, role: Role = Role.TRACKER) -> Path:
    known = {
        "tenant": "roma",
        "device": "scooter-1",
        "role": role.value,
        "username": "roma:scooter-1:2",
        "client_id": "roma:scooter-1",
        "secret": "open-sesame",
        "broker": {"host": "broker.example", "port": 8883, "tls": True},
    }
    path.write_text(json.dumps(known))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(("mode", "monitoring"), [("move", 2), ("significant", 1)])
def test_a_phone_is_told_who_it_is_and_where_it_may_speak(
    heard: Heard, tmp_path: Path, mode: str, monitoring: int
) -> None:
    file = credentials(tmp_path / "scooter-1.json")
    heard.done("tracker", "owntracks", "--credentials", str(file), "--mode", mode)
    path = tmp_path / "scooter-1.otrc"
    assert path.stat().st_mode & 0o077 == 0, "it holds a secret"
    written = json.loads(path.read_text())
    assert written["_type"] == "configuration"
    assert (written["host"], written["port"], written["tls"]) == ("broker.example", 8883, True)
    assert (written["username"], written["password"]) == ("roma:scooter-1:2", "open-sesame")
    assert written["clientId"] == "roma:scooter-1"
    assert written["monitoring"] == monitoring
    # The broker takes nothing from a device that is to stand there.
    assert (written["pubRetain"], written["willRetain"], written["sub"]) == (False, False, False)
    base = written["pubTopicBase"]
    assert locate(base).message is OwnTracksSaid
    phone = Identity("roma", "scooter-1", Role.TRACKER)
    for below in OWNTRACKS_TOPICS:
        assert locate(f"{base}/{below}").message is OwnTracksBeside
        assert may_publish(phone, f"{base}/{below}")
    assert may_publish(phone, base)


def test_what_is_no_tracker_is_no_phone_of_a_courier(heard: Heard, tmp_path: Path) -> None:
    file = credentials(tmp_path / "pos.json", Role.POS)
    refused = heard("tracker", "owntracks", "--credentials", str(file))
    assert "is of a pos, not of a tracker" in refused.complaint
    assert not (tmp_path / "pos.otrc").exists()
