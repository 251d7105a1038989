"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa

from gocron.db.naming import table
from gocron.db.schema_steps import (
    GENERATED,
    PLAIN,
    create_index,
    create_table,
    insert_unless_there,
)
from gocron.db.types import BigKey, LongText, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Tables, indexes, and the one row that elections are about."""
    create_table(
        "audit_log",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("node_name", sa.String(128), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(160), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        **GENERATED,
    )
    create_index("audit_log", "at")
    create_table(
        "leadership",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("locked_by", sa.String(300), nullable=False),
        sa.Column("node_name", sa.String(128), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("end_reason", sa.String(255), nullable=False),
        **GENERATED,
    )
    create_index("leadership", "term")
    create_table(
        "node",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("incarnation", sa.String(32), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=False),
        sa.Column("stopped_at", UtcDateTime()),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.UniqueConstraint("name", name=f"uq_{table('node')}_name"),
        **GENERATED,
    )
    create_table(
        "run",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("task_name", sa.String(128), nullable=False),
        sa.Column("scheduled_at", UtcDateTime(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("start_at", UtcDateTime(), nullable=False),
        sa.Column("trigger_kind", sa.String(16), nullable=False),
        sa.Column("triggered_by", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(512), nullable=False),
        sa.Column("owner_id", sa.BigInteger()),
        sa.Column("term", sa.BigInteger()),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime()),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("missed_until", UtcDateTime()),
        sa.Column("missed_count", sa.Integer()),
        sa.Column("output_bytes", sa.BigInteger(), nullable=False),
        sa.Column("stop_requested_at", UtcDateTime()),
        sa.Column("stop_requested_by", sa.String(64), nullable=False),
        sa.UniqueConstraint(
            "task_id",
            "scheduled_at",
            "attempt",
            name=f"uq_{table('run')}_task_id_scheduled_at_attempt",
        ),
        **GENERATED,
    )
    create_index("run", "state", "owner_id", "id")
    create_index("run", "scheduled_at")
    create_table(
        "run_output",
        sa.Column("run_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content", LongText, nullable=False),
        **PLAIN,
    )
    create_table(
        "scheduler_lock",
        sa.Column("lock_name", sa.String(64), primary_key=True),
        sa.Column("locked_by", sa.String(300)),
        sa.Column("node_name", sa.String(128)),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("locked_at", UtcDateTime()),
        sa.Column("renewed_at", UtcDateTime()),
        sa.Column("expires_at", UtcDateTime()),
        **PLAIN,
    )
    create_table(
        "setting",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
        **PLAIN,
    )
    create_table(
        "task",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("spec", sa.String(255), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("protocol", sa.String(16), nullable=False),
        sa.Column("command", LongText, nullable=False),
        sa.Column("working_dir", sa.String(1024), nullable=False),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.Column("http_method", sa.String(8), nullable=False),
        sa.Column("http_headers", sa.JSON(), nullable=False),
        sa.Column("http_body", LongText, nullable=False),
        sa.Column("http_statuses", sa.String(255), nullable=False),
        sa.Column("http_verify_tls", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("success_pattern", sa.String(1024), nullable=False),
        sa.Column("timeout", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.String(16), nullable=False),
        sa.Column("max_parallel", sa.Integer(), nullable=False),
        sa.Column("misfire", sa.String(16), nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("remark", LongText, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("next_fire_at", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("name", name=f"uq_{table('task')}_name"),
        **GENERATED,
    )
    create_index("task", "enabled", "next_fire_at", "id")
    create_index("task", "tag")
    create_table(
        "user",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", UtcDateTime()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_login_at", UtcDateTime()),
        sa.UniqueConstraint("username", name=f"uq_{table('user')}_username"),
        **GENERATED,
    )
    insert_unless_there("scheduler_lock", "lock_name", lock_name="scheduler_leader", term=0)
