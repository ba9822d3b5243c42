"""A till shows how each kind of order is taken, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from devices.channels_view import ChannelsView
from schemas.envelope import encode, service_source
from schemas.identifiers import new_id
from schemas.kitchen_pace import ChannelState, Intake
from schemas.orders import OrderKind

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def said(channel: OrderKind, intake: Intake) -> ChannelState:
    return ChannelState(channel=channel, intake=intake, quoted_s=0, load=0, why="snow", since=AT)


def told(view: ChannelsView, state: ChannelState, *, topic: str | None = None) -> None:
    payload = encode(state, id=new_id(), source=service_source("roma"), time=AT)
    view.receive(topic or state.topic(tenant="roma"), payload)


def test_each_kind_is_shown_as_it_was_told_last_and_gone_with_its_house() -> None:
    view = ChannelsView("roma")
    told(view, said(OrderKind.DELIVERY, Intake.PAUSED))
    told(view, said(OrderKind.TAKEAWAY, Intake.STRETCHED))
    told(view, said(OrderKind.DELIVERY, Intake.OPEN))
    assert {each: state.intake for each, state in view.channels.items()} == {
        OrderKind.DELIVERY: Intake.OPEN,
        OrderKind.TAKEAWAY: Intake.STRETCHED,
    }
    topic = said(OrderKind.DELIVERY, Intake.OPEN).topic(tenant="roma")
    assert view.owns(topic)
    assert not view.owns("heard/v1/roma/state/menu/burger")
    view.receive(topic, b"")
    assert list(view.channels) == [OrderKind.TAKEAWAY]


def test_what_speaks_of_another_kind_than_its_topic_is_not_shown() -> None:
    view = ChannelsView("roma")
    topic = said(OrderKind.TAKEAWAY, Intake.OPEN).topic(tenant="roma")
    with pytest.raises(ValueError, match="it speaks of delivery"):
        told(view, said(OrderKind.DELIVERY, Intake.PAUSED), topic=topic)
    assert not view.channels
