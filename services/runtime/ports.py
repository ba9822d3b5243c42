"""Small ports through which one area asks another without importing it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from schemas.menu import MenuItem
from services.runtime.work import Draft


class MenuPort(Protocol):
    """The menu, as orders need it."""

    async def items(
        self, draft: Draft, tenant: str, ids: Collection[str]
    ) -> Mapping[str, MenuItem]:
        """The items of these ids that are on the menu; unknown ids are absent."""

    async def prepare(self, draft: Draft, wanted: Collection[tuple[str, str]]) -> None:
        """Read the items ``(tenant, item)`` of a whole batch at once."""


class Ports:
    """Every port, given by the composition root."""

    def __init__(self, *, menu: MenuPort) -> None:
        self.menu = menu
