"""Alembic's entry: uses the connection it is given, never one of its own."""

from __future__ import annotations

from alembic import context

from gocron.db.models import Base

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=config.attributes["version_table"],
)
with context.begin_transaction():
    context.run_migrations()
