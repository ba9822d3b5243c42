"""Payment providers and the drop folder, from the command line."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.envelope import device_source, encode
from schemas.identifiers import new_id
from services.runtime.signatures import key_of, new_signing_secret
from tests.cli.conftest import Ended, Heard, until, up_beside
from tests.spoken import order


@pytest.fixture
def house(heard: Heard) -> Heard:
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma")
    return heard


def given(house: Heard, secret: str, *arguments: str) -> Ended:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
        return house("provider", "add", *arguments, "--tenant", "roma", "--secret-stdin")


def test_a_provider_s_secret_is_shown_once_and_everything_stands_in_the_audit(
    house: Heard,
) -> None:
    first = house.done("provider", "add", "acme", "--tenant", "roma")
    secret = first.out.strip()
    assert len(key_of(secret)) == 32
    assert "/v1/tenants/roma/payments/acme" in first.err
    other = house.done("provider", "add", "acme", "--tenant", "roma", "--change", "--json").json
    assert other["secret"] != secret
    listed = house.done("provider", "list", "--tenant", "roma", "--json")
    assert [each["provider"] for each in listed.json] == ["acme"]
    house.done("provider", "remove", "acme", "--tenant", "roma")
    assert house.done("provider", "list", "--tenant", "roma", "--json").json == []
    told = house.done("audit", "show", "--tenant", "roma", "--about", "roma/acme", "--json")
    actions = [entry["action"] for entry in told.json]
    assert actions == ["provider.added", "provider.secret-changed", "provider.removed"]
    for shown in (listed.out, told.out):
        assert "whsec_" not in shown
    house.done("audit", "verify")


def test_a_secret_of_the_provider_s_own_is_taken_from_standard_input_and_shown_nowhere(
    house: Heard,
) -> None:
    secret = new_signing_secret()
    ended = given(house, secret, "acme")
    assert ended.code == 0, ended.err
    assert secret not in ended.out + ended.err
    refused = given(house, "not a secret", "other")
    assert refused.code == 1
    assert "whsec_" in refused.complaint
    assert "not a secret" not in refused.complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "acme", "--tenant", "nowhere"), "there is no tenant nowhere"),
        (("add", "cash", "--tenant", "roma"), "another name"),
        (("add", "other", "--tenant", "roma", "--change"), "heard provider list"),
        (("remove", "other", "--tenant", "roma"), "heard provider list"),
        (("add", "acme", "--tenant", "roma"), "--change"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    house: Heard, arguments: tuple[str, ...], said: str
) -> None:
    house.done("provider", "add", "acme", "--tenant", "roma")
    refused = house("provider", *arguments)
    assert refused.code == 1
    assert said in refused.complaint


def test_up_takes_files_from_the_folder_that_it_is_given(heard: Heard, tmp_path: Path) -> None:
    root = tmp_path / "orders"
    folder = root / "demo"
    folder.mkdir(parents=True)
    with up_beside(heard, "--demo", "--drop", str(root)):
        id_, source = new_id(), device_source("demo", "file-drop")
        wire = encode(order("no-such-dish"), id=id_, source=source, time=datetime.now(UTC))
        (folder / "web-1.json.part").write_bytes(wire)
        (folder / "web-1.json.part").rename(folder / "web-1.json")
        until((folder / "refused" / "web-1.json").exists, "the file to be taken")
        reply = json.loads((folder / "web-1.reply.json").read_text())
        assert (reply["causationid"], reply["data"]["code"]) == (str(id_), "unknown-item")
        told = heard("doctor", "--drop", str(root), "--json")
        assert told.code == 2, "it is an option of `up` and `serve` alone"
        heard.env["HEARD_DROP"] = str(root)
        found = [each for each in heard("doctor", "--json").json if each["what"] == "drop folder"]
        assert [each["ok"] for each in found] == [True]


def test_a_drop_folder_that_is_not_there_is_named(heard: Heard, tmp_path: Path) -> None:
    heard.env["HEARD_DROP"] = str(tmp_path / "nowhere")
    refused = heard("up", "--broker-port", "0", "--for", "1s")
    assert refused.code == 1
    assert "nowhere" in refused.complaint
    heard.done("db", "upgrade")
    found = [each for each in heard("doctor", "--json").json if each["what"] == "drop folder"]
    assert [(each["ok"], each["mend"]) for each in found] == [
        (False, f"mkdir {tmp_path / 'nowhere'}")
    ]
