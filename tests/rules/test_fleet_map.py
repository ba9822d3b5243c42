"""A map made of characters: everything finds room on it, north is up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cli.fleet_map import Mark, arrow, draw
from services.geography.sphere import Plane


def mark(east: float, north: float, sign: str, label: str = "") -> Mark:
    lat, lon = Plane(60.17, 24.94).to_degrees(east, north)
    return Mark(float(lat), float(lon), sign, label=label)


def place_of(lines: list[str], sign: str) -> tuple[int, int]:
    ((row, line),) = [(row, line) for row, line in enumerate(lines) if sign in line]
    return row, line.index(sign)


def test_north_is_up_and_east_is_right() -> None:
    marks = [mark(0, 0, "R"), mark(0, 900, "N"), mark(900, 0, "E")]
    lines = draw(marks, 60, 20).plain.split("\n")
    (middle, left), (above, up), (beside, right) = (place_of(lines, each) for each in "RNE")
    assert above < middle == beside
    assert right > left == up


@given(
    st.lists(st.tuples(st.floats(-9e4, 9e4), st.floats(-9e4, 9e4)), min_size=1, max_size=20),
    st.integers(4, 120),
    st.integers(3, 40),
)
def test_whatever_is_shown_finds_room(
    places: list[tuple[float, float]], width: int, height: int
) -> None:
    lines = draw([mark(*each, "#", "bike-1") for each in places], width, height).plain.split("\n")
    assert "#" in "".join(lines[:-1])
    assert len(lines) == height
    assert all(len(line) <= width for line in lines[:-1])


def test_a_label_at_the_edge_stands_on_the_left() -> None:
    lines = draw([mark(-900, 0, "#", "west"), mark(900, 0, "@", "east")], 40, 10).plain
    assert "# west" in lines
    assert "east @" in lines


NEAR = st.floats(-300, 300)


@given(st.lists(st.tuples(NEAR, NEAR), max_size=25), st.integers(20, 100), st.integers(6, 40))
def test_no_sign_and_no_label_lies_on_another(
    places: list[tuple[float, float]], width: int, height: int
) -> None:
    marks = [
        mark(*each, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number], f"{number:02}{number:02}")
        for number, each in enumerate(places)
    ]
    words = " ".join(draw(marks, width, height).plain.split("\n")[:-1]).split()
    whole = {each.sign: each.label for each in marks}
    for place, word in enumerate(words if marks else []):
        # A label is there whole, beside its own sign; signs may touch each other.
        if word in whole.values():
            assert word in {whole.get(each) for each in _beside(words, place)}
        else:
            assert set(word) <= set(whole)


def _beside(words: list[str], place: int) -> list[str]:
    before = words[place - 1][-1] if place else ""
    after = words[place + 1][0] if place + 1 < len(words) else ""
    return [before, after]


def test_who_stands_on_a_door_leaves_room_for_it() -> None:
    marks = [mark(0, 0, "R"), mark(0, 0, "1", "J7TH"), mark(0, 0, "@", "bike-1")]
    drawn = draw(marks, 60, 12).plain.split("\n")
    row, column = place_of(drawn, "@")
    assert drawn[row][column:].rstrip() == "@ bike-1"
    assert drawn[row + 1][column:].rstrip() == "1 J7TH"
    assert drawn[row - 1][column:].rstrip() == "R"


def test_an_arrow_says_where_somebody_goes() -> None:
    assert [arrow(each) for each in (0, 44, 90, 181, 270, 359.9, None)] == list("↑↗→↓←↑•")
