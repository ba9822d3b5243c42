"""The command line: `heard`."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import traceback
from typing import Final, NoReturn

import click

from cli.failures import explain
from cli.grammar import SHARED, Group, LazyCommands, Place

INTERRUPTED: Final = 130
_BENCH: Final = "cli.bench"


def _places() -> dict[str, Place]:
    def at(name: str, short: str, *, called: str | None = None) -> Place:
        return Place(f"cli.commands.{name}", called or name, short)

    places = {
        "up": at("up", "Run broker, services and database in this one process."),
        "serve": at("serve", "Run the services against a broker and database of their own."),
        "db": at("db", "Look after the database."),
        "tenant": at("tenant", "Look after tenants: the restaurants."),
        "device": at("device", "Let devices in, and put them out."),
        "person": at("person", "Look after people: staff who log in at screens, and operators."),
        "limits": at("limits", "Say how much devices and restaurants may send."),
        "menu": at("menu", "Import and show menus."),
        "item": at("item", "Take items off the menu for a while, and see what is left of them."),
        "order": at("order", "Place orders, change them, take money for them, and look at them."),
        "delivery": at("delivery", "Say who brings which order, and see how far it is."),
        "courier": at("courier", "Say who brings orders, and what they carry."),
        "party": at("party", "Let several guests put one order together."),
        "explain": at("explain", "Tell the whole story of something."),
        "guest": at("guest", "Look after what is kept of guests."),
        "notify": at(
            "notify", "Tell guests, staff and other systems of changes: over MQTT, webhooks, email."
        ),
        "provider": at("provider", "Say which payment providers a restaurant believes."),
        "kitchen": at("kitchen", "See what the kitchen sees, and do what its cooks do."),
        "recipe": at("recipe", "Say how dishes are made, of what, and see what they cost."),
        "stock": at("stock", "See what is on the shelves, and say what comes, goes and is lost."),
        "station": at("station", "Say how a house's stations work, and close and open them."),
        "printer": at("printer", "Print a station's tickets."),
        "dispatch": at("dispatch", "Plan who brings what, timed to the food; measure how well."),
        "eta": at("eta", "Learn how long orders take to the door, and measure how well."),
        "alert": at("alert", "See what is wrong in a house, and say that somebody sees to it."),
        "staff": at("staff", "Say who is on duty, give them work, and tell them things."),
        "tail": at("tail", "Show messages as they pass, decoded, one line each, until Ctrl-C."),
        "tracker": at("tracker", "Be a tracker."),
        "fence": at("fence", "Say which places and areas matter, and who has to stay where."),
        "fixes": at("fixes", "Look after the positions that are kept: export and prune them."),
        "track": at("track", "See where vehicles are, and what their trackers are told."),
        "replay": at("replay", "Send what a file holds, as it was."),
        "simulate": at("simulate", "Try a house out before there is one."),
        "quarantine": at(
            "quarantine", "Look at messages that nobody could understand; they are kept whole."
        ),
        "doctor": at("doctor", "Say what is wrong, and the command that mends it."),
        "contract": at("contract", "Print the contract: every message with its topic and payload."),
        "broker": at("broker", "Set up a broker."),
        "audit": at("audit", "See who did what to which device, person or setting."),
        "tls": at("tls", "Make certificates, and look at them."),
        "completion": at(
            "completion", "Print the completion for your shell, to be read by its start-up file."
        ),
    }
    if importlib.util.find_spec(_BENCH) is not None:
        places["bench"] = Place(_BENCH, "bench", "Measure how fast orders and positions travel.")
    return places


@click.group(
    cls=Group,
    commands=LazyCommands(_places()),
    params=[make(False) for make in SHARED],  # noqa: FBT003 - shown here, and nowhere else
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="heard", prog_name="heard")
def cli() -> None:
    """Orders over MQTT, kept exactly once, and heard.

    Settings come from these options, then from HEARD_… variables, then from heard.toml.

    Examples:
      heard up --demo
      heard order place --tenant demo burger=2 fries=1 --table 7
      heard doctor
    """


class Terminated(BaseException):
    """Somebody asked this process to end."""


def _terminate(_signal: int, _frame: object) -> NoReturn:
    raise Terminated


def main() -> NoReturn:
    """Run the command line; the console script."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code, having said in one line what went wrong."""
    try:
        code = cli.main(arguments, prog_name="heard", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - the last place where anything can be said
        return _end(error)
    return code if isinstance(code, int) else 0


def _end(error: BaseException) -> int:  # noqa: PLR0911 - one for each way to end
    """The exit code for what ended a command, with its one line."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.UsageError():
            where = error.ctx.command_path if error.ctx else "heard"
            return _say(f"{error.format_message()} (see `{where} --help`)", error.exit_code)
        case click.ClickException():
            return _say(error.format_message(), error.exit_code)
        case click.Abort():
            return INTERRUPTED if isinstance(error.__cause__, KeyboardInterrupt) else 1
        case KeyboardInterrupt():
            return INTERRUPTED
        case Terminated():
            return 128 + signal.SIGTERM
        case BrokenPipeError():
            # Whoever read our output has seen enough; Python would complain of it at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
    return _complain(error)


def _say(text: str, code: int) -> int:
    click.echo(f"heard: {' '.join(text.split())}", err=True)
    return code


def _complain(error: BaseException) -> int:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    known = explain(error)
    if known is None:
        if os.environ.get("HEARD_LOG_LEVEL") == "debug" or "debug" in sys.argv:
            traceback.print_exception(error)
        what = f"{type(error).__name__}: {str(error)[:300]}"
        known = f"a fault of ours: {what} (with --log-level debug it says where)"
    return _say(known, 1)


if __name__ == "__main__":
    main()
