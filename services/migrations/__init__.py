"""The database's versions, and the way from one to the next (Alembic)."""
