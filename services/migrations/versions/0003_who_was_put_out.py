"""Who was put out for a while.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.runtime.moment import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "suspensions",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "device", name=op.f("pk_suspensions")),
    )
