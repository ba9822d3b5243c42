from __future__ import annotations

from tests.cli.conftest import Heard

SHORT = ("--rate", "50", "--seconds", "1", "--rounds", "1", "--sustain-seconds", "1")


def test_a_bench_times_orders_against_a_floor_and_leaves_nothing_behind(stack: Heard) -> None:
    figures = stack.done("bench", "orders", *SHORT, "--sustain", "50", "--json").json
    expected = {
        "p50_ms",
        "p99_ms",
        "floor_p50_ms",
        "floor_p99_ms",
        "p50_ratio",
        "p99_ratio",
        "sustained_per_s",
        "lost",
        "duplicates",
    }
    assert expected <= figures.keys()
    assert (figures["lost"], figures["duplicates"], figures["rejected"]) == (0, 0, 0)
    assert figures["floor_p50_ms"] > 0
    assert figures["sustained_orders"] == 50
    assert stack.done("tenant", "list", "--json").json == []
    assert stack.done("device", "list", "--json").json == []


def test_the_floors_server_is_not_for_people(embedded: Heard) -> None:
    ended = embedded("bench", "floor-server", "nobody")
    assert (ended.code, ended.complaint) == (1, "`heard bench orders` starts this by itself")


def test_a_bench_of_a_kitchen_tells_how_large_the_kitchen_was(embedded: Heard) -> None:
    size = ("--stations", "6", "--open", "200", "--rounds", "1", "--seconds", "0.5")
    figures = embedded.done("bench", "kitchen", *size, "--json").json
    assert (figures["stations"], figures["open_tickets"], figures["all_day_lines"]) == (6, 200, 200)
