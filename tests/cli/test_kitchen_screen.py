"""The whole screen of `heard kitchen watch`, drawn as a terminal draws it."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from rich.console import Console

from cli.kitchen_screen import StationScreen, counted
from devices.all_day import Count
from devices.kitchen_display import KitchenDisplay
from schemas.alerts import Alert, AlertKind, AlertState, Audience, Severity
from schemas.envelope import encode, service_source
from schemas.identifiers import new_id
from schemas.kitchen import HoldReason, StationHead, Ticket, TicketStatus
from schemas.menu import Component
from tests.devices.station_model import page, ticket


def now() -> datetime:
    """The time of a test, and not of the run's beginning: what waits long is shown as late."""
    return datetime.now(UTC)


@pytest.fixture
def display() -> Iterator[KitchenDisplay]:
    """A display that is never connected: the test tells it what has arrived."""
    with_nobody = KitchenDisplay(
        "127.0.0.1", 1, tenant="roma", device="kds-1", secret="x", station="grill"
    )
    yield with_nobody
    with_nobody.close()


def told(display: KitchenDisplay, *tickets: Ticket, **head: object) -> None:
    """A snapshot, and a beat."""
    now = time.monotonic()
    view = display._view
    view.connected(now)
    ask = view.ask(now)
    assert ask is not None
    view.page(ask, page(9, *tickets), now)
    said = {"station": "grill", "sequence": 9, "open": len(tickets), "every_s": 60} | head
    view.beat(StationHead.model_validate(said), now)
    display._all_day.take(view.take_changes())


def shown(
    display: KitchenDisplay, *, merge: bool = True, width: int = 130, height: int = 40
) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    screen = StationScreen(display, console, hears=False, merge=merge)
    with console.capture() as drawn:
        console.print(screen)
    return drawn.get()


def test_it_shows_the_queue_the_counts_the_work_and_what_is_wrong(display: KitchenDisplay) -> None:
    line = (
        ticket(1, sequence=1)
        .lines[0]
        .model_copy(update={"components": (Component(component="patty", quantity=2),)})
    )
    cooking = ticket(1, sequence=1, status=TicketStatus.STARTED).model_copy(
        update={
            "placed_at": now(),
            "lines": (line, line.model_copy(update={"line": 2})),
        }
    )
    held = ticket(2, sequence=2, status=TicketStatus.HELD).model_copy(
        update={"placed_at": now(), "held_for": HoldReason.COURSE, "course": 2}
    )
    told(display, held, cooking, work_s=61, closed="no fan")
    alert = Alert(
        alert="unheard-grill",
        kind=AlertKind.UNHEARD,
        severity=Severity.CRITICAL,
        audience=Audience.STATION,
        to="grill",
        about="grill",
        text="nobody hears the grill",
        raised_at=now(),
    )
    state = AlertState(alert_id=alert.alert, alert=alert)
    payload = encode(state, id=new_id(), source=service_source("roma"), time=now())
    display._alerts.receive(state.topic(tenant="roma"), payload)
    drawn = shown(display)
    for text in (
        "CURRENT   1 to make   1 held   2 min of work   CLOSED: no fan",
        "ALERT unheard-grill: nobody hears the grill",
        "all day: Burger 2 +1 held",
        "made of: patty 4",
        "2 x Burger",
        "waits for the course before",
        "only looking",
    ):
        assert text in drawn, drawn
    assert drawn.index("cooking") < drawn.index("HELD")
    assert shown(display, merge=False).count("1 x Burger") == 3


def test_a_screen_that_is_not_connected_says_so_and_shows_no_more_than_fits(
    display: KitchenDisplay,
) -> None:
    many = [ticket(n, sequence=n).model_copy(update={"placed_at": now()}) for n in range(1, 10)]
    told(display, *many)
    assert "and " not in shown(display)
    more = [ticket(n, sequence=n).model_copy(update={"placed_at": now()}) for n in range(1, 40)]
    told(display, *more)
    drawn = shown(display)
    assert "and 15 more" in drawn
    assert drawn.count("x Burger") == 24
    assert len(drawn.splitlines()) <= 40
    display._view.disconnected()
    assert "DO NOT TRUST THIS SCREEN" in shown(display)


def test_an_ordinary_terminal_shows_four_tickets_and_never_less_than_one(
    display: KitchenDisplay,
) -> None:
    told(
        display,
        *(ticket(n, sequence=n).model_copy(update={"placed_at": now()}) for n in range(1, 5)),
    )
    drawn = shown(display, width=80, height=24)
    assert drawn.count("x Burger") == 4
    assert "more" not in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    assert shown(display, width=80, height=6).count("x Burger") == 2
    assert "and 3 more" in shown(display, width=40, height=6)


def test_long_counts_end_with_how_many_more_there_are() -> None:
    counts = [Count(f"item-{n}", f"Item {n}", 9 - n, n % 2) for n in range(10)]
    assert counted(counts[:2]) == "Item 0 9, Item 1 8 +1 held"
    assert counted([Count("burger", "Burger", 0, 1)]) == "Burger 1 held"
    assert counted(counts).endswith("Item 7 2 +1 held and 2 more")


def test_a_station_that_was_never_used_is_current_and_says_that_nothing_came_yet(
    display: KitchenDisplay,
) -> None:
    now = time.monotonic()
    display._view.connected(now)
    ask = display._view.ask(now)
    assert ask is not None
    display._view.page(ask, page(0), now)
    assert "CURRENT   no tickets yet at this station" in shown(display)
    display._view.disconnected()
    assert "no tickets yet" not in shown(display)
