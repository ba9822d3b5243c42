"""What the documents say of the code is what the code says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.catalogue import MESSAGES
from schemas.refusals import RefusalCode
from tests.house.generate_docs import ROOT, UnknownBlock, documents, refusals, renewed, topics


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_the_generated_parts_of_a_document_are_current(path: Path) -> None:
    text = path.read_text()
    assert text == renewed(text), f"{path.relative_to(ROOT)} is stale: run `make docs`"


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_generated_part_begins_and_ends(path: Path) -> None:
    text = path.read_text()
    assert text.count("<!-- generated: ") == text.count("<!-- end -->")


def test_a_stale_block_is_written_anew_and_its_surroundings_are_kept() -> None:
    text = "before\n<!-- generated: order-states -->\nold\n<!-- end -->\nafter\n"
    new = renewed(text)
    assert new.startswith("before\n<!-- generated: order-states -->\n\n```mermaid\nstateDiagram-v2")
    assert new.endswith("\n```\n\n<!-- end -->\nafter\n")
    assert renewed(new) == new


def test_a_block_that_nothing_generates_is_an_error() -> None:
    with pytest.raises(UnknownBlock, match="no-such-thing"):
        renewed("<!-- generated: no-such-thing -->\n<!-- end -->")


def test_the_tables_hold_every_message_and_every_refusal() -> None:
    assert topics().count("\n") == len(MESSAGES) + 1
    assert refusals().count("\n") == len(RefusalCode) + 1
