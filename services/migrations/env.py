"""Run by Alembic: migrate over the connection that `services.migrations.upgrade` gives."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from services.migrations.schema import METADATA
from services.runtime.moment import Moment


def render_item(kind: str, item: object, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column type by its name."""
    if kind == "type" and isinstance(item, Moment):
        autogen.imports.add("from services.runtime.moment import Moment")
        return "Moment()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
