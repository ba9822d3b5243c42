"""What is still to be made, counted from change to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from devices.all_day import AllDay, Count
from devices.station_view import Changes
from schemas.kitchen import OPEN_TICKET, LineMark, Plate, Ticket, TicketLine, TicketStatus
from schemas.menu import Component
from tests.devices.station_model import AT, ticket

STATIONS = ("grill", "fry", "pass")
MADE_OF = {
    "burger": (Component(component="patty"), Component(component="bun")),
    "double-burger": (Component(component="patty", quantity=2), Component(component="bun")),
    "fries": (),
}


def line(
    item: str, quantity: int, number: int = 1, *, done: bool = False, cancelled: bool = False
) -> TicketLine:
    return TicketLine(
        line=number,
        item=item,
        name=item.title(),
        quantity=quantity,
        components=MADE_OF[item],
        mark=LineMark.CANCELLED if cancelled else None,
        bumped_at=AT if done else None,
    )


def with_lines(number: int, *lines: TicketLine, **update: object) -> Ticket:
    return ticket(number, sequence=1).model_copy(update={"lines": lines, **update})


def test_five_double_burgers_are_ten_patties() -> None:
    counts = AllDay([with_lines(1, line("double-burger", 5))])
    assert counts.components("grill") == [Count("patty", "patty", 10, 0), Count("bun", "bun", 5, 0)]
    assert counts.items() == [Count("double-burger", "Double-Burger", 5, 0)]


def test_what_is_held_is_counted_apart_and_what_is_done_or_cancelled_not_at_all() -> None:
    counts = AllDay([with_lines(1, line("burger", 2), line("burger", 1, 2, done=True))])
    counts.put(with_lines(2, line("burger", 3), status=TicketStatus.HELD))
    counts.put(with_lines(3, line("burger", 9, cancelled=True)))
    assert counts.items("grill") == [Count("burger", "Burger", 2, 3)]
    counts.put(with_lines(2, line("burger", 3), status=TicketStatus.SENT))
    assert counts.items("grill") == [Count("burger", "Burger", 5, 0)]
    counts.drop(UUID(int=1))
    counts.drop(UUID(int=1))
    counts.put(with_lines(2, line("burger", 3), status=TicketStatus.MOVED))
    assert [*counts.items("grill"), *counts.components(), *counts.stations] == []


def test_the_kitchen_does_not_count_again_what_its_expo_sees() -> None:
    fries = with_lines(1, line("fries", 2))
    plate = Plate(ticket_id=fries.ticket_id, station="grill", status=TicketStatus.SENT)
    seen = with_lines(2, line("fries", 2), station="pass", plates=(plate,))
    counts = AllDay([fries, seen])
    assert counts.items("pass") == counts.items() == [Count("fries", "Fries", 2, 0)]
    assert counts.stations == ["grill", "pass"]


def recounted(
    open_: Mapping[UUID, Ticket], station: str | None
) -> tuple[Counter[tuple[str, bool]], ...]:
    """The same by looking at everything again: by item and by component."""
    items: Counter[tuple[str, bool]] = Counter()
    components: Counter[tuple[str, bool]] = Counter()
    for each in open_.values():
        if each.station != station and (station is not None or each.plates):
            continue
        held = each.status is TicketStatus.HELD
        for one in each.lines:
            if one.mark is LineMark.CANCELLED or one.bumped_at:
                continue
            items[one.item, held] += one.quantity
            for part in one.components:
                components[part.component, held] += one.quantity * part.quantity
    return items, components


def told(counts: list[Count]) -> Counter[tuple[str, bool]]:
    return Counter(
        {(c.what, held): n for c in counts for held, n in ((False, c.now), (True, c.held)) if n}
    )


LINES = st.lists(
    st.builds(
        line,
        st.sampled_from(sorted(MADE_OF)),
        st.integers(1, 9),
        done=st.booleans(),
        cancelled=st.booleans(),
    ),
    min_size=1,
    max_size=3,
)
TICKETS = st.builds(
    lambda number, lines, status, station: with_lines(
        number,
        *lines,
        status=status,
        station=station,
        plates=(Plate(ticket_id=UUID(int=99), station="grill", status=status),)
        if station == "pass"
        else (),
    ),
    st.integers(1, 6),
    LINES,
    st.sampled_from(TicketStatus),
    st.sampled_from(STATIONS),
)


@given(st.lists(st.lists(TICKETS, max_size=4), max_size=8), st.data())
def test_counts_are_those_of_a_recount_after_every_change(
    rounds: list[list[Ticket]], data: st.DataObject
) -> None:
    counts = AllDay()
    open_: dict[UUID, Ticket] = {}
    for shown in rounds:
        ended = data.draw(st.lists(st.sampled_from(sorted(open_)), unique=True)) if open_ else []
        for ticket_id in ended:
            del open_[ticket_id]
        for each in shown:
            open_[each.ticket_id] = each
        open_ = {id_: each for id_, each in open_.items() if each.status in OPEN_TICKET}
        counts.take(Changes(tuple(shown), tuple(ended)))
        for station in (None, *STATIONS):
            items, components = recounted(open_, station)
            assert told(counts.items(station)) == items
            assert told(counts.components(station)) == components
