from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.devices.stage import Broker, Responder


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as running:
        yield running


@pytest.fixture
def responder(broker: Broker) -> Iterator[Responder]:
    with Responder(broker) as answering:
        yield answering


@pytest.fixture
def outbox_file(tmp_path: Path) -> Callable[[], Path]:
    numbers = itertools.count(1)
    return lambda: tmp_path / f"device-{next(numbers)}.outbox"
