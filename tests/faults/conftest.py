"""Fault runs: how many, from which seed, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.faults.ground import Ground
from tests.nursery import nursery

SHORT_SET = 6
"""How many seeds a plain `make test` takes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seed", type=int, default=None, help="take this one seed of the random fault runs"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        config = metafunc.config
        one: int | None = config.getoption("seed", default=None)
        runs: int = config.getoption("--runs") or SHORT_SET
        metafunc.parametrize("seed", range(runs) if one is None else [one])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell in one line what the seeded runs were, and in one each what failed."""
    told: list[tuple[bool, float, dict[str, Any]]] = [
        (report.passed, report.duration, dict(report.user_properties))
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and "seed" in dict(report.user_properties)
    ]
    if not told:
        return
    suffered: Counter[str] = Counter()
    stacks: Counter[str] = Counter()
    for _, _, properties in told:
        suffered.update(properties["suffered"])
        stacks[properties["stack"]] += 1
    wrong = sorted(properties["seed"] for passed, _, properties in told if not passed)
    orders = sum(properties["orders"] for _, _, properties in told)
    mean = sum(seconds for _, seconds, _ in told) / len(told)
    terminalreporter.section("faults")
    terminalreporter.line(
        f"{len(told)} seeded runs ({_listed(stacks)}): {len(told) - len(wrong)} right, "
        f"{len(wrong)} wrong; {orders} orders, {suffered.total()} faults, {mean:.1f} s a run"
    )
    terminalreporter.line(_listed(suffered))
    for seed in wrong:
        terminalreporter.line(f"repeat it: .venv/bin/pytest tests/faults --seed {seed}")


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {times}" for name, times in counted.most_common())


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No child of a test outlives it."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    left = {each for each in left if each.pid != nursery().pid}
    assert not left, f"still running: {left}"


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """What the worker's fault runs share."""
    shared = Ground(tmp_path_factory.mktemp("ground"))
    yield shared
    shared.close()
