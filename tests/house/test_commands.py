"""Every command tells what it does, with an example."""

from __future__ import annotations

import importlib
import importlib.util

import click
import pytest

from tests.house.generate_docs import walk


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
