"""What the menu asks of itself: see `services.runtime.intake`."""

from __future__ import annotations

from pydantic import AwareDatetime

from schemas.identifiers import Slug
from schemas.message import Request


class EndSellOut(Request, type="heard.inside.end-sell-out.v1", topic="inside/end-sell-out"):
    """The time is up for which something was taken off."""

    name: str
    """An item's; or a modifier's, with ``with:`` before it."""
    back_at: AwareDatetime


class ShowItems(Request, type="heard.inside.show-items.v1", topic="inside/show-items"):
    """Tell again how items can be had: it is another time of day, or another menu."""

    items: tuple[Slug, ...] = ()
    """None named are all that stand in another way than they are written."""
