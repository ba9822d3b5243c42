"""Every case runs once on each broker, with the witness beside it."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.abuse.attempts import ATTEMPTS, BROKERS, number_of
from tests.abuse.scene import Scene
from tests.abuse.stage import Stage, Stages
from tests.abuse.witness import Witness


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """The stages that the cases share."""
    shared = Stages(tmp_path_factory.mktemp("abuse"))
    yield shared
    shared.close()


@pytest.fixture(params=BROKERS)
def scene(
    request: pytest.FixtureRequest, stages: Stages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """One attempt, with the victim at work beside it."""
    attempt = ATTEMPTS[number_of(request.function.__name__)]
    if attempt.private:
        stage = Stage(request.param, tmp_path_factory.mktemp(f"abuse-{attempt.number}"))
    else:
        stage = stages.get(request.param)
    try:
        with stage.logging():
            witness = Witness(stage)
            try:
                witness.begin()
                yield (played := Scene(stage, witness, attempt))
                played.close()
            finally:
                witness.stop()
    finally:
        if attempt.private:
            stage.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Judge within the test itself: a verdict is a failure of the case, not of a fixture."""
    result = yield
    played = pyfuncitem.funcargs.get("scene")
    if isinstance(played, Scene):
        played.judge()
    return result
