"""Children that are forked are processes as any: they die as told, and share nothing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import BaseModel

from schemas.identifiers import new_id
from services.orders.handlers import _ordinals
from tests.children import Child
from tests.nursery import Nursery
from tests.system import until


class Given(BaseModel):
    """What the child of these tests does."""

    do: str


def live(given: str) -> None:
    """Be that child."""
    match Given.model_validate_json(given).do:
        case "tell":
            told = os.environ.get("HEARD_TOLD")
            print(os.getpid(), os.getpgid(0), new_id(), told, _ordinals.next())
            os.environ["HEARD_TOLD"] = "by another child"
        case "leave":
            sys.exit(3)
        case "fail":
            raise RuntimeError("a fault of the child")
        case "wait":
            print("waiting", flush=True)
            threading.Event().wait()


Begin = Callable[[str], Child]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    begun: list[Child] = []

    def beginning(do: str) -> Child:
        begun.append(
            Child("tests.house.test_nursery", Given(do=do), tmp_path / f"{len(begun)}.log")
        )
        return begun[-1]

    yield beginning
    for each in begun:
        each.kill()


def test_each_child_is_a_process_of_its_own_with_ids_of_its_own(begin: Begin) -> None:
    children = [begin("tell") for _ in range(4)]
    until(lambda: all(each.ended is not None for each in children), "their ends")
    told = [each.last_words().split() for each in children]
    assert [(each[0], each[1]) for each in told] == [(str(c.pid), str(c.pid)) for c in children]
    assert len({each[2][-20:] for each in told}) == 4, "what is drawn by chance"
    assert len({each[4] for each in told}) == 4, "how two lives in one second number their orders"
    assert {each[3] for each in told} == {"None"}, "what one does to itself no other sees"


def test_how_a_child_ended_is_told(begin: Begin) -> None:
    left, failed, killed, stopped = (begin(do) for do in ("leave", "fail", "wait", "wait"))
    for each in (killed, stopped):
        until(lambda each=each: each.has_said("waiting"), "its beginning")  # type: ignore[misc]  # bound as it is now
    killed.kill()
    assert stopped.stop() == -15
    until(lambda: None not in (left.ended, failed.ended), "their ends")
    assert (left.ended, failed.ended, killed.ended) == (3, 1, -9)
    assert "RuntimeError: a fault of the child" in failed.last_words()


def test_a_child_that_is_stalled_lives_on(begin: Begin) -> None:
    child = begin("wait")
    until(lambda: child.has_said("waiting"), "its beginning")
    child.stall()
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED, "its standstill")
    assert child.ended is None
    child.resume()
    until(lambda: psutil.Process(child.pid).status() != psutil.STATUS_STOPPED, "its going on")
    assert child.ended is None


def test_no_child_outlives_the_nursery(tmp_path: Path) -> None:
    ours, log = Nursery(), tmp_path / "log"
    pid = ours.begin("tests.house.test_nursery", Given(do="wait").model_dump_json(), log)
    child = psutil.Process(pid)
    until(lambda: log.exists() and "waiting" in log.read_text(), "its beginning")
    ours.close()
    until(lambda: not child.is_running(), "its end")
