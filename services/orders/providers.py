"""Payment providers of a house: under which name, and with which secret, they report."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ForeignKey, Table, Text

from services.runtime.moment import Moment
from services.runtime.tables import METADATA, SLUG

PROVIDERS: Final = Table(
    "providers",
    METADATA,
    Column("tenant", SLUG, ForeignKey("tenants.tenant"), primary_key=True),
    Column("provider", SLUG, primary_key=True),
    Column("secret", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)
"""``secret`` signs what the provider sends; it is sealed."""
