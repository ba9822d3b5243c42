"""What the pause of deliveries asks of the worker: see `services.runtime.intake`."""

from __future__ import annotations

from schemas.message import Request


class LookAtDeliveries(
    Request, type="heard.inside.look-at-deliveries.v1", topic="inside/look-at-deliveries"
):
    """Deliveries would rather be paused now, or taken again: look, and say so."""
