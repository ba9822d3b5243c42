"""`heard fence`: drawn in files, imported whole or not at all, shown as any map reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Heard

AT = ("--tenant", "roma")
DEPOT: dict[str, Any] = {
    "type": "Feature",
    "properties": {"name": "Depot", "radius_m": 200, "dwell_s": 900},
    "geometry": {"type": "Point", "coordinates": [24.95, 60.171]},
}
RING = [[24.92, 60.16], [24.96, 60.16], [24.96, 60.18], [24.92, 60.18], [24.92, 60.16]]
CENTRE: dict[str, Any] = {
    "type": "Feature",
    "properties": {
        "name": "City centre",
        "fence": "centre",
        "must_stay": True,
        "hours": [{"days": ["fri"], "since": "18:00", "until": "02:00"}],
        "stroke": "#ff0000",
    },
    "geometry": {"type": "Polygon", "coordinates": [[[*corner, 12.5] for corner in RING]]},
}


@pytest.fixture
def house(heard: Heard, sqlite_template: Path) -> Heard:
    """A restaurant; nothing of it runs."""
    heard.home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, heard.home / "heard.db")
    heard.done("tenant", "add", "roma")
    return heard


def drawn(path: Path, *features: Any) -> str:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def names(house: Heard) -> list[str]:
    return [each["fence"] for each in house.done("fence", "list", *AT, "--json").json]


def test_fences_are_imported_changed_shown_and_taken_away(house: Heard, tmp_path: Path) -> None:
    both = drawn(tmp_path / "zones.geojson", CENTRE, DEPOT)
    tried = house.done("fence", "import", both, *AT, "--dry-run", "--json").json
    assert tried["added"] == ["centre", "depot"]
    assert names(house) == []
    house.done("fence", "import", both, *AT)
    assert names(house) == ["centre", "depot"]
    again = house.done("fence", "import", both, *AT, "--json").json
    assert (again["added"], again["changed"], again["same"]) == ([], [], ["centre", "depot"])

    listed = house.done("fence", "list", *AT).out
    assert "4.92 km²" in listed
    assert "fri 18:00-02:00" in listed
    assert "200 m around" in listed

    shown = tmp_path / "shown.geojson"
    shown.write_text(house.done("fence", "show", *AT).out)
    assert house.done("fence", "import", str(shown), *AT, "--json").json["same"] == [
        "centre",
        "depot",
    ]

    wider = DEPOT | {"properties": DEPOT["properties"] | {"radius_m": 300}}
    moved = drawn(tmp_path / "depot.geojson", wider)
    told = house.done("fence", "import", moved, *AT, "--replace", "--json").json
    assert (told["changed"], told["removed"]) == (["depot"], ["centre"])
    house.done("fence", "remove", "depot", *AT)
    assert names(house) == []
    actions = {each["action"] for each in house.done("audit", "show", *AT, "--json").json}
    assert {"fence.added", "fence.changed", "fence.removed"} <= actions


def test_all_that_is_wrong_is_told_and_nothing_is_imported(house: Heard, tmp_path: Path) -> None:
    def spoilt(name: str, geometry: Any, **properties: Any) -> dict[str, Any]:
        return {
            "type": "Feature",
            "properties": {"name": name, **properties},
            "geometry": geometry,
        }

    swapped = {"type": "Point", "coordinates": [60.17, 124.9]}
    bow = [[24.0, 60.0], [24.1, 60.1], [24.1, 60.0], [24.0, 60.1], [24.0, 60.0]]
    file = drawn(
        tmp_path / "bad.geojson",
        DEPOT,
        spoilt("Swapped", swapped, radius_m=100),
        spoilt("Bow", {"type": "Polygon", "coordinates": [bow]}),
        spoilt("Open", {"type": "Polygon", "coordinates": [RING[:4]]}),
        spoilt("Bare", DEPOT["geometry"]),
        spoilt("House", DEPOT["geometry"], radius_m=100),
        spoilt("", DEPOT["geometry"], radius_m=100),
        spoilt("Tiny", DEPOT["geometry"], radius_m=1),
        spoilt("Line", {"type": "LineString", "coordinates": RING}),
        spoilt("Shop", DEPOT["geometry"], radius_m=100, kind="shop"),
        spoilt("Late", DEPOT["geometry"], radius_m=100, hours=[{"days": ["fry"]}]),
        spoilt("Vast", DEPOT["geometry"], radius_m=100, dwell_s=1e6),
        spoilt("Void", {}),
        DEPOT,
    )
    failed = house("fence", "import", file, *AT)
    assert failed.code != 0
    for said in (
        'feature 2, "Swapped": there is no',
        "longitude first",
        "Self-intersection at longitude 24.05",
        "does not end where it begins",
        "a point needs a property `radius_m`",
        "that is the restaurant itself",
        "feature 7: it has no name",
        '"Tiny": radius_m: 1 is too little: at least 10',
        "it is a LineString",
        "\"Shop\": kind: 'shop' is not known: 'restaurant' or 'zone'",
        "\"Late\": hours 1 days 1: 'fry' is not known",
        '"Vast": dwell_s: 1000000.0 is too much: at most 86400',
        '"Void": it has no `type`: a Polygon',
        'feature 14, "Depot": feature 1 is called depot too',
    ):
        assert said in failed.err, said
    assert failed.complaint == "13 problems, named above: nothing was imported"
    assert failed.err.count(f"{file}: feature ") == 13
    assert names(house) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "it is no JSON"),
        ("[]", "it is no GeoJSON"),
        ('{"type": "Point"}', "it is a Point: a FeatureCollection or a Feature is needed"),
        ("{}", "it has no `type`: a FeatureCollection or a Feature is needed"),
        ('{"type": "FeatureCollection", "features": []}', "it holds no feature"),
        ('{"type": "FeatureCollection", "features": [], "crs": "EPSG::3067"}', "not WGS 84"),
    ],
)
def test_what_is_no_file_of_fences_is_said_to_be_none(
    house: Heard, tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "other.geojson"
    file.write_text(text)
    assert says in house("fence", "import", str(file), *AT).complaint


def test_a_fence_that_is_not_there_is_named_beside_those_that_are(
    house: Heard, tmp_path: Path
) -> None:
    house.done("fence", "import", drawn(tmp_path / "depot.geojson", DEPOT), *AT)
    assert "there is no fence centre: there are depot" in (
        house("fence", "show", "centre", *AT).err
    )
