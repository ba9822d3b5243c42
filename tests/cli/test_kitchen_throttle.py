"""`heard kitchen throttle`: a kind of order is stopped by hand, says why, and is taken again."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Heard
from tests.cli.restaurant import AT, open_restaurant


def test_a_channel_is_paused_says_why_and_is_resumed(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    throttle = ("kitchen", "throttle")
    nothing = embedded.done(*throttle, "show", *AT)
    assert "every kind of order is taken" in nothing.err
    asked = (*throttle, "pause", "delivery", *AT, "--for", "20m", "--why", "two cooks are ill")
    assert embedded.done(*asked, "--json").json["intake"] == "paused"
    [shown] = [
        each
        for each in embedded.done(*throttle, "show", *AT, "--json").json
        if each["channel"] == "delivery"
    ]
    assert (shown["intake"], shown["by_hand"]) == ("paused", True)
    assert "two cooks are ill" in shown["why"]
    assert "paused by hand" in embedded.done(*throttle, "show", *AT).out
    refused = roma.refused("place", "burger", "--kind", "delivery", "--address", "Via Roma 1")
    assert refused.startswith("channel-paused: ")
    assert "two cooks are ill" in refused
    resumed = embedded.done(*throttle, "resume", "delivery", *AT, "--json").json
    assert resumed["intake"] == "open"
    roma.place("burger", "--kind", "delivery", "--address", "Via Roma 1")
