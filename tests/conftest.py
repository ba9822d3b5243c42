"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

pytest_plugins = ["tests.servers"]
if (ROOT / "tests" / "brokers.py").exists():
    # In this order: a module is made ready for asserts before another imports it.
    pytest_plugins += ["tests.brokers", "tests.running"]

# On a busy machine time says nothing about the code: no deadlines, and nothing is too slow. In
# CI the same examples each time: a failure there must be one that this change made.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _PATIENT)
settings.register_profile("ci", _PATIENT, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--runs",
        type=int,
        default=None,
        metavar="N",
        help="seeded runs of each random fault test (default: the test's own short set)",
    )


@pytest.fixture
def fault_runs(request: pytest.FixtureRequest) -> int | None:
    """How many seeded runs were asked for; None for the test's own short set."""
    runs: int | None = request.config.getoption("--runs")
    return runs


class SharedData:
    """The folder of real data sets, which is not part of this repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str) -> Path:
        """The path of one file, as ``orders/uk_takeaway.csv``.

        A machine without the folder is a user's: the test is skipped there. A folder
        without the file is a mistake: the test fails.
        """
        if not self.folder.is_dir():
            pytest.skip(f"no real data on this machine: {self.folder} is not there")
        path = self.folder / name
        if not path.exists():
            pytest.fail(f"{self.folder} is there, but has no {name}", pytrace=False)
        return path


@pytest.fixture(scope="session")
def shared_data() -> SharedData:
    """Real data sets, beside the repository or where HEARD_SHARED_DATA says."""
    given = os.environ.get("HEARD_SHARED_DATA")
    return SharedData(Path(given) if given else ROOT.parent / "shared" / "data")
