"""A child: a kitchen display that hears what it shows, as a process of its own.

`live` takes the fields of `Screen` as JSON. It says ``ready`` when it
is online, and runs until it is killed.
"""

from __future__ import annotations

import threading

from pydantic import BaseModel, ConfigDict

from devices.kitchen_display import KitchenDisplay

READY = "ready"


class Screen(BaseModel):
    """What the display needs to know."""

    model_config = ConfigDict(frozen=True)

    port: int
    tenant: str
    device: str
    secret: str
    station: str
    heartbeat_s: float


def show(given: Screen) -> None:
    """Show the station, for ever."""
    with KitchenDisplay(
        "127.0.0.1",
        given.port,
        station=given.station,
        tenant=given.tenant,
        device=given.device,
        secret=given.secret,
        heartbeat_s=given.heartbeat_s,
    ) as display:
        display.wait_online()
        print(READY, flush=True)
        threading.Event().wait()


def live(given: str) -> None:
    """Be such a process."""
    show(Screen.model_validate_json(given))
