"""The table in ``docs/security.md`` holds every attempt, and what its case has shown."""

from __future__ import annotations

import importlib
import inspect

import pytest

from tests.abuse.attempts import BROKERS, LIST, TITLES, Misdeclared, attempt, gather, table
from tests.house.generate_docs import ROOT


def test_each_of_the_eighty_attempts_is_declared_for_each_broker() -> None:
    declared = gather()
    assert len(TITLES) == sum(len(titles) for titles in LIST.values()) == 80
    assert list(declared) == list(range(1, 81))
    for one in declared.values():
        assert set(one.outcomes) == set(BROKERS)
        assert all(one.outcomes.values())


def test_every_case_plays_in_a_scene_and_none_is_skipped() -> None:
    for one in gather().values():
        module = importlib.import_module(one.module)
        case = getattr(module, one.case)
        assert list(inspect.signature(case).parameters) == ["scene"], one.case
        assert not getattr(case, "pytestmark", []), one.case


def test_the_document_says_of_every_attempt_what_its_case_declares() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    assert table() in text
    for number, title in enumerate(TITLES, start=1):
        assert f"\n| {number} | {title} | " in text


def test_a_case_that_is_not_declared_as_it_is_named_is_an_error() -> None:
    def test_09_something(scene: object) -> None:
        raise AssertionError(scene)

    with pytest.raises(Misdeclared, match="attempt 8"):
        attempt(8, both="x")(test_09_something)
    with pytest.raises(Misdeclared, match="mosquitto"):
        attempt(9, embedded="x")(test_09_something)
