"""Naming in a house's rules who a bridge speaks for."""

from __future__ import annotations

import click
import pytest
from pydantic import ValidationError

from cli.commands.delivery_rules import BOOK
from schemas.delivery_rules import DeliveryRules
from schemas.positions import TravelMode


def test_a_vehicle_is_named_with_its_bridge_and_what_it_is() -> None:
    rules = BOOK.changed(DeliveryRules(), ["vehicles.van-2=vans/8600/7", "vehicles.van-2.mode=car"])
    van = rules.vehicles["van-2"]
    assert (van.name, van.device, van.below, van.mode) == (
        "van-2", "vans", "8600/7", TravelMode.CAR,
    )  # fmt: skip
    # It moves to another bridge, and is what it was.
    moved = BOOK.changed(rules, ["vehicles.van-2=others/1"]).vehicles["van-2"]
    assert (moved.device, moved.below, moved.mode) == ("others", "1", TravelMode.CAR)
    assert BOOK.changed(rules, ["vehicles.van-2="]).vehicles == {}


def test_what_is_no_vehicle_or_no_mode_is_named() -> None:
    with pytest.raises(click.BadParameter, match=r"vehicles.van-2=DEVICE/BELOW"):
        BOOK.changed(DeliveryRules(), ["vehicles.van-2.mode=car"])
    with pytest.raises(click.BadParameter, match=r"vehicles.van-2.mode"):
        BOOK.changed(DeliveryRules(), ["vehicles.van-2=vans/7", "vehicles.van-2.colour=red"])
    with pytest.raises(ValidationError, match="mode"):
        BOOK.changed(DeliveryRules(), ["vehicles.van-2=vans/7", "vehicles.van-2.mode=balloon"])
