"""A task that runs beside others: its fault is its own, a lost database everybody's."""

from __future__ import annotations

import pytest

from services.runtime.rounds import begun_again


class Failing:
    """A task that ends so, one life after the other."""

    def __init__(self, *ends: Exception | None) -> None:
        self.ends = list(ends)
        self.lives = 0

    async def run(self) -> None:
        self.lives += 1
        end = self.ends.pop(0)
        if end is not None:
            raise end


async def test_a_task_that_fails_is_begun_again_until_the_database_is_away() -> None:
    task = Failing(ValueError("ours"), None, ExceptionGroup("ours", [KeyError()]), OSError("away"))
    with pytest.raises(OSError, match="away"):
        await begun_again(task.run, pause_s=0.001)
    assert task.lives == 4


async def test_it_is_waited_longer_each_time() -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    task = Failing(*(ValueError("ours") for _ in range(9)), OSError("away"))
    with pytest.raises(OSError, match="away"):
        await begun_again(task.run, sleep=wait)
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]
