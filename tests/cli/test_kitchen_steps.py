"""`heard kitchen`: what cooks do, with tickets named as cooks name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.failures import Failure
from cli.tickets import the_ticket
from schemas.identifiers import new_id
from schemas.kitchen import OPEN_TICKET, Plate, Ticket, TicketStatus
from tests.cli.conftest import Ended, Heard, looked, until
from tests.cli.restaurant import AT, Restaurant, open_restaurant
from tests.devices.station_model import ticket


def asked(roma: Restaurant, *arguments: str) -> Ended:
    return roma.heard("kitchen", *arguments, *AT)


def done(roma: Restaurant, *arguments: str) -> Any:
    return roma.heard.done("kitchen", *arguments, *AT, "--json").json


def queue(roma: Restaurant, *arguments: str) -> list[Any]:
    found: list[Any] = done(roma, "queue", *arguments)
    return found


def at_grill(roma: Restaurant, number: str) -> Any:
    return next(
        each for each in queue(roma, "--station", "grill") if each["order_number"] == number
    )


def test_a_cook_works_an_order_off_by_its_number(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    embedded.done("station", "set", "grill-2", *AT, "hands=2")
    with roma.kitchen():
        first = roma.place("burger=2", "burger", "fries", "--table", "7")["number"]
        second = roma.place("burger", "--table", "8")["number"]
        until(lambda: [each["status"] for each in queue(roma)] == ["heard"] * 3, "all are heard")

        # which one is meant
        unclear = asked(roma, "bump", first[-4:]).complaint
        assert "fry (course 1, heard), grill (course 1, heard)" in unclear
        assert "--station" in unclear
        nowhere = asked(roma, "bump", first[-4:], "--station", "bar").complaint
        assert f"{first} has no ticket at bar" in nowhere

        # rush goes first, held goes last
        done(roma, "rush", second)
        order = [each["order_number"] for each in queue(roma, "--station", "grill")]
        assert order == [second, first]
        assert done(roma, "hold", first, "--station", "fry", "--why", "late")["status"] == "held"
        counts = {each["item"]: each for each in done(roma, "all-day")["items"]}
        assert (counts["burger"]["now"], counts["burger"]["held"]) == (4, 0)
        assert (counts["fries"]["now"], counts["fries"]["held"]) == (0, 1)
        assert "Fries\t0\t1" in asked(roma, "all-day").out
        assert "held: " not in asked(roma, "queue", "--station", "grill").out
        assert "held" in asked(roma, "queue", "--station", "fry").out
        # `fire` asks for what is held, so nobody need say where that is
        assert done(roma, "fire", first)["status"] == "sent"

        # lines, then the rest; too early, and back
        assert done(roma, "bump", first, "--station", "grill", "--lines", "1")["status"] == (
            "started"
        )
        assert done(roma, "bump", first, "--station", "grill")["status"] == "bumped"
        again = asked(roma, "bump", first, "--station", "grill").complaint
        assert again.startswith("wrong-state: ")
        assert "(now bumped, version" in again
        assert again.endswith("; from here: recall)")
        back = done(roma, "recall", first, "--station", "grill", "--why", "raw", "--restart")
        assert back["status"] == "started"
        assert at_grill(roma, first)["why"] == "raw"
        assert roma.shown(first)["status"] == "preparing"

        # another station makes it
        nothing = asked(roma, "move", first, "--station", "grill", "--to", "cellar").complaint
        assert nothing.startswith("wrong-station: ")
        assert (
            done(roma, "move", first, "--station", "grill", "--to", "grill-2", "--why", "no fan")[
                "status"
            ]
            == "sent"
        )
        [moved] = queue(roma, "--station", "grill-2")
        assert moved["moved_from"] == "grill"
        assert done(roma, "reprint", moved["ticket_id"])["printers"] == []
        nowhere = asked(roma, "reprint", moved["ticket_id"]).out
        assert "no printer attends grill-2: nothing comes out" in nowhere
        assert asked(roma, "start", moved["ticket_id"]).out.startswith(f"{first}  grill-2  started")

        # what is not there is said by name
        assert "no-such-course" in asked(roma, "fire", second, "--course", "9").complaint
        assert "heard order list" in asked(roma, "rush", "nothing").complaint

    told = embedded.done("explain", "order", first, *AT).out
    for text in (
        "there: the menu says so", 'why: "no fan"', "ticket grill moved to grill-2",
        "there: moved from grill: no fan", "recalled; its time counts anew",
        "ticket hold at fry", "ticket fry fired after",
        "ready at grill-2: promised", "sent to: ",
    ):  # fmt: skip
        assert text in told, told


def test_stations_close_and_alerts_are_seen_from_the_command_line(
    embedded: Heard, tmp_path: Path
) -> None:
    roma = open_restaurant(embedded, tmp_path)
    assert embedded.done("alert", "list", *AT, "--json").json == []
    closed = embedded.done("station", "close", "fry", *AT, "--why", "no oil", "--json").json
    assert closed["closed"] == "no oil"
    assert "closed: no oil" in embedded.done("station", "list", *AT).out
    assert embedded.done("station", "open", "fry", *AT, "--json").json["closed"] is None
    roma.place("fries")
    nobody = embedded("alert", "ack", "nothing", *AT).complaint
    assert nobody.startswith("not-found: ")


def test_a_watcher_of_a_pipe_is_told_of_courses_and_hurry(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    number = roma.place("burger", "burger")["number"]
    assert f"{number}  priority rush  accepted" in asked(roma, "rush", number).out
    watch = ("watch", "--station", "grill", "--merge", "--for")
    seen = looked(lambda span: asked(roma, *watch, span).out, lambda told: "CURRENT" in told)
    assert "-- ● CURRENT" in seen
    assert f"{number}  sent      take away  2 Burger" in seen
    assert "** RUSH **" in seen
    counting = ("all-day", "--watch", "--json", "--for")
    counted = looked(
        lambda span: asked(roma, *counting, span).out, lambda told: '"current"' in told
    )
    last = json.loads(counted.splitlines()[-1])
    assert last["freshness"] == "current"
    assert last["items"] == [{"item": "burger", "name": "Burger", "now": 2, "held": 0}]


def some(station: str, status: TicketStatus, *, course: int = 1) -> Ticket:
    update = {"station": station, "ticket_id": new_id(), "course": course}
    return ticket(1, sequence=1, status=status).model_copy(update=update)


def is_open(one: Ticket) -> bool:
    return one.status in OPEN_TICKET


def test_the_ticket_is_meant_that_fits_and_else_the_last_one_is_asked() -> None:
    grill, fry = some("grill", TicketStatus.BUMPED), some("fry", TicketStatus.HEARD)
    assert the_ticket([grill, fry], "A1", None, None, is_open) == fry
    assert the_ticket([grill], "A1", None, None, is_open) == grill
    assert the_ticket([grill, fry], "A1", "grill", None, is_open) == grill
    main = some("fry", TicketStatus.HELD, course=2)
    assert the_ticket([fry, main], "A1", "fry", 2, is_open) == main
    plate = Plate(ticket_id=fry.ticket_id, station="fry", status=fry.status)
    expo = some("pass", TicketStatus.HEARD).model_copy(update={"plates": (plate,), "version": 9})
    assert the_ticket([expo, fry], "A1", None, None, lambda _: False) == fry
    assert the_ticket([expo, fry], "A1", "pass", None, lambda _: False) == expo
    for tickets, course, what in (
        ([fry, main], None, "say which with --station or --course"),
        ([fry, main], 3, "has no ticket in course 3, only fry"),
        ([], None, "nothing of it is with the kitchen yet"),
    ):
        with pytest.raises(Failure, match=what):
            the_ticket(tickets, "A1", None, course, is_open)
