"""Quantities on screens: four figures are enough, and nothing becomes another amount by it."""

from __future__ import annotations

import pytest

from cli.amounts import on_table
from cli.stock_words import read_quantity
from schemas.inventory import BaseUnit
from services.inventory.units import rounded


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (19_157_892, 19_160_000),
        (-9_337_512, -9_338_000),
        (99_995, 100_000),
        (9_999, 9_999),
        (0, 0),
    ],
)
def test_a_screen_shows_four_figures(amount: int, shown: int) -> None:
    assert rounded(amount) == shown


def test_what_is_piped_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert on_table(19_157_892, BaseUnit.GRAM) == "19.157892 kg"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert on_table(19_157_892, BaseUnit.GRAM) == "19.16 kg"


def test_a_quantity_beyond_belief_is_called_that() -> None:
    with pytest.raises(ValueError, match="more than a restaurant has"):
        read_quantity("99999999999999l")
    with pytest.raises(ValueError, match="is no quantity"):
        read_quantity("-12l")
