"""Every message ever released can still be read: a stored sample of each says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import BY_TYPE, locate
from schemas.envelope import envelope_of
from tests.rules import write_samples
from tests.rules.write_samples import SAMPLES, missing, path_of

STORED = sorted(SAMPLES.glob("*.json"))


def _read(path: Path) -> tuple[str, bytes]:
    stored: dict[str, Any] = json.loads(path.read_text())
    return stored["topic"], json.dumps(stored["payload"]).encode()


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_message_once_released_still_parses_and_loses_nothing(path: Path) -> None:
    topic, wire = _read(path)
    located = locate(topic)
    assert located.message.type_name == path.stem.partition("~")[0]
    if located.message.bare:
        parsed = located.message.model_validate_json(wire)
    else:
        parsed = envelope_of(located.message).model_validate_json(wire)
    kept = json.loads(parsed.model_dump_json(exclude_none=True))
    # A field that is read no more would vanish silently, since unknown fields are ignored.
    assert _within(json.loads(wire), kept), "a field was renamed, removed or changed"


def _within(old: Any, new: Any) -> bool:
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            name in new and _within(value, new[name]) for name, value in old.items()
        )
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(_within, old, new))
    return bool(old == new)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_message_with_fields_of_a_later_version_still_parses(path: Path) -> None:
    topic, wire = _read(path)
    later = json.loads(wire)
    later["of-a-later-version"] = {"deep": [1]}
    if "data" in later:
        later["data"]["of_a_later_version"] = "x"
    message = locate(topic).message
    reader = message if message.bare else envelope_of(message)
    reader.model_validate_json(json.dumps(later))


def test_every_message_has_a_stored_sample() -> None:
    names = [path_of(message, variant).name for message, variant in missing()]
    assert not names, f"run `python -m tests.rules.write_samples --write`; missing: {names}"


def test_no_message_ever_released_left_the_catalogue() -> None:
    assert {path.stem.partition("~")[0] for path in STORED} <= BY_TYPE.keys()


def test_the_writer_of_samples_leaves_stored_ones_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_samples, "SAMPLES", tmp_path)
    first = write_samples.write()
    first[0].write_text("as it was released")
    first[1].unlink()
    assert write_samples.write() == [first[1]]
    assert first[0].read_text() == "as it was released"
