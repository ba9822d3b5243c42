"""Which houses' rules are others than when they were seen last."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.house_rules import HOUSE_RULES


class Changes(NamedTuple):
    """What is otherwise than it was seen.

    Attributes:
        versions: the houses that have other rules, or are new, with the version of these.
        gone: the houses that have none any more.
    """

    versions: dict[str, int]
    gone: set[str]


class HouseVersions:
    """Remembers with which version of its rules each house was seen.

    Args:
        having: the column of `HOUSE_RULES` without which a house does not matter.
        version: the one that tells a version from another.
    """

    def __init__(self, having: Column[Any], version: Column[int] = HOUSE_RULES.c.version) -> None:
        self._query: Final = select(HOUSE_RULES.c.tenant, version).where(having.is_not(None))
        self._seen: dict[str, int] = {}

    async def changes(self, connection: AsyncConnection) -> Changes:
        """Tell what has changed: one small query. What changed does so until it is `saw`."""
        now = {tenant: version for tenant, version in await connection.execute(self._query)}  # noqa: C416 - rows are no pairs to mypy
        gone = self._seen.keys() - now.keys()
        self._seen = {each: seen for each, seen in self._seen.items() if each in now}
        return Changes({t: v for t, v in now.items() if self._seen.get(t) != v}, gone)

    def saw(self, tenant: str, version: int) -> None:
        """Remember that a house's rules of this version were followed."""
        self._seen[tenant] = version

    def forget(self) -> None:
        """Remember nothing: another process may have served in the meantime."""
        self._seen.clear()
