"""`heard station`: what a house says of its stations, and what it cannot say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli.book_text import SAYS, written_book
from cli.kitchen_book import (
    BookBroken,
    changed_station,
    differences,
    read_book,
    station_rows,
    without_station,
)
from schemas.kitchen_rules import (
    CheckKind,
    CheckRules,
    CourseRules,
    EscalationStep,
    EscalationTarget,
    Firing,
    KitchenRules,
    RouteRule,
    StationKind,
    StationRules,
    ThrottleRules,
    Weekday,
)
from tests.cli.conftest import ROOT, Heard

AT = ("--tenant", "roma")


@pytest.fixture(scope="module")
def known_house(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """One house in a database; nothing needs to run for its rules."""
    heard = Heard(tmp_path_factory.mktemp("house") / "home")
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    return heard


def test_a_station_is_set_up_shown_exported_and_forgotten_with_an_audit(
    known_house: Heard, tmp_path: Path
) -> None:
    heard = known_house
    told = heard.done(
        "station", "set", "oven", *AT, "hands=3", "prep=6m", "warn=8m", "late=10m", "merge=yes",
        "fallback=oven-2", "group=ovens", "name=The oven", "--json",
    ).json  # fmt: skip
    assert (told["hands"], told["prep_s"], told["merge"], told["group"]) == (3, 360, True, "ovens")
    shown = heard.done("station", "show", "oven", *AT).out
    pairs = [line.replace("\t", "=", 1) for line in shown.splitlines()[1:]]
    again = heard.done("station", "set", "oven", *AT, *pairs)
    assert "it is so already" in again.err
    heard.done("station", "set", "pass", *AT, "kind=expo")
    listed = {each["station"]: each for each in heard.done("station", "list", *AT, "--json").json}
    assert listed["oven"]["rules"] == told
    assert listed["pass"]["rules"]["kind"] == "expo"
    assert "oven\tprep\tovens\toven-2\t3\t600s" in heard.done("station", "list", *AT).out

    file = tmp_path / "kitchen.yaml"
    file.write_text(heard.done("station", "export", *AT).out)
    before = heard.done("station", "export", *AT, "--json").json
    heard.done("station", "set", "oven", *AT, "hands=1", "fallback=")
    tried = heard.done("station", "import", str(file), *AT, "--dry-run")
    assert "stations.oven.hands: 3" in tried.err
    assert "nothing was changed" in tried.err
    assert heard.done("station", "show", "oven", *AT, "--json").json["rules"]["hands"] == 1
    assert heard.done("station", "import", str(file), *AT, "--json").json == before

    heard.done("station", "remove", "oven", *AT)
    assert "oven" not in heard.done("station", "export", *AT).out
    noted = [
        (each["subject"], each["details"])
        for each in heard.done("audit", "show", *AT, "--json").json
        if each["action"] == "kitchen.set"
    ]
    assert [subject for subject, _ in noted] == [
        "roma/oven", "roma/pass", "roma/oven", "roma", "roma/oven",
    ]  # fmt: skip
    assert noted[0][1]["stations.oven.prep_s"] == "360"
    assert noted[2][1] == {"stations.oven.fallback": "", "stations.oven.hands": "1"}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("set", "grill", "hands"), "write it as NAME=VALUE"),
        (("set", "grill", "colour=red"), "colour: there is no such field, only name, kind"),
        (("set", "grill", "hands=many"), "hands: 'many' is no whole number"),
        (("set", "grill", "hands=0"), "stations.grill.hands: "),
        (("set", "grill", "prep=-5"), "prep: "),
        (("set", "grill", "prep=5h"), "stations.grill.prep_s: "),
        (("set", "grill", "merge=perhaps"), "merge: 'perhaps': write yes or no"),
        (("set", "grill", "kind=bar"), "kind: 'bar': write prep or expo"),
        (("set", "grill", "fallback=Grill 2"), "stations.grill.fallback: "),
        (("set", "grill", "fallback=grill"), "cannot be its own fallback"),
        (("set", "grill", "warn=20m"), "warn_s (1200) must not be above late_s (600)"),
        (("remove", "nothing"), "heard station list"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_changed(
    known_house: Heard, arguments: tuple[str, ...], what: str
) -> None:
    before = known_house.done("station", "export", *AT, "--json").json
    ended = known_house("station", *arguments, *AT)
    assert ended.code == 1, ended.err
    assert what in ended.complaint
    assert ended.complaint.endswith("(nothing was changed)")
    assert known_house.done("station", "export", *AT, "--json").json == before


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("stations: {grill: {hand: 2}}", "stations.grill.hand: there is no such field"),
        ("station: {}", "station: there is no such field, only stations, routes"),
        ("courses: {firing: sometimes}", "courses.firing: "),
        ("routes: [{route: lunch, to: fry, since: noon}]", "routes.1.since: "),
        ("routes: [{route: lunch, to: fry, at: 9}]", "routes.lunch.at: there is no such field"),
        ("escalation: [{to: chef, after_s: 5}]", "escalation.1.to: "),
        ("throttle: {pause_at: 0.5}", "resume_at (0.7) must be below pause_at (0.5)"),
        ("checks: {core: {kind: temperature, items: [x]}}", "a temperature needs `least`"),
        ("stations: {Grill!: {}}", "stations.Grill!: "),
        ("stations: [grill]", "stations: "),
        ("stations: {grill: {prep_s: -5}}", "stations.grill.prep_s: "),
        ("- grill", "write names and values"),
        ("stations: {grill: [", "no YAML at line 1"),
    ],
)
def test_a_wrong_file_is_refused_by_the_name_of_its_field(text: str, what: str) -> None:
    with pytest.raises(BookBroken) as refused:
        read_book(text)
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_used_changes_nothing(known_house: Heard, tmp_path: Path) -> None:
    file = tmp_path / "kitchen.yaml"
    file.write_text("stations: {grill: {warn_s: 5, late_s: 1}}")
    ended = known_house("station", "import", str(file), *AT)
    assert ended.complaint.startswith(f"{file}: stations.grill: warn_s (5)")
    file.write_bytes(b"\xff")
    assert "no UTF-8" in known_house("station", "import", str(file), *AT).complaint
    nobody = known_house("station", "list", "--tenant", "nobody")
    assert "there is no tenant nobody: heard tenant list" in nobody.complaint


@pytest.mark.parametrize(
    "command",
    [
        ("station", "close", "girll"),
        ("staff", "on", "ada", "--station", "girll"),
        ("staff", "assign", "ada", "--station", "girll"),
        ("staff", "tell", "more ice", "--station", "girll"),
    ],
)
def test_nothing_is_said_to_a_station_that_a_house_has_not(
    known_house: Heard, command: tuple[str, ...]
) -> None:
    assert known_house(*command, *AT).complaint.startswith("roma has no station girll, only ")


def test_what_others_name_is_not_forgotten() -> None:
    book = KitchenRules(
        stations={"grill": StationRules(fallback="fry"), "fry": StationRules()},
        routes=(RouteRule(route="late", to="fry"),),
    )
    with pytest.raises(BookBroken, match=r"named by stations\.grill\.fallback, routes\.late\.to"):
        without_station(book, "fry")
    assert list(without_station(book, "grill").stations) == ["fry"]


def test_the_book_of_the_manual_can_be_read() -> None:
    manual = (ROOT / "docs" / "kitchen.md").read_text()
    example = manual.split("```yaml\n")[1].split("```")[0]
    book = read_book(example)
    assert book.station("pass").kind is StationKind.EXPO
    assert read_book(written_book(book)) == book


slugs = st.sampled_from(["grill", "grill-2", "fry", "bar", "pass"])
seconds = st.integers(1, 600)
stations = st.builds(
    StationRules,
    name=st.sampled_from(["", "The grill", "no", "22:00", "null"]),
    kind=st.just(StationKind.PREP),
    group=st.none() | st.just("line"),
    fallback=st.none() | st.just("spare"),
    hands=st.integers(1, 50),
    prep_s=seconds,
    warn_s=st.integers(1, 300),
    late_s=st.integers(300, 900),
    merge=st.booleans(),
)
times = st.none() | st.times().map(lambda each: each.replace(microsecond=0, tzinfo=None))
books = st.builds(
    KitchenRules,
    stations=st.dictionaries(slugs, stations, max_size=4),
    routes=st.lists(
        st.builds(
            RouteRule,
            route=slugs,
            to=slugs,
            items=st.lists(slugs, max_size=2).map(tuple),
            days=st.sets(st.sampled_from(Weekday)).map(tuple),
            since=times,
            until=times,
        ),
        max_size=3,
    ).map(tuple),
    courses=st.builds(CourseRules, firing=st.sampled_from(Firing), gap_s=st.integers(0, 7200)),
    finish_together=st.booleans(),
    recall_last=st.integers(1, 500),
    escalation=st.lists(
        st.builds(EscalationStep, to=st.sampled_from(EscalationTarget), after_s=seconds),
        max_size=3,
    ).map(tuple),
    throttle=st.none() | st.just(ThrottleRules(pause_at=2.5)),
    checks=st.dictionaries(
        slugs,
        st.just(CheckRules(kind=CheckKind.TEMPERATURE, items=("steak",), least=-1.5, blocks=True)),
        max_size=1,
    ),
)


@given(books)
def test_what_is_written_is_read_again(book: KitchenRules) -> None:
    assert read_book(written_book(book)) == book


def test_every_setting_stands_in_the_file_with_what_it_is_for() -> None:
    for part, says in SAYS.items():
        assert list(says) == list(part.model_fields)
    text = written_book(KitchenRules(stations={"grill": StationRules()}, throttle=ThrottleRules()))
    for says in SAYS.values():
        assert all(each in text for each in says.values())
    written = yaml.safe_load(text)
    assert list(written) == list(KitchenRules.model_fields)
    assert list(written["stations"]["grill"]) == list(StationRules.model_fields)
    assert written["throttle"]["stretch_at"] == 0.8
    assert max(map(len, text.splitlines())) <= 100
    assert "\nthrottle:\n" in written_book(KitchenRules())


@given(books, slugs)
def test_a_station_is_set_by_what_is_shown_of_it(book: KitchenRules, name: str) -> None:
    pairs = [f"{each}={value}" for each, value in station_rows(book.station(name))]
    after = changed_station(book, name, pairs)
    assert after.station(name) == book.station(name)
    assert {other: after.stations[other] for other in book.stations} == dict(book.stations)


@given(books, books)
def test_what_is_different_is_named_and_nothing_else(
    one: KitchenRules, other: KitchenRules
) -> None:
    assert differences(one, one) == {}
    if one.recall_last != other.recall_last:
        assert differences(one, other)["recall_last"] == str(other.recall_last)
