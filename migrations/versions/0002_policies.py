"""Policies: windows, calendars, groups, retries, dependencies, pauses, parameters, backfills."""

from __future__ import annotations

import sqlalchemy as sa

from gocron.db.naming import table
from gocron.db.schema_steps import (
    GENERATED,
    PLAIN,
    add_column,
    create_index,
    create_table,
    insert_unless_there,
)
from gocron.db.types import BigKey, LongText, UtcDateTime

revision = "0002"
down_revision = "0001"

ZERO = sa.text("0")
EMPTY = sa.text("''")


def upgrade() -> None:
    """Only adds: a node of the version before keeps working beside it."""
    _extend_task()
    _extend_run()
    create_table(
        "task_dependency",
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("parent_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("need", sa.String(16), nullable=False),
        **PLAIN,
    )
    create_index("task_dependency", "parent_id")
    create_table(
        "calendar",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("days", LongText, nullable=False),
        sa.Column("day_count", sa.Integer(), nullable=False),
        sa.Column("remark", sa.String(512), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("name", name=f"uq_{table('calendar')}_name"),
        **GENERATED,
    )
    create_table(
        "concurrency_group",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=False),
        sa.Column("remark", sa.String(512), nullable=False),
        sa.UniqueConstraint("name", name=f"uq_{table('concurrency_group')}_name"),
        **GENERATED,
    )
    create_table(
        "pause",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(256), nullable=False),
        sa.Column("until", UtcDateTime()),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("tag", name=f"uq_{table('pause')}_tag"),
        **GENERATED,
    )
    create_table(
        "backfill",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("task_name", sa.String(128), nullable=False),
        sa.Column("first_slot", UtcDateTime(), nullable=False),
        sa.Column("last_slot", UtcDateTime(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("parallel", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        **GENERATED,
    )
    create_index("backfill", "task_id")
    # Locked by whoever changes dependencies.
    insert_unless_there("setting", "name", name="dependencies", value="0")


def _extend_task() -> None:
    for column in (
        sa.Column("misfire_grace", sa.Integer()),
        sa.Column("catch_up_limit", sa.Integer(), nullable=False, server_default=sa.text("100")),
        sa.Column("starts_at", UtcDateTime()),
        sa.Column("ends_at", UtcDateTime()),
        sa.Column("jitter", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("exclude_calendars", sa.JSON()),
        sa.Column("require_calendars", sa.JSON()),
        sa.Column("concurrency_group", sa.String(64), nullable=False, server_default=EMPTY),
        sa.Column("priority", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("retry_times", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("retry_interval", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("retry_backoff", sa.String(16), nullable=False, server_default="fixed"),
        sa.Column("retry_jitter", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("retry_on", sa.JSON()),
        sa.Column("on_lost", sa.String(16), nullable=False, server_default="fail"),
        sa.Column("depends_on", sa.JSON()),
        sa.Column("parameters", sa.JSON()),
        sa.Column("followed", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("broken", sa.String(512), nullable=False, server_default=EMPTY),
    ):
        add_column("task", column)
    create_index("task", "concurrency_group")


def _extend_run() -> None:
    for column in (
        sa.Column("held_at", UtcDateTime()),
        sa.Column("follow_up", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("generation", sa.Integer(), nullable=False, server_default=ZERO),
        sa.Column("parents", sa.JSON()),
        sa.Column("parameters", sa.JSON()),
        sa.Column("backfill_id", sa.BigInteger()),
    ):
        add_column("run", column)
    create_index("run", "follow_up", "id")
    create_index("run", "backfill_id")
