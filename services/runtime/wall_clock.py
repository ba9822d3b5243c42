"""The clock on a house's wall."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def zone_of(name: str) -> ZoneInfo:
    """The house's clock; UTC where its name is none that this machine knows.

    A house that names another is served all the same, and so are those beside it.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a path, a folder: each is refused in its own way
        return ZoneInfo("UTC")
