"""Every command tells what it does, with an example."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import click
import pytest

from tests.house.generate_docs import ROOT, walk

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# In code spans and blocks alone: in a sentence "heard" is a word. What a sentence leaves open is
# written `heard fixes …`.
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_CALL = re.compile(r"(?:^|[\s`/|])heard((?: [a-z][a-z0-9|-]*)+)")


def _commands() -> list[tuple[tuple[str, ...], click.Command]]:
    # Only a cli.main that is not written yet is forgiven: a broken one fails here.
    if importlib.util.find_spec("cli.main") is None:
        return []
    return list(walk(importlib.import_module("cli.main").cli))


every_command = pytest.mark.parametrize(
    ("path", "command"),
    [pytest.param(path, command, id=" ".join(path) or "heard") for path, command in _commands()],
)


@every_command
def test_a_command_has_help_with_an_example(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help, "no help"
    shown = " ".join(["heard", *path])
    if not isinstance(command, click.Group):
        assert shown in command.help, f"no example that begins with `{shown}`"


@every_command
def test_every_option_of_a_command_says_what_it_is(
    path: tuple[str, ...], command: click.Command
) -> None:
    silent = [
        option.name
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert not silent, f"heard {' '.join(path)}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_command_that_a_document_names_is_there(path: Path) -> None:
    there = dict(_commands())
    groups = {name for name, command in there.items() if isinstance(command, click.Group)}
    missing = []
    for code in _CODE.findall(path.read_text()):
        for words in _CALL.findall(code):
            for command in _each(words.split()):
                end = 1
                while command[:end] in groups and end < len(command):
                    end += 1
                if command[:end] not in there:
                    missing.append(" ".join(command[:end]))
    assert not missing


def _each(words: list[str]) -> list[tuple[str, ...]]:
    """`fixes export|prune` is two."""
    found: list[tuple[str, ...]] = [()]
    for word in words:
        found = [(*each, one) for each in found for one in word.split("|")]
    return found
