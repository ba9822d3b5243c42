"""A screen shows what is wrong where it stands, while it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from devices.alerts_view import AlertsView
from schemas.alerts import Alert, AlertKind, AlertState, Audience, Severity
from schemas.envelope import encode, service_source
from schemas.identifiers import new_id

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def said(name: str, to: str = "grill", *, minutes: int = 0, critical: bool = False) -> AlertState:
    alert = Alert(
        alert=name,
        kind=AlertKind.UNHEARD,
        severity=Severity.CRITICAL if critical else Severity.LOW,
        audience=Audience.STATION,
        to=to,
        about="grill",
        text="nobody hears",
        raised_at=AT + timedelta(minutes=minutes),
    )
    return AlertState(alert_id=name, alert=alert)


def told(view: AlertsView, state: AlertState, *, topic: str | None = None) -> None:
    payload = encode(state, id=new_id(), source=service_source("roma"), time=AT)
    view.receive(topic or state.topic(tenant="roma"), payload)


def test_only_its_own_alerts_stand_on_a_screen_the_critical_ones_first() -> None:
    view = AlertsView("roma", mine=frozenset({"grill", "kds-1"}))
    told(view, said("late", minutes=1))
    told(view, said("early"))
    told(view, said("fry", to="fry"))
    told(view, said("worst", to="kds-1", minutes=2, critical=True))
    assert [each.alert for each in view.alerts] == ["worst", "early", "late"]
    every = AlertsView("roma")
    told(every, said("fry", to="fry"))
    assert len(every.alerts) == 1


def test_an_alert_is_gone_when_it_is_cleared_and_doubted_after_a_connection() -> None:
    view = AlertsView("roma")
    told(view, said("one"))
    told(view, said("two"))
    view.receive(said("one").topic(tenant="roma"), b"")
    assert [each.alert for each in view.alerts] == ["two"]
    view.connected()
    assert view.alerts == []


def test_an_alert_that_is_for_somebody_else_by_now_is_gone_here() -> None:
    view = AlertsView("roma", mine=frozenset({"grill"}))
    told(view, said("silent-kds-1"))
    told(view, said("silent-kds-1", to="fry"))
    assert view.alerts == []


def test_an_alert_under_another_name_is_refused() -> None:
    view = AlertsView("roma")
    with pytest.raises(ValueError, match="it speaks of one"):
        told(view, said("one"), topic=said("two").topic(tenant="roma"))
    assert view.owns(said("one").topic(tenant="roma"))
    assert not view.owns("heard/v1/roma/state/kitchen/grill")
