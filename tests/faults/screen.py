"""A child: a kitchen display that hears what it shows, as a process of its own.

``python -m tests.faults.screen JSON``, with the fields of `Screen`. It says ``ready`` when it
is online, and runs until it is killed.
"""

from __future__ import annotations

import sys
import threading

from pydantic import BaseModel, ConfigDict

from devices.kitchen_display import KitchenDisplay
from tests.faults.mortal import die_with

READY = "ready"


class Screen(BaseModel):
    """What the display needs to know."""

    model_config = ConfigDict(frozen=True)

    parent: int
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


if __name__ == "__main__":
    wanted = Screen.model_validate_json(sys.argv[1])
    die_with(wanted.parent)
    show(wanted)
