"""The tables of people, their keys, and devices that are expected."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
)

from services.runtime.moment import Moment
from services.runtime.tables import METADATA, SLUG

CLAIMS: Final = Table(
    "claims",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("code", String(64), nullable=False, unique=True),
    Column("role", String(32), nullable=False),
    Column("station", SLUG),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
)
"""Devices that were invited: whoever knows the code becomes the device, once."""

PEOPLE: Final = Table(
    "people",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("person", SLUG, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("role", String(32), nullable=False),
    Column("password", String(255), nullable=False),
    Column("totp", Text),
    Column("totp_last", BigInteger),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
)
"""Operators stand under `NO_TENANT`. ``totp`` is sealed; ``totp_last`` is the time step of
the last code that counted, for a code counts once."""

SIGNING_KEYS: Final = Table(
    "signing_keys",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("kid", SLUG, primary_key=True),
    Column("public", Text, nullable=False),
    Column("private", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("retires_at", Moment),
    CheckConstraint("tenant = '-'", name="of_all"),
)
"""What tokens are signed with; ``private`` is sealed."""

SUSPENSIONS: Final = Table(
    "suspensions",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("ends_at", Moment, nullable=False),
)
"""Devices that were put out for a while, and have to be let in again."""

GUEST_PASSES: Final = Table(
    "guest_passes",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("party_id", Uuid, nullable=False),
    ForeignKeyConstraint(
        ["tenant", "device"], ["devices.tenant", "devices.device"], ondelete="CASCADE"
    ),
)
"""For which party each guest's phone was let in; with the party, the phone is put out."""
