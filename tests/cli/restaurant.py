"""A small restaurant for tests of commands: a menu, and a kitchen that cooks when asked to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from devices.kitchen_display import KitchenDisplay
from schemas.identifiers import new_id
from schemas.kitchen import TicketStatus
from tests.cli.conftest import Ended, Heard, until
from tests.patience import PATIENCE_S

TENANT = "roma"
AT = ("--tenant", TENANT)
MENU = """
currency: GBP
items:
  - item: burger
    name: Burger
    station: grill
    price: 9.50
    allergens: [gluten]
    groups:
      - name: Doneness
        modifiers: [Rare, Well done]
      - name: Side
        modifiers:
          - name: Fries
            price: 2.50
            groups: [{name: Sauces, most: 3, modifiers: [{name: Aioli, price: 0.50}]}]
      - name: Toppings
        most: 4
        modifiers: [{name: Bacon, price: 1.80}]
  - {name: Fries, station: fry, price: 3.95}
  - {name: Cola, station: bar, price: 3.00, allergens: [caffeine]}
"""
STATIONS = ("grill", "fry", "bar")


@dataclass(frozen=True)
class Restaurant:
    """`heard` beside services that run, with one restaurant open."""

    heard: Heard
    tenant: str = TENANT

    @property
    def at(self) -> tuple[str, str]:
        """What says of which restaurant a command speaks."""
        return "--tenant", self.tenant

    def order(self, *arguments: str) -> Ended:
        """Run a command of `heard order`, however it ends."""
        return self.heard("order", *arguments, *self.at)

    def done(self, *arguments: str) -> Any:
        """Run a command of `heard order` that must succeed; gives its JSON."""
        return self.heard.done("order", *arguments, *self.at, "--json").json

    def refused(self, *arguments: str) -> str:
        """Run a command of `heard order` that must be refused; gives its one line."""
        ended = self.order(*arguments)
        assert ended.code == 1, (arguments, ended.out, ended.err)
        return ended.complaint

    def place(self, *arguments: str) -> Any:
        """Place an order; gives its receipt."""
        return self.done("place", *arguments)

    def shown(self, name: str) -> Any:
        """One order with its tickets."""
        return self.done("show", name)

    def rules(self, *pairs: str) -> Any:
        """Set the house's rules."""
        return self.heard.done("tenant", "rules", "set", *pairs, *self.at, "--json").json

    def history(self, name: str) -> list[Any]:
        """The changes of one order."""
        found: list[Any] = self.done("history", name)
        return found

    @contextmanager
    def kitchen(self) -> Iterator[Kitchen]:
        """The kitchen's screens, each at its station."""
        run = self.heard.home / "run.json"
        port = (
            json.loads(run.read_text())["port"]
            if run.exists()
            else int(self.heard.env["HEARD_BROKER_PORT"])
        )
        known = {each["device"] for each in self.heard.done("device", "list", "--json").json}
        with ExitStack() as stack:
            screens = []
            for number, station in enumerate(STATIONS, start=len(known)):
                name = f"{station}-{number}"
                role = ("--role", "kitchen-display", "--station", station)
                secret = self.heard.done("device", "add", name, *self.at, *role, "--json").json[
                    "secret"
                ]
                screens.append(
                    stack.enter_context(
                        KitchenDisplay(
                            "127.0.0.1",
                            port,
                            tenant=self.tenant,
                            device=name,
                            secret=secret,
                            station=station,
                        )
                    )
                )
            for screen in screens:
                assert screen.wait_online(PATIENCE_S), screen.station
            yield Kitchen(self, screens)


def _has_heard_all(screen: KitchenDisplay) -> bool:
    return all(ticket.status is not TicketStatus.SENT for ticket in screen.tickets)


@dataclass(frozen=True)
class Kitchen:
    """Screens, and cooks who do what they are asked to."""

    restaurant: Restaurant
    screens: list[KitchenDisplay]

    def cook(self, number: str, *stations: str) -> None:
        """Make what these stations (or all) have of an order, from hearing to bumping."""
        for screen in self.screens:
            if stations and screen.station not in stations:
                continue
            until(partial(_has_heard_all, screen), f"{screen.station} has heard everything")
            for ticket in screen.tickets:
                if ticket.order_number == number:
                    screen.start_ticket(ticket.ticket_id).result(PATIENCE_S)
                    screen.bump(ticket.ticket_id).result(PATIENCE_S)

    def sees(self, station: str, number: str) -> bool:
        """Whether a station has an order on its screen."""
        return any(
            ticket.order_number == number
            for screen in self.screens
            if screen.station == station
            for ticket in screen.tickets
        )

    def ready(self, number: str) -> None:
        """See an order on the screens, and make all of it."""
        stations = {
            line["station"] for line in self.restaurant.shown(number)["lines"] if not line["voided"]
        }
        until(lambda: all(self.sees(each, number) for each in stations), "it is on the screens")
        self.cook(number)
        assert self.restaurant.shown(number)["status"] == "ready"


def open_restaurant(heard: Heard, folder: Path, tenant: str = TENANT) -> Restaurant:
    """Open it."""
    file = folder / "menu.yaml"
    file.write_text(MENU)
    roma = Restaurant(heard, tenant)
    heard.done("tenant", "add", tenant)
    heard.done("menu", "import", str(file), *roma.at)
    return roma


def open_another(heard: Heard, folder: Path) -> Restaurant:
    """Open one of a name of its own, where other tests have theirs."""
    return open_restaurant(heard, folder, f"{TENANT}-{new_id().hex[-8:]}")
