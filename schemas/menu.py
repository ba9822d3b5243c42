"""The menu: items with a station and a price."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from schemas.identifiers import Slug
from schemas.message import State
from schemas.money import Currency, Minor


class MenuItem(State, type="heard.menu.item.v1", topic="menu/{item}", about="item"):
    """One thing a guest can order: retained; cleared when it leaves the menu."""

    item: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    category: Annotated[str, StringConstraints(max_length=64)] = ""
    station: Slug
    price_minor: Minor
    currency: Currency
    available: bool = True
