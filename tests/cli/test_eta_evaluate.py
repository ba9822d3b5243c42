"""`heard eta evaluate`: on real deliveries, and on files as they come."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from cli.eta_files import DeliveryFile, read_deliveries
from services.delivery.learning.errors import errors
from services.delivery.learning.orders import day_number, day_of
from services.delivery.learning.walk_forward import walk
from services.runtime.moment import system_clock
from tests.cli.conftest import Heard
from tests.conftest import SharedData
from tests.rules.eta_town import BEGINS, Town

REAL: Final = "delivery/wolt_helsinki_2020.csv"
PUBLISHED: Final = {
    "estimate": (7.26, 15.0, 0.70),
    "median_7_days": (8.38, 17.0, -0.11),
    "linear_7_days": (8.04, 16.0, 0.26),
    "linear_14_days_and_venue": (7.86, 15.7, 0.15),
}
"""What comes with the data: mean absolute error, P90 and bias, from 15 August on."""
HEADS: Final = [
    "placed_at",
    "item_count",
    "user_lat",
    "user_lon",
    "venue_lat",
    "venue_lon",
    "estimated_min",
    "actual_min",
]


def rows_of_a_town(days: int = 12) -> list[dict[str, str]]:
    """A town's orders as rows of a file: venues on a line, guests to the north of them."""
    orders = Town(days=days, orders_a_day=25).orders(21)
    degree_m = 111_195.0
    return [
        {
            "placed_at": (BEGINS + timedelta(seconds=orders.at_s[n] - orders.at_s[0])).isoformat(),
            "item_count": f"{orders.items[n]:.0f}",
            "user_lat": f"{50 + orders.distance_m[n] / degree_m:.6f}",
            "user_lon": f"{8 + orders.venue[n] / 100:.3f}",
            "venue_lat": "50.000",
            "venue_lon": f"{8 + orders.venue[n] / 100:.3f}",
            "estimated_min": f"{orders.took_min[n] + 3:.0f}",
            "actual_min": f"{orders.took_min[n]:.0f}",
        }
        for n in range(len(orders))
    ]


def write(path: Path, rows: list[dict[str, str]], heads: Sequence[str] = HEADS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, heads, extrasaction="ignore")
        out.writeheader()
        out.writerows(rows)
    return path


# -- real deliveries ---------------------------------------------------------------------------


def test_real_orders_are_told_nearer_than_the_platform_told_them(
    heard: Heard, shared_data: SharedData
) -> None:
    told = heard.done("eta", "evaluate", str(shared_data.file(REAL)), "--json").json
    assert (told["n"], told["from"], told["to"], told["days"]) == (
        9784,
        "2020-08-15",
        "2020-09-15",
        32,
    )
    assert told["mae"] < 7.0
    assert 0.87 <= told["p90_coverage"] <= 0.93
    assert told["without_today"]["mae"] < 7.26
    assert 0.87 <= told["without_today"]["p90_coverage"] <= 0.93
    found = told["baselines"]
    assert found.keys() == PUBLISHED.keys()
    for name, (mae, p90, bias) in PUBLISHED.items():
        each = found[name]
        assert (f"{each['mae']:.2f}", f"{each['p90_error']:.1f}", f"{each['bias']:+.2f}") == (
            f"{mae:.2f}",
            f"{p90:.1f}",
            f"{bias:+.2f}",
        )
        assert each["n"] == 9784
        assert told["mae"] < each["mae"]
        assert told["p90_error"] < each["p90_error"]
    assert told["file"] == {"orders": 13761, "missing": {}, "odd": {}, "odd_examples": {}}


def test_it_is_as_good_whichever_the_first_day_is(shared_data: SharedData) -> None:
    read = read_deliveries(shared_data.file(REAL))
    orders = read.orders
    told = walk(orders, int(orders.day[0]))
    for text in ("2020-08-06", "2020-08-10", "2020-08-22", "2020-09-01", "2020-09-08"):
        on = orders.day >= day_number(date.fromisoformat(text))
        mine = errors(told.p50_min[on], orders.took_min[on])
        theirs = errors(read.estimated_min[on], orders.took_min[on])
        assert mine is not None
        assert theirs is not None
        assert mine.mae < theirs.mae - 0.2, text
        assert 0.87 <= np.mean(orders.took_min[on] <= told.p90_min[on]) <= 0.93, text


