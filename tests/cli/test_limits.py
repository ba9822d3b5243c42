from __future__ import annotations

import json

from schemas.devices import Role
from services.people.limits import BY_ROLE, OF_TENANT, UNLIMITED
from tests.cli.conftest import Heard


def home(heard: Heard) -> Heard:
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    heard.done("device", "add", "pos-1", "--tenant", "roma", "--role", "pos")
    heard.done("device", "add", "bike-1", "--tenant", "roma", "--role", "tracker")
    return heard


def shown(heard: Heard, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        heard.done("limits", "show", "--json", *arguments).out
    )
    return found


def test_what_follows_from_roles_is_shown_without_a_database(heard: Heard) -> None:
    found = shown(heard)
    assert {str(each["whose"]) for each in found} == {
        *(f"a {role.value}" for role in Role if role is not Role.SERVICE),
        "a restaurant in all",
    }
    assert heard.done("limits", "show").out.startswith("whose\tmessages/s\tburst")


def test_limits_are_set_shown_reset_and_written_down(heard: Heard) -> None:
    home(heard)
    usual = BY_ROLE[Role.POS].model_dump()
    told = heard.done(
        "limits", "set", "--tenant", "roma", "--device", "pos-1",
        "--messages-per-s", "50", "--burst", "2000",
    )  # fmt: skip
    assert "roma/pos-1\t50\t2,000\t" in told.out
    wanted = {"messages_per_s": 50.0, "messages_burst": 2000}
    one = ("--tenant", "roma", "--device", "pos-1")
    assert shown(heard, *one) == [{"whose": "roma/pos-1", **usual, **wanted, "own": wanted}]
    heard.done("limits", "set", *one, "--payload-bytes", "1000")
    more = {**wanted, "payload_bytes": 1000}
    assert shown(heard, *one)[0]["own"] == more, "what is not named stays"
    heard.done("limits", "set", "--tenant", "roma", "--burst", "70000")
    names = {str(each["whose"]): each for each in shown(heard, "--tenant", "roma")}
    assert names.keys() == {"roma in all", "roma/pos-1", "roma/bike-1"}
    assert names["roma in all"]["messages_burst"] == 70000
    assert names["roma/bike-1"]["own"] is None
    heard.done("limits", "reset", *one)
    heard.done("limits", "reset", "--tenant", "roma")
    assert shown(heard, *one) == [{"whose": "roma/pos-1", **usual, "own": None}]
    in_all = shown(heard, "--tenant", "roma")[0]
    assert in_all == {"whose": "roma in all", **OF_TENANT.model_dump(), "own": None}
    heard.done("audit", "verify")
    entries = json.loads(heard.done("audit", "show", "--tenant", "roma", "--json").out)
    ours = [(e["action"], e["subject"]) for e in entries if e["action"].startswith("limits.")]
    assert ours == [
        ("limits.set", "roma/pos-1"),
        ("limits.set", "roma/pos-1"),
        ("limits.set", "roma"),
        ("limits.reset", "roma/pos-1"),
        ("limits.reset", "roma"),
    ]


def test_a_device_may_be_held_to_nothing(heard: Heard) -> None:
    home(heard)
    one = ("--tenant", "roma", "--device", "bike-1")
    told = heard.done("limits", "set", *one, "--unlimited")
    assert told.out.count("no limit") == len(UNLIMITED)
    assert shown(heard, *one)[0]["own"] == dict(UNLIMITED)


def test_what_makes_no_sense_is_refused_in_one_line(heard: Heard) -> None:
    home(heard)
    one = ("--tenant", "roma", "--device", "pos-1")
    for arguments, saying in (
        (("set", *one), "say what to set"),
        (("set", *one, "--messages-per-s", "0"), "--messages-per-s"),
        (("set", *one, "--bytes-burst", "1000"), "could never pass"),
        (("set", *one[:2], "--device", "nobody", "--burst", "5"), "no device roma/nobody"),
        (("set", "--tenant", "oslo", "--burst", "5"), "no tenant oslo"),
        (("reset", "--tenant", "oslo"), "no tenant oslo"),
        (("show", "--tenant", "oslo"), "no tenant oslo"),
        (("show", "--device", "pos-1"), "--device needs --tenant"),
    ):
        ended = heard("limits", *arguments)
        assert ended.code != 0
        assert saying in ended.err
        assert ended.err.count("\n") == 1
    assert shown(heard, *one)[0]["own"] is None
