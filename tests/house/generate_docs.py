"""The parts of the documents that are drawn from the code.

A document holds ``<!-- generated: NAME -->`` … ``<!-- end -->``; what stands between is
written by ``python -m tests.house.generate_docs`` (``make docs``), and a test fails where
it is stale.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from broker_config.access import RULES, Retain, Verb
from schemas.attribute_docs import attribute_docs, summary
from schemas.catalogue import MESSAGES
from schemas.devices import Role
from schemas.diagrams import (
    delivery_states,
    notice_states,
    order_states,
    party_states,
    payment_states,
    purchase_states,
    ticket_states,
)
from schemas.people import Permission
from schemas.refusals import RefusalCode
from schemas.topics import DEVICE_PLANES
from services.delivery.guest_routes import TrackingRoutes
from services.orders.provider_webhooks import ProviderWebhooks
from services.people.guest_routes import GuestRoutes
from services.people.permissions import STANDINGS
from services.people.routes import PeopleRoutes
from services.people.screen_routes import ScreenRoutes
from services.runtime.requests_over_http import RequestsOverHttp
from services.tracking.position_routes import PositionRoutes

ROOT: Final = Path(__file__).parent.parent.parent

_BLOCK: Final = re.compile(
    r"(?P<head><!-- generated: (?P<name>[a-z-]+) -->\n)(?P<body>.*?)(?P<tail><!-- end -->)",
    re.DOTALL,
)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def topics() -> str:
    """Every topic, with who publishes on it, how it travels and what it carries."""
    rows = [
        (
            f"`{message.route.template}`",
            "that device alone" if message.plane in DEVICE_PLANES else "services",
            f"{message.qos}{', retained' if message.retain else ''}",
            f"`{message.__name__}`",
            summary(message),
        )
        for message in sorted(MESSAGES, key=lambda message: message.route.template)
    ]
    return _table(("topic", "who publishes", "QoS", "message", "what it says"), rows)


def access() -> str:
    """Every line of the access policy: who may say and hear what, of its own tenant."""
    verbs = {Verb.PUBLISH: "may say", Verb.SUBSCRIBE: "may hear"}
    rows = [
        (
            _who(rule.roles),
            verbs[rule.verb],
            f"`{rule.tail if rule.plane is None else f'{rule.plane}/{rule.tail}'}`",
            rule.retain.value if rule.retain is not Retain.NOTHING else "",
        )
        for rule in RULES
    ]
    return _table(("who", "", "below `heard/v1/{tenant}/`", "retained"), rows)


def _who(roles: frozenset[Role]) -> str:
    if roles == set(Role) - {Role.SERVICE}:
        return "every device"
    return ", ".join(sorted(f"`{role}`" for role in roles))


def refusals() -> str:
    """Every code of a refusal."""
    docs = attribute_docs(RefusalCode)
    rows = [(f"`{code}`", docs.get(code.name, "")) for code in RefusalCode]
    return _table(("code", "meaning"), rows)


def commands() -> str:
    """Every command of the command line."""
    group: click.Command = importlib.import_module("cli.main").cli
    rows = [
        (f"`heard {' '.join(path)}`", command.get_short_help_str(limit=120))
        for path, command in walk(group)
        if not isinstance(command, click.Group)
    ]
    return _table(("command", "what it does"), rows)


def walk(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, the group itself included, hidden ones left out."""
    if command.hidden:
        return
    yield path, command
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            yield from walk(below, (*path, name))


def settings() -> str:
    """Every setting, with its environment variable and default."""
    cls: Any = importlib.import_module("cli.settings").Settings
    prefix = str(cls.model_config.get("env_prefix", "")).upper()
    docs = attribute_docs(cls)
    rows = []
    for name, field in cls.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Path) and default.is_relative_to(Path.home()):
            default = f"~/{default.relative_to(Path.home())}"
        shown = "" if field.is_required() or default is None or default == "" else f"`{default}`"
        told = " ".join((field.description or docs.get(name, "")).split())
        rows.append((f"`{name}`", f"`{prefix}{name.upper()}`", shown, told))
    return _table(("in `heard.toml`", "variable", "default", "what it says"), rows)


