"""How commands are made: shared options anywhere, examples in help, loading when called.

`Command` and `Group` stand for click's own in the whole command line.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from cli.names import NAME

F = TypeVar("F", bound=Callable[..., Any])

_SEEN: Final = "heard.flags"
_SOUTH: Final = re.compile(r"-[0-9.]+,-?[0-9.]+").fullmatch


def _remember(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Keep a shared option where the settings are built, wherever it stood on the line."""
    if value is not None and option.name is not None:
        flags: dict[str, Any] = context.meta.setdefault(_SEEN, {})
        flags[option.name] = value
    return value


def flags_of(context: click.Context) -> dict[str, Any]:
    """The shared options that were given, by the names of the settings."""
    flags: dict[str, Any] = context.meta.setdefault(_SEEN, {})
    return flags


def _shared(*names: str, help: str, **attributes: Any) -> Callable[[bool], click.Option]:  # noqa: A002 - click's own word
    def make(hidden: bool) -> click.Option:  # noqa: FBT001 - private to this file
        return click.Option(
            list(names),
            help=help,
            hidden=hidden,
            expose_value=False,
            callback=_remember,
            **attributes,
        )

    return make


_PATH: Final = click.Path(path_type=Path)
SHARED: Final = (
    _shared(
        "--home",
        type=_PATH,
        metavar="DIR",
        help="Where files are kept: database, secrets, outboxes.",
    ),
    _shared(
        "--database",
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME. An address with a password in it "
        "belongs into HEARD_DATABASE, where no process list shows it.",
    ),
    _shared(
        "--broker",
        type=click.Choice(["embedded", "mosquitto"]),
        help="The embedded broker of `heard up`, or a Mosquitto.",
    ),
    _shared("--broker-host", metavar="HOST", help="Where the broker listens."),
    _shared("--broker-port", type=click.IntRange(0, 65535), metavar="PORT", help="Its port."),
    _shared("--broker-tls/--no-broker-tls", default=None, help="Speak TLS to the broker."),
    _shared(
        "--broker-ca",
        type=_PATH,
        metavar="FILE",
        help="The authority that signed the broker's certificate.",
    ),
    _shared(
        "--broker-certificate",
        type=_PATH,
        metavar="FILE",
        help="Our own certificate, for a broker that wants one.",
    ),
    _shared("--broker-key", type=_PATH, metavar="FILE", help="The key of our own certificate."),
    _shared(
        "--plaintext/--no-plaintext",
        default=None,
        help="Speak and listen without TLS off this machine too.",
    ),
    _shared(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="How much is logged, to standard error.",
    ),
    _shared(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="Log lines for people or for machines.",
    ),
)


def _with_examples(text: str | None) -> str | None:
    """Keep the lines of the examples as they are; click would wrap them into one."""
    return text and inspect.cleandoc(text).replace("\nExamples:\n", "\n\b\nExamples:\n")


class Command(click.Command):
    """A command that takes the shared options too."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        attributes["help"] = _with_examples(attributes.get("help"))
        attributes.setdefault("epilog", "Shared options (--home, --database, --broker, …) may "
                              "stand here too: see `heard --help`.")  # fmt: skip
        super().__init__(*arguments, **attributes)
        taken = {option.name for option in self.params}
        self.params += [option for make in SHARED if (option := make(True)).name not in taken]  # noqa: FBT003 - private to this file

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; a place south of the equator only begins like an option."""
        return super().parse_args(ctx, [f" {each}" if _SOUTH(each) else each for each in args])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is found, and what the list of commands says of it.

    Attributes:
        module: the module to import when it is called.
        name: the command in that module.
        short: its first sentence, so that listing all of them imports none.
    """

    module: str
    name: str
    short: str


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is asked for."""

    def __init__(self, places: dict[str, Place]) -> None:
        self._places: Final = dict(places)
        self._loaded: dict[str, click.Command] = {}

    def short(self, name: str) -> str | None:
        """What the list of commands says; None where the command itself says it."""
        place = self._places.get(name)
        return None if place is None else place.short

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            place = self._places[name]
            self._loaded[name] = getattr(importlib.import_module(place.module), place.name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        self._places.pop(name, None)
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._places, *self._loaded}))

    def __len__(self) -> int:
        return len({*self._places, *self._loaded})


class Group(click.Group):
    """A family of commands."""

    command_class = Command
    group_class = type

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        attributes["help"] = _with_examples(attributes.get("help"))
        super().__init__(*arguments, **attributes)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, without loading those that say in advance what they do."""
        lazy = self.commands
        if not isinstance(lazy, LazyCommands):
            super().format_commands(ctx, formatter)
            return
        rows = [(name, lazy.short(name) or lazy[name].get_short_help_str()) for name in lazy]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def json_option(function: F) -> F:
    """Add ``--json``: for machines, whole and stable."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(
        function
    )


def drop_option(function: F) -> F:
    """Add ``--drop``: the folder of requests that come as files."""
    return click.option(
        "--drop",
        type=_PATH,
        metavar="DIR",
        expose_value=False,
        callback=_remember,
        help="Take requests that other systems put into DIR/RESTAURANT/ as files.",
    )(function)


def tenant_option(function: F) -> F:
    """Add ``--tenant``, which must be given."""
    return click.option(
        "--tenant", required=True, type=NAME, metavar="NAME", help="The restaurant."
    )(function)


def device_options(function: F) -> F:
    """Add ``--tenant`` or ``--credentials``: as whom a command connects."""
    for option in (
        click.option(
            "--credentials",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Be the device of this file, which `heard device claim` has made.",
        ),
        click.option(
            "--tenant",
            type=NAME,
            metavar="NAME",
            help="The restaurant, as a device that is let in for this command alone.",
        ),
    ):
        function = option(function)
    return function
