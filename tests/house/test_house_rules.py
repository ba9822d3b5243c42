"""The few rules that hold everywhere in the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from schemas.topics import ROOT as TOPIC_ROOT

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("schemas", "broker_config", "services", "devices", "cli", "tests", "benchmarks")
LOCKS = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("heard", "printer", "dev"))
MOST_LINES = 500


def _sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _files() -> list[Path]:
    """What belongs to the repository: tracked, or new and not ignored."""
    git = shutil.which("git")
    listing = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = git and subprocess.run([git, *listing], cwd=ROOT, capture_output=True, check=False)
    if not listed or listed.returncode != 0:  # a machine without git, or an unpacked archive
        return [path for path in ROOT.glob("[!.]*/**/*") if path.is_file()]
    paths = (ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file()]


def _text(path: Path) -> str:
    return path.read_text(errors="replace")


def test_no_source_file_is_longer_than_can_be_read() -> None:
    long = {_named(path): lines for path in _sources(*ROOMS)
            if (lines := _text(path).count("\n")) > MOST_LINES}  # fmt: skip
    assert not long


def test_no_room_is_named_for_what_was_left_over() -> None:
    forbidden = re.compile(r"(^|_)(utils?|helpers?|common|manager)(_|$)")
    paths = [path.relative_to(ROOT) for path in _sources(*ROOMS)]
    named = [str(path) for path in paths if any(map(forbidden.search, [*path.parts, path.stem]))]
    assert not named


def test_no_topic_is_put_together_by_hand() -> None:
    outside = [path for path in _sources(*ROOMS)
               if not path.is_relative_to(ROOT / "tests") and path.name != "topics.py"]  # fmt: skip
    assert [_named(path) for path in outside if TOPIC_ROOT in _text(path)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_its_version_and_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_tests_run_what_users_run() -> None:
    users, printers, developers = (
        set(re.findall(r"^[a-z0-9._\[\]-]+==\S+", lock.read_text(), re.MULTILINE)) for lock in LOCKS
    )
    assert users <= printers <= developers


# A path of the machine that somebody worked on: it is on nobody else's.
_MACHINE = re.compile(r"(?<![\w.$}/-])/(?:home|root|Users|work|workspace|mnt)/[\w.-]+")


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    found = {
        _named(path): paths
        for path in _files()
        if path.suffix in {".py", ".md", ".toml", ".txt", ".sh", ".yaml", ".yml", ".json", ".ini"}
        if (paths := _MACHINE.findall(_text(path)))
    }
    assert not found


def test_the_licence_and_the_changelog_are_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("script", [".ci/run", "scripts/install.sh", "scripts/servers.sh",
                                    "scripts/check.sh", "scripts/lock.sh"])  # fmt: skip
def test_a_script_can_be_run_and_is_sound(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)
    assert "set -" in _text(path), "a script stops at what it did not expect"
