"""Entries of an order's journal, for people. Pure."""

from __future__ import annotations

from schemas.money import to_text
from services.orders.journal import Entry
from services.orders.ledger import ACCOUNTS, Posting


def who(device: str, person: str | None) -> str:
    """Who did it: a person at a screen, a device, or the services themselves."""
    return device if person is None else f"{person} at {device}"


def by(entry: Entry) -> str:
    """Who made this change."""
    return who(entry.device, entry.person)


def moved(posting: Posting, currency: str) -> str:
    """The money that moved, account by account: ``guest +9.50, sales -9.50 GBP``."""
    if not posting.moves:
        return ""
    parts = []
    for name in ACCOUNTS:
        minor = getattr(posting, name)
        if minor:
            number, _, _ = to_text(minor, currency).partition(" ")
            parts.append(f"{name} {number if minor < 0 else '+' + number}")
    return f"{', '.join(parts)} {currency}"
