"""What a cook reads on paper."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devices.escpos_printer import slip_bytes
from devices.receipt_paper import LEAST_COLUMNS, SlipKind, as_text, legible, paper, plain
from schemas.identifiers import new_id
from schemas.kitchen import AlsoAt, LineMark, Priority, Ticket, TicketLine, TicketStatus, WasLine
from schemas.menu import ChosenModifier
from tests.escpos_sink import Decoder, Line

AT = datetime(2026, 3, 14, 19, 2, tzinfo=UTC)


def modifier(name: str, *inner: ChosenModifier) -> ChosenModifier:
    return ChosenModifier(
        group="extra", modifier="a-choice", name=name, quantity=1, modifiers=inner
    )


def line(number: int = 1, **more: Any) -> TicketLine:
    values = {"line": number, "item": "burger", "name": "Burger", "quantity": 2, **more}
    return TicketLine.model_validate(values)


def ticket(*lines: TicketLine, **more: Any) -> Ticket:
    values = {
        "ticket_id": new_id(),
        "station": "grill",
        "order_id": new_id(),
        "order_number": "ORD-260314190203-A1B2",
        "status": TicketStatus.SENT,
        "version": 1,
        "sequence": 1,
        "lines": lines or (line(),),
        "table": "7",
        "placed_at": AT,
        "sent_at": AT,
        **more,
    }
    return Ticket.model_validate(values)


def printed(made: Ticket, kind: SlipKind = SlipKind.TICKET, **more: Any) -> list[Line]:
    """What stands on the paper, by way of the printer's own language."""
    decoder = Decoder()
    assert decoder.read(slip_bytes(paper(made, kind, zone=UTC, **more))) == []
    (slip,) = decoder.slips
    return slip


def test_the_number_to_call_and_the_table_are_large_and_the_rest_is_whole() -> None:
    made = ticket(
        line(
            modifiers=(modifier("Cheese", modifier("Extra old")),),
            note="well done",
            allergens=("milk",),
            seat="3",
            guest="Ann",
        ),
        also_at=(AlsoAt(station="fry", lines=2),),
        course=2,
        guest="Bo",
    )
    slip = printed(made)
    assert [each.text for each in slip if each.large] == ["A1B2", "table 7", "2 x Burger"]
    text = "\n".join(each.text for each in slip)
    for said in (
        "GRILL, course 2",
        "for Bo",
        "    + Cheese",
        "      + Extra old",
        "    ! well done",
        "seat 3, Ann",
        "contains milk",
        "also at fry (2)",
        "ORD-260314190203-A1B2, ordered 19:02",
    ):
        assert said in text, said


def test_what_a_guest_must_not_get_is_large_and_white_on_black() -> None:
    (loud,) = [each for each in printed(ticket(line(avoid=("nuts",)))) if each.inverse]
    assert (loud.text, loud.large, loud.bold) == ("NO NUTS: ALLERGY", True, True)


def test_what_has_changed_says_how_and_what_it_was() -> None:
    slip = printed(
        ticket(
            line(1, mark=LineMark.NEW),
            line(2, quantity=3, mark=LineMark.CHANGED, was=WasLine(quantity=1, note="rare")),
            line(3, mark=LineMark.CANCELLED, note="nobody reads this"),
        ),
        SlipKind.CHANGED,
    )
    text = "\n".join(each.text for each in slip)
    assert text.index("*** NEW ***") < text.index("*** CHANGED ***")
    assert "was: 1 of it; 'rare'" in text
    assert "*** CANCELLED ***" in text
    assert "nobody reads this" not in text
    assert (slip[0].text, slip[0].inverse, slip[0].large) == ("CHANGED", True, True)


def test_rush_duplicate_cancelled_and_moved_stand_at_the_head() -> None:
    assert [each.text for each in printed(ticket(priority=Priority.RUSH), duplicate=True)][:2] == [
        "DUPLICATE",
        "RUSH",
    ]
    assert printed(ticket(), SlipKind.CANCELLED)[0].text == "CANCELLED"
    moved = printed(ticket(status=TicketStatus.MOVED, moved_to="fry"), SlipKind.MOVED)
    assert moved[0].text == "MOVED TO FRY"
    assert all("DUPLICATE" not in each.text for each in printed(ticket()))


def test_names_of_other_scripts_come_out_as_far_as_printers_know_them() -> None:
    slip = printed(
        ticket(
            line(1, name="Crème brûlée", note="Żółć: 5 €"),
            line(2, name="Борщ"),
            line(3, name="宫保鸡丁", item="kung-pao"),
            line(4, name="Phở \U0001f35c"),
        )
    )
    text = "\n".join(each.text for each in slip)
    for said in ("Crème brûlée", "Żółć: 5 €", "Борщ", "(kung-pao)", "Pho"):
        assert said in text, said


@given(st.text(max_size=60))
def test_no_text_commands_a_printer_and_each_is_written_as_it_is_laid_out(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    decoder = Decoder()
    rows = paper(ticket(line(name=text)), zone=UTC)
    decoder.read(slip_bytes(rows))
    (slip,) = decoder.slips
    assert [each.text for each in slip] == [row.text for row in rows]


@given(st.integers(1, 60), st.text("abc déf", min_size=1, max_size=200))
def test_every_row_has_room_on_its_paper(columns: int, name: str) -> None:
    for row in paper(ticket(line(name=name, avoid=("nuts", "sesame"))), columns=columns):
        room = max(columns, LEAST_COLUMNS)
        assert len(row.text) <= (room // 2 if row.large else room)


def test_a_long_name_is_wrapped_and_never_cut_off() -> None:
    name = " ".join(f"word{number}" for number in range(30))
    words = as_text(paper(ticket(line(name=name)))).split()
    assert [each for each in words if each.startswith("word")] == name.split()


def test_a_name_that_can_be_printed_needs_no_id() -> None:
    assert legible("What? Fish!", "fish") == "What? Fish!"
