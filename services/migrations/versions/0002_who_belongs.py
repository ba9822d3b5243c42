"""Who belongs: several secrets a device, invitations, people, signing keys, the audit.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.runtime.moment import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables; a device's secret moves into one of them."""
    op.add_column("tenants", sa.Column("limits", _DOCUMENT, nullable=True))
    op.add_column("devices", sa.Column("person", sa.String(length=64), nullable=True))
    op.add_column("devices", sa.Column("limits", _DOCUMENT, nullable=True))
    op.create_table(
        "credentials",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.String(length=255), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.CheckConstraint("serial >= 1", name=op.f("ck_credentials_serial")),
        sa.ForeignKeyConstraint(
            ["tenant", "device"],
            ["devices.tenant", "devices.device"],
            name=op.f("fk_credentials_tenant_device"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant", "device", "serial", name=op.f("pk_credentials")),
    )
    op.execute(
        "INSERT INTO credentials (tenant, device, serial, secret, created_at, expires_at) "
        "SELECT tenant, device, 1, secret, created_at, expires_at FROM devices"
    )
    op.drop_column("devices", "secret")
    _people()
    _audit()


def _people() -> None:
    op.create_table(
        "claims",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "device", name=op.f("pk_claims")),
        sa.UniqueConstraint("code", name=op.f("uq_claims_code")),
    )
    op.create_table(
        "people",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("totp", sa.Text(), nullable=True),
        sa.Column("totp_last", sa.BigInteger(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("disabled_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "person", name=op.f("pk_people")),
    )
    op.create_table(
        "signing_keys",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("private", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("retires_at", Moment(), nullable=True),
        sa.CheckConstraint("tenant = '-'", name=op.f("ck_signing_keys_of_all")),
        sa.PrimaryKeyConstraint("tenant", "kid", name=op.f("pk_signing_keys")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "serial", name=op.f("pk_audit")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_keeps_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_keeps() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is only added to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_keeps()"
    )
