"""A house that is not there: one sentence, whatever was asked of it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Heard

_SENTENCE = "there is no tenant rmoa: heard tenant list"


@pytest.mark.parametrize(
    "asked",
    [
        "delivery list",
        "delivery link A1B2",
        "delivery show A1B2",
        "delivery assign A1B2 anna",
        "delivery report",
        "eta explain A1B2",
        "eta train",
        "explain order A1B2",
        "order show A1B2",
        "order history A1B2",
        "order list",
        "kitchen bump A1B2",
        "courier list",
        "track show",
        "device list",
        "device revoke pos-1",
        "limits set --device pos-1 --messages-per-s 50",
        "limits show",
        "person list",
        "person disable ada",
        "provider list",
        "quarantine list",
        "item show",
        "notify rules show",
        "tenant remove",
    ],
)
def test_a_mistyped_house_is_never_proposed_to_be_made(shared: Heard, asked: str) -> None:
    house = ("rmoa", "--yes") if asked == "tenant remove" else ("--tenant", "rmoa")
    refused = shared(*asked.split(), *house)
    assert refused.code == 1, refused.out
    assert refused.complaint == _SENTENCE