def abuse() -> str:
    """Every attempt of ``tests/abuse``, and what it comes to on each broker."""
    written: str = importlib.import_module("tests.abuse.attempts").table()
    return written


def people_roles() -> str:
    """Every role of people, with what its screens are and what it may ask."""
    docs = attribute_docs(Permission)
    rows = [
        (
            role.value,
            f"`{standing.screen}`",
            ", ".join(f"`{each}`" for each in sorted(standing.may)) or "nothing",
        )
        for role, standing in STANDINGS.items()
    ]
    meanings = [(f"`{each}`", docs.get(each.name, "")) for each in Permission]
    return (
        _table(("role", "its screens are, to the broker", "may ask the gateway"), rows)
        + "\n\n"
        + _table(("permission", "to do what"), meanings)
    )


def routes() -> str:
    """Every route of the gateway, with what it is for."""
    # Routes need nothing to be listed.
    areas: tuple[Any, ...] = (
        PeopleRoutes,
        GuestRoutes,
        TrackingRoutes,
        ScreenRoutes,
        PositionRoutes,
        RequestsOverHttp,
        ProviderWebhooks,
    )
    rows = [
        (f"`{each.method} {each.path}`", (each.answer.__doc__ or "").splitlines()[0])
        for area in areas
        for each in area.__new__(area).offers
    ]
    rows.append(("`GET /healthz`", "Tell that it answers, and whether this process serves."))
    return _table(("route", "what it does"), rows)


def limits() -> str:
    """What devices of each role, and a tenant, are held to."""
    held: Any = importlib.import_module("services.people.limits")
    rows = [(f"`{role.value}`", *_amounts(each)) for role, each in held.BY_ROLE.items()]
    rows.append(("all of a tenant together", *_amounts(held.OF_TENANT)))
    return _table(
        ("role", "messages a second", "burst", "bytes a second", "burst", "payload"), rows
    )


def _amounts(held: Any) -> tuple[str, ...]:
    amounts = (held.messages_per_s, held.messages_burst, held.bytes_per_s, held.bytes_burst)
    return tuple("" if each is None else f"{each:,.0f}" for each in (*amounts, held.payload_bytes))


def _mermaid(draw: Callable[[], str]) -> Callable[[], str]:
    return lambda: f"```mermaid\n{draw()}\n```"


GENERATORS: Final[dict[str, Callable[[], str]]] = {
    "topics": topics,
    "access": access,
    "refusals": refusals,
    "order-states": _mermaid(order_states),
    "ticket-states": _mermaid(ticket_states),
    "payment-states": _mermaid(payment_states),
    "party-states": _mermaid(party_states),
    "notice-states": _mermaid(notice_states),
    "purchase-states": _mermaid(purchase_states),
    "delivery-states": _mermaid(delivery_states),
    "commands": commands,
    "settings": settings,
    "people-roles": people_roles,
    "routes": routes,
    "abuse": abuse,
    "limits": limits,
}


class UnknownBlock(LookupError):
    """A document asks for a block that nothing generates."""


def renewed(text: str) -> str:
    """A document's text with every generated block written anew."""

    def write(block: re.Match[str]) -> str:
        name = block["name"]
        if name not in GENERATORS:
            raise UnknownBlock(f"nothing generates {name!r}: there are {sorted(GENERATORS)}")
        return f"{block['head']}\n{GENERATORS[name]()}\n\n{block['tail']}"

    return _BLOCK.sub(write, text)


def documents() -> list[Path]:
    """The documents that may hold generated blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> None:
    """Write every stale block anew, and say which documents changed."""
    for path in documents():
        old = path.read_text()
        new = renewed(old)
        if new != old:
            path.write_text(new)
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
