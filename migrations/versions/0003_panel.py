"""The panel: versions of tasks, processes of nodes, languages, indexes for its lists."""

from __future__ import annotations

import sqlalchemy as sa

from gocron.db.naming import table
from gocron.db.schema_steps import GENERATED, add_column, create_index, create_table
from gocron.db.types import BigKey, UtcDateTime

revision = "0003"
down_revision = "0002"

EMPTY = sa.text("''")


def upgrade() -> None:
    """Only adds: a node of the version before keeps working beside it."""
    create_table(
        "task_version",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint(
            "task_id", "revision", name=f"uq_{table('task_version')}_task_id_revision"
        ),
        **GENERATED,
    )
    add_column("user", sa.Column("language", sa.String(16), nullable=False, server_default=EMPTY))
    add_column("node", sa.Column("processes", sa.JSON()))
    add_column("node", sa.Column("step_down_at", UtcDateTime()))
    add_column(
        "node", sa.Column("step_down_by", sa.String(64), nullable=False, server_default=EMPTY)
    )
    add_column("node", sa.Column("forgotten_at", UtcDateTime()))
    create_index("audit_log", "actor", "id")
    create_index("audit_log", "action", "id")
    create_index("audit_log", "target", "id")
    create_index("run", "task_id", "id")
    create_index("run", "state", "id")
    create_index(
        "run", "trigger_kind", "id", postgresql_where=sa.text("trigger_kind <> 'schedule'")
    )
