"""The menu: items with a station and a price."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.identifiers import Slug
from schemas.message import State
from schemas.money import Currency, Minor
from schemas.text import Line64, Line120


class MenuItem(State, type="heard.menu.item.v1", topic="menu/{item}", about="item"):
    """One thing a guest can order: retained; cleared when it leaves the menu."""

    item: Slug
    name: Annotated[Line120, Field(min_length=1)]
    category: Line64 = ""
    station: Slug
    price_minor: Minor
    currency: Currency
    available: bool = True
