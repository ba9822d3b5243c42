"""All tables of all areas, in one register."""

from __future__ import annotations

import services.delivery.tables
import services.inventory.tables
import services.kitchen.channels_store
import services.kitchen.metrics
import services.kitchen.store
import services.menu.store
import services.notices.tables
import services.orders.journal
import services.orders.party_tables
import services.orders.providers
import services.orders.store
import services.people.tables
import services.presence.store
import services.quality.store
import services.runtime.alerts
import services.runtime.audit
import services.runtime.house_rules
import services.staff.store
import services.tracking.tables  # noqa: F401 - each import registers its tables
from services.runtime.tables import METADATA

__all__ = ["METADATA"]
