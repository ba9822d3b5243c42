"""All tables of all areas, in one register."""

from __future__ import annotations

import services.kitchen.store
import services.menu.store
import services.orders.store
import services.people.tables
import services.presence.store
import services.runtime.audit  # noqa: F401 - each import registers its tables
from services.runtime.tables import METADATA

__all__ = ["METADATA"]