# -- files as they come ------------------------------------------------------------------------


def test_what_is_told_for_people_stands_beside_the_baselines(heard: Heard, tmp_path: Path) -> None:
    file = write(tmp_path / "town.csv", rows_of_a_town())
    shown = heard.done("eta", "evaluate", str(file), "--from", "2026-03-10")
    lines = [line.split("\t") for line in shown.out.splitlines()]
    assert lines[0] == ["minutes", "mean absolute error", "p90 error", "bias", "p90 holds"]
    assert [line[0] for line in lines[1:7]] == [
        "heard",
        "heard, from the days before alone",
        "the platform's own estimate",
        "7-day median",
        "7-day linear in km",
        "14-day linear in km, with venue",
    ]
    assert lines[3][1:4] == ["3.00", "3.0", "+3.00"]
    assert float(lines[1][1]) < float(lines[4][1])
    assert lines[7] == [f"{_n(rows_of_a_town(), '2026-03-10')} orders from 2026-03-10 on"]
    assert shown.err == ""


def test_without_a_first_day_half_of_a_short_file_is_history(heard: Heard, tmp_path: Path) -> None:
    file = write(tmp_path / "town.csv", rows_of_a_town(days=6))
    told = heard.done("eta", "evaluate", str(file), "--json").json
    assert (told["from"], told["days"]) == ("2026-03-05", 3)


def test_rows_and_values_that_make_no_sense_are_named_and_the_rest_is_used(
    heard: Heard, tmp_path: Path
) -> None:
    rows = rows_of_a_town()
    whole = heard.done("eta", "evaluate", str(write(tmp_path / "a.csv", rows)), "--json").json
    odd: list[tuple[int, str, str]] = [
        (3, "placed_at", "yesterday"),
        (4, "placed_at", ""),
        (5, "placed_at", "1970-01-01T00:00:00"),
        (6, "actual_min", "-4"),
        (7, "actual_min", "soon"),
        (8, "actual_min", ""),
        (9, "actual_min", "0"),
        (10, "actual_min", "nan"),
        (11, "user_lat", "91"),
        (12, "venue_lon", "inf"),
        (13, "venue_lat", "0"),
        (13, "venue_lon", "0"),
        (14, "user_lat", "12.5"),
        (15, "item_count", "0"),
        (16, "item_count", ""),
        (17, "estimated_min", "later"),
        (18, "placed_at", f"{system_clock() + timedelta(days=3):%Y-%m-%dT%H:%M:%S}"),
    ]
    for row, column, value in odd:
        rows[row][column] = value
    file = write(tmp_path / "b.csv", rows)
    with file.open("a", encoding="utf-8") as more:
        more.write("2026-03-13T12:00:00,1\n")  # a line that was cut off
    told = heard.done("eta", "evaluate", str(file), "--json").json
    assert told["file"]["odd"] == {
        "actual_min": 4,
        "distance": 1,
        "item_count": 1,
        "placed_at": 4,
        "estimated_min": 1,
        "user_lat": 1,
        "venue_lat": 1,
        "venue_lon": 1,
    }
    assert told["file"]["missing"]["actual_min"] == 2
    assert told["file"]["missing"]["item_count"] == 1
    assert told["file"]["odd_examples"]["placed_at"][0] == "line 5: 'yesterday' is no moment"
    assert told["file"]["orders"] == len(rows) + 1 - 4
    assert told["mae"] == pytest.approx(whole["mae"], abs=0.3)
    shown = heard.done("eta", "evaluate", str(file))
    assert "actual_min: odd in 4 rows, taken as not known: line 8: '-4'" in shown.err
    assert "placed_at: odd in 4 rows, left out" in shown.err
    assert "item_count: missing in 1 row" in shown.err


