"""The eighty attempts, and what each must come to.

A case declares its outcome in words, one for each broker, and while it runs it says what
it sees (`Scene.seen`, `Scene.holds`). The words it declared must be the words it said: so
the table in ``docs/security.md``, which is written from the declarations, holds nothing
that an assertion has not shown.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

BROKERS: Final = ("embedded", "mosquitto")

CAME: Final = r"New client connected from [\d.]+:\d+ as ta:"
"""All that Mosquitto logs, short of `debug`, of one whose SUBSCRIBE or PUBLISH it denies:
who came, from where and when. It is no line about the attempt; it says whom to look at."""

SOMEBODY: Final = "'somebody'"
"""What the embedded broker calls those who never said who they are, or in no MQTT 3.1.1."""
FIVE: Final = f"login refused: {SOMEBODY} from .* does not speak MQTT 3"

LIST: Final[dict[str, tuple[str, ...]]] = {
    "Identity": (
        "connect with no credentials",
        "a wrong password with a live victim's client id, clean session",
        "the same, not clean",
        "own valid user with a victim's client id, not clean",
        "the same while the victim is offline with a queue",
        "one client id from two places at once",
        "an expired token at connect",
        "a token that expires mid-session",
        "a token with `alg: none` or a swapped algorithm",
        "a token of `ta` with a user name of `tb`",
        "a revoked device that is still connected",
        "durable subscriptions of a revoked device",
        "a client id with `#`, `+`, `/`",
        "a client id of 60 kB",
        "an empty client id, not clean",
        "password brute force",
        "telling users apart by timing",
    ),
    "Subscribe": (
        "`#`",
        "`+/#`",
        "the victim's whole tree",
        "a wildcard in the tenant's level",
        "`$share/g/` before the victim's tree",
        "`$share/g/#`",
        "joining the share group of the services",
        "`$SYS/#`",
        "`$CONTROL/#`",
        "a broker's internal trees (`$JS/#`, `$MQTT/#`)",
        "`x/#` where only `x/+` is allowed",
        "prefix confusion (`ta` against `ta2`)",
        "case and Unicode look-alikes of a tenant",
        "separators of another protocol (`.`, `>`, `*`)",
        "1,000 filters in one packet",
        "many overlapping wildcards",
        "connect and subscribe to nothing: no retained message may arrive",
    ),
    "Publish": (
        "into `tb` on MQTT 5",
        "into `tb` on MQTT 3.1.1",
        "a reply or receipt in the name of another device",
        "state or event topics as a device",
        "`$CONTROL`",
        "`$SYS`",
        "a topic with a wildcard in it",
        "a retained message into `tb`",
        "clearing another's retained birth",
        "a million distinct retained topics of one's own",
        "retained messages left behind by a revoked device",
        "a payload's tenant or device unlike the topic's",
        "a foreign response topic in a request",
    ),
    "Will": (
        "a will into `tb`",
        "a retained one",
        "one to `$CONTROL`",
        "one of the largest size",
        "connect and abort in a loop to fire wills",
        "a will delay of a year",
    ),
    "Protocol and load": (
        "TCP open, no CONNECT",
        "CONNECT at a byte a second",
        "a flood of CONNECTs",
        "a storm of reconnects",
        "an announced length of 256 MB",
        "a payload of 20 MB",
        "a topic in broken UTF-8",
        "NUL in a topic",
        "a topic of 300 levels",
        "a topic of 65,000 bytes",
        "QoS 3",
        "a second CONNECT",
        "a reserved packet type",
        "a topic alias that was never mapped",
        "thousands of user properties",
        "QoS 2, one packet id again and again, no PUBREL",
        "a subscriber that never acknowledges",
        "a subscriber that never reads",
        "silence past keepalive",
        "endless persistent sessions",
    ),
    "Application": (
        "a request replayed, same body",
        "the same id, another body",
        "a request id of another tenant",
        "an old version after a newer",
        "JSON bomb, duplicate keys, NaN",
        "SQL and HTML in notes and names",
        "a fix from the future",
    ),
}

TITLES: Final = tuple(title for titles in LIST.values() for title in titles)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one case declares.

    Attributes:
        case: the name of the test.
        module: where it stands.
        outcomes: the words for each broker.
        logged: for each broker a pattern of the line that must stand in a log; what
            is missing here leaves none.
        private: it needs a stage of its own, for it may leave a mess.
    """

    number: int
    case: str
    module: str
    outcomes: dict[str, str]
    logged: dict[str, str]
    private: bool


ATTEMPTS: Final[dict[int, Attempt]] = {}

Case = TypeVar("Case", bound=Callable[..., None])


class Misdeclared(ValueError):
    """A case is not declared as it should be."""


def attempt(
    number: int,
    *,
    both: str = "",
    embedded: str = "",
    mosquitto: str = "",
    logged: str = "",
    embedded_logs: str = "",
    mosquitto_logs: str = "",
    private: bool = False,
) -> Callable[[Case], Case]:
    """Declare a case: its number in the list, and what it comes to on each broker."""
    outcomes = {"embedded": embedded or both, "mosquitto": mosquitto or both}
    patterns = {"embedded": embedded_logs or logged, "mosquitto": mosquitto_logs or logged}

    def declare(case: Case) -> Case:
        name = case.__name__
        if number_of(name) != number or not all(outcomes.values()):
            raise Misdeclared(f"{name} is declared as attempt {number}: {outcomes}")
        if number in ATTEMPTS and ATTEMPTS[number].case != name:
            raise Misdeclared(f"attempt {number} is {ATTEMPTS[number].case} and {name}")
        ATTEMPTS[number] = Attempt(
            number, name, case.__module__, outcomes, _given(patterns), private
        )
        return case

    return declare


def _given(by_broker: dict[str, str]) -> dict[str, str]:
    return {broker: text for broker, text in by_broker.items() if text}


def number_of(case: str) -> int:
    """The number in a test's name."""
    match = re.match(r"test_(\d\d)_", case)
    return int(match[1]) if match else 0


def gather() -> dict[int, Attempt]:
    """Every attempt that a case of this folder declares, by number."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.abuse.{path.stem}")
    return dict(sorted(ATTEMPTS.items()))


def table() -> str:
    """The table for people: every attempt, and what it comes to on each broker."""
    declared = gather()
    lines = ["| | attempt | embedded broker | Mosquitto |", "| --- | --- | --- | --- |"]
    number = 0
    for section, titles in LIST.items():
        lines.append(f"| | **{section}** | | |")
        for title in titles:
            number += 1
            cells = [_told(declared.get(number), broker) for broker in BROKERS]
            lines.append(f"| {number} | {title} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _told(one: Attempt | None, broker: str) -> str:
    if one is None:
        return "**open**: not tried yet"
    return one.outcomes[broker].replace("|", "\\|")
