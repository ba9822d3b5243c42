"""The menu as a device sees it: each item retained on a topic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.envelope import envelope_of
from schemas.menu import MenuItem


class MenuView:
    """The items that have arrived; what left the menu while one was away may still be there.

    Args:
        tenant: whose menu it is.
    """

    def __init__(self, tenant: str) -> None:
        self.filter: Final = MenuItem.route.filter(tenant=tenant)
        self._items: Final[dict[str, MenuItem]] = {}
        self.items: Final[Mapping[str, MenuItem]] = MappingProxyType(self._items)
        """By item; live, and not to be changed."""

    def owns(self, topic: str) -> bool:
        """Tell whether a topic is an item's."""
        return topic.startswith(self.filter[:-1])

    def receive(self, topic: str, payload: bytes) -> None:
        """Take in what came.

        Raises:
            ValueError: it cannot be read.
        """
        item = MenuItem.route.parse(topic)["item"]
        if not payload:
            self._items.pop(item, None)
            return
        told: MenuItem = envelope_of(MenuItem).model_validate_json(payload).data
        if told.item != item:
            raise ValueError(f"it speaks of {told.item}")
        self._items[item] = told