def test_shuffled_rows_other_columns_and_a_missing_estimate_are_no_trouble(
    heard: Heard, tmp_path: Path
) -> None:
    rows = rows_of_a_town()
    whole = heard.done("eta", "evaluate", str(write(tmp_path / "a.csv", rows)), "--json").json
    np.random.default_rng(22).shuffle(rows)
    heads = [*reversed(HEADS), "weather"]
    heads.remove("estimated_min")
    told = heard.done("eta", "evaluate", str(write(tmp_path / "b.csv", rows, heads)), "--json").json
    assert told["mae"] == pytest.approx(whole["mae"], abs=1e-3)
    assert told["baselines"]["estimate"] is None
    assert "estimate" not in heard.done("eta", "evaluate", str(tmp_path / "b.csv")).out


def test_half_of_the_values_may_be_missing(shared_data: SharedData, tmp_path: Path) -> None:
    with shared_data.file(REAL).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [each for each in rows if each["placed_at"] < "2020-08-20"]
    draw = np.random.default_rng(23)
    for row in rows:
        for column in HEADS[1:]:
            if draw.random() < (0.5 if column != "actual_min" else 0.2):
                row[column] = ""
    read = read_deliveries(write(tmp_path / "holes.csv", rows))
    assert sum(read.missing.values()) > 2 * len(rows)
    mine, in_time = _judged(read)
    assert mine < 8.4
    assert 0.85 <= in_time <= 0.95


def _judged(read: DeliveryFile) -> tuple[float, float]:
    orders = read.orders
    told = walk(orders, int(orders.day[0]) + 7)
    took = orders.took_min[orders.day >= orders.day[0] + 7]
    found = errors(told.p50_min, took)
    assert found is not None
    known = ~np.isnan(took)
    return found.mae, float(np.mean(took[known] <= told.p90_min[known]))


# -- what cannot be done -----------------------------------------------------------------------


@pytest.fixture
def complaint(heard: Heard, tmp_path: Path) -> Callable[..., str]:
    def of(*arguments: str, file: str = "town.csv") -> str:
        ended = heard("eta", "evaluate", str(tmp_path / file), *arguments)
        assert ended.code != 0
        assert ended.out == ""
        return ended.complaint

    return of


def test_a_day_with_nothing_before_it_or_after_it_is_refused(
    complaint: Callable[..., str], tmp_path: Path
) -> None:
    write(tmp_path / "town.csv", rows_of_a_town(days=4))
    begins = "begins on 2026-03-02: --from must be 2026-03-03 or later"
    assert begins in complaint("--from", "2026-03-02")
    assert begins in complaint("--from", "1999-01-01")
    assert "ends on 2026-03-05: --from must not be later" in complaint("--from", "2026-03-06")
    assert "'tomorrow' is no day: write 2024-05-01" in complaint("--from", "tomorrow")


def test_a_file_that_is_none_is_refused_in_a_line(
    complaint: Callable[..., str], tmp_path: Path
) -> None:
    rows = rows_of_a_town(days=3)
    write(tmp_path / "columns.csv", rows, ["placed_at", "item_count", "user_lat", "user_lon"])
    assert "has no column venue_lat, venue_lon, actual_min" in complaint(file="columns.csv")
    assert "does not exist" in complaint(file="nowhere.csv")
    (tmp_path / "empty.csv").touch()
    assert "has no column placed_at" in complaint(file="empty.csv")
    write(tmp_path / "heads.csv", [])
    assert "has no row that says when" in complaint(file="heads.csv")
    write(tmp_path / "one.csv", [each for each in rows if each["placed_at"] < "2026-03-03"])
    assert "has one day only" in complaint(file="one.csv")
    write(tmp_path / "blank.csv", [each | {"actual_min": ""} for each in rows])
    assert "no actual_min is known before 2026-03-03" in complaint(file="blank.csv")
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 2000)
    assert "bytes.csv" in complaint(file="bytes.csv")
    (tmp_path / "wide.csv").write_text(",".join(HEADS) + "\n" + '"' + "x" * 200_000 + '",1\n')
    assert "wide.csv, line 1: field larger" in complaint(file="wide.csv")


def _n(rows: list[dict[str, Any]], since: str) -> int:
    return sum(each["placed_at"] >= since for each in rows)


def test_days_are_counted_and_named_alike() -> None:
    assert str(day_of(day_number(BEGINS.date()))) == "2026-03-02"
