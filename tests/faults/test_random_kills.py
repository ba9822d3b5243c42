"""Whatever dies, whenever: every order once, every display right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.ending import must_be_right
from tests.faults.evening import Evening
from tests.faults.ground import Ground, footing
from tests.faults.plan import draw


@pytest.mark.timeout(600)
def test_every_order_is_kept_once_and_every_display_is_right_whatever_dies(
    seed: int,
    ground: Ground,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    plan = draw(seed)
    record_property("seed", seed)
    record_property("suffered", {})
    record_property("stack", plan.stack.value)
    record_property("orders", len(plan.orders))
    with (
        footing(plan.stack, ground, tmp_path, pays_first=plan.pays_first) as standing,
        Evening(
            standing, plan.orders, seed=seed, crashes=plan.crashes, servers=plan.servers
        ) as evening,
    ):
        try:
            evening.play(plan.faults)
            must_be_right(evening, wire_is_whole=plan.wire_is_whole)
        except AssertionError as error:
            error.add_note(f"{plan}\nrepeat it: .venv/bin/pytest tests/faults --seed {seed}")
            raise
        finally:
            record_property("suffered", dict(evening.suffered()))
