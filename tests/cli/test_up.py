from __future__ import annotations

import json
import re
import signal
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Heard, until, up


def test_the_demo_in_a_fresh_home_places_keeps_and_hears_orders_and_so_again(
    heard: Heard,
) -> None:
    for _ in range(2):
        told = heard.done(
            "up", "--demo", "--for", "5s", "--rate", "120", "--json", "--broker-port", "0"
        ).json
        assert told["orders_placed"] > 0
        assert told["orders_kept"] == told["orders_placed"] == told["orders_heard"]
        assert told["orders_refused"] == told["orders_unanswered"] == 0
        assert told["total_minor"] > 0
    assert not (heard.home / "run.json").exists()
    for name in ("demo.json", "services.secret"):
        assert (heard.home / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_ends_gracefully_when_told_to(heard: Heard, number: signal.Signals) -> None:
    with up(heard, "--demo") as process:
        until(
            lambda: heard("order", "list", "--tenant", "demo", "--json").out.count("number") > 0,
            "an order was placed",
        )
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert re.search(r"\d orders? placed", out), out
        assert "Traceback" not in err
    assert not (heard.home / "run.json").exists()


def test_a_second_up_in_the_same_home_says_who_holds_it(embedded: Heard) -> None:
    refused = embedded("up", "--broker-port", "0")
    assert refused.code == 1
    running = json.loads((embedded.home / "run.json").read_text())
    assert f"process {running['pid']}" in refused.complaint


def test_what_a_killed_up_left_behind_misleads_nobody(heard: Heard) -> None:
    with up(heard) as process:
        process.kill()
        process.communicate()
    assert (heard.home / "run.json").exists()
    heard.done("db", "version")
    refused = heard("order", "place", "--tenant", "demo", "burger")
    assert refused.code == 1
    assert "heard up" in refused.complaint
    with up(heard):
        assert heard.done("tenant", "list").code == 0


def test_a_port_that_is_taken_is_named(embedded: Heard, tmp_path: Path) -> None:
    taken = json.loads((embedded.home / "run.json").read_text())["port"]
    other = Heard(tmp_path / "other")
    refused = other("up", "--broker-port", str(taken), "--for", "1s")
    assert refused.code == 1
    assert "port" in refused.complaint


def test_serve_without_a_broker_says_what_to_do(heard: Heard) -> None:
    refused = heard("serve")
    assert refused.code == 1
    assert "heard up" in refused.complaint


def test_of_commands_that_come_and_go_the_log_tells_only_who_was_really_put_out(
    heard: Heard,
) -> None:
    with up(heard, "--log-format", "json") as process:
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
        reading.start()
        heard.done("tenant", "add", "roma")
        heard.done("station", "set", "grill", "hands=2", "--tenant", "roma")
        heard.done("station", "close", "grill", "--tenant", "roma", "--patience", "30s")
        with heard.running("kitchen", "watch", "--tenant", "roma", "--station", "grill"):
            until(lambda: _online(heard), "the watcher is in")
            [visitor] = _online(heard)
            heard.done("device", "revoke", "--tenant", "roma", visitor)
            until(lambda: any(visitor in line for line in lines), "it is told of")
        process.send_signal(signal.SIGTERM)
        reading.join(timeout=60)
    told = [json.loads(line) for line in lines if line.startswith("{")]
    put_out = [each["client"] for each in told if each["event"] == "put out"]
    assert put_out == [f"roma:{visitor}"]


def _online(heard: Heard) -> list[str]:
    known = heard.done("device", "list", "--tenant", "roma", "--json").json
    return [each["device"] for each in known if each["status"] == "online"]
