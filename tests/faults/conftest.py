"""Fault runs: how many, from which seed, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from tests.faults.ground import Ground

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


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No child of a test outlives it."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert not left, f"still running: {left}"


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """What the worker's fault runs share."""
    shared = Ground(tmp_path_factory.mktemp("ground"))
    yield shared
    shared.close()
