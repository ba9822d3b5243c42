"""What the docs say of positions is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from services.tracking.limits import BY_MODE
from services.tracking.verdicts import COMPLAINTS, USED, Verdict

TEXT = (Path(__file__).parent.parent.parent / "docs" / "positions.md").read_text()


def rows(first_cell: str) -> list[list[str]]:
    """The cells of the table whose rows begin so."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT.splitlines()
        if re.match(rf"\| {first_cell} \|", line)
    ]


def test_every_verdict_is_told_as_it_is() -> None:
    for verdict in Verdict:
        ((_, _, moves, told),) = rows(f"`{verdict.word}`")
        assert moves == ("yes" if verdict in USED else "no")
        assert bool(told) == (verdict in COMPLAINTS)


def test_the_limits_are_told_as_they_are() -> None:
    for mode, limits in BY_MODE.items():
        ((_, *told),) = rows(mode.value)
        figures = (limits.most_mps, limits.restless, limits.accuracy_m, limits.still_m)
        assert [float(each) for each in told] == list(figures)
