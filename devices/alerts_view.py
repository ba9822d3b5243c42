"""What is wrong, as far as a screen is told: pure."""

from __future__ import annotations

from typing import Final

from schemas.alerts import Alert, AlertState, Severity
from schemas.envelope import envelope_of


class AlertsView:
    """The alerts that stand, from retained messages: each is cleared when it is over.

    Args:
        tenant: the restaurant.
        mine: the stations and devices whose alerts are shown; None shows all.
    """

    def __init__(self, tenant: str, *, mine: frozenset[str] | None = None) -> None:
        self.filter: Final = AlertState.route.filter(tenant=tenant)
        self._prefix: Final = self.filter.removesuffix("+")
        self._mine: Final = mine
        self._alerts: dict[str, Alert] = {}

    @property
    def alerts(self) -> list[Alert]:
        """What stands: critical first, then by age."""
        return sorted(self._alerts.values(), key=_by_urgency)

    def connected(self) -> None:
        """What is retained arrives from now on; what was cleared meanwhile does not."""
        self._alerts.clear()

    def owns(self, topic: str) -> bool:
        """Whether a topic is an alert's."""
        return topic.startswith(self._prefix)

    def receive(self, topic: str, payload: bytes) -> None:
        """An alert's state has arrived, or was cleared.

        Raises:
            ValueError: it is none, or another than its topic names.
        """
        name = AlertState.route.parse(topic)["alert_id"]
        if not payload:
            self._alerts.pop(name, None)
            return
        alert = envelope_of(AlertState).model_validate_json(payload).data.alert
        if alert.alert != name:
            raise ValueError(f"it speaks of {alert.alert}")
        if self._mine is None or alert.to in self._mine:
            self._alerts[name] = alert
        else:  # it may have been ours, and is somebody else's now
            self._alerts.pop(name, None)


def _by_urgency(alert: Alert) -> tuple[object, ...]:
    return alert.severity is not Severity.CRITICAL, alert.raised_at, alert.alert
