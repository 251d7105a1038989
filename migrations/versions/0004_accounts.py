"""Accounts: roles with tags, sessions, API tokens, second factors, limits on logins; requests that
are answered once."""

from __future__ import annotations

import sqlalchemy as sa

from gocron.db.naming import table
from gocron.db.schema_steps import GENERATED, PLAIN, add_column, create_index, create_table
from gocron.db.types import BigKey, UtcDateTime

revision = "0004"
down_revision = "0003"

EMPTY = sa.text("''")


def upgrade() -> None:
    """Only adds: a node of the version before keeps working beside it."""
    add_column("user", sa.Column("tags", sa.JSON()))
    add_column(
        "user", sa.Column("totp_secret", sa.String(255), nullable=False, server_default=EMPTY)
    )
    add_column("user", sa.Column("totp_since", UtcDateTime()))
    add_column("user", sa.Column("totp_begun_at", UtcDateTime()))
    add_column(
        "user",
        sa.Column("totp_step", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    add_column("user", sa.Column("external_id", sa.String(255)))
    create_index("user", "external_id", unique=True)
    create_table(
        "recovery_code",
        sa.Column("user_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("code_hash", sa.String(64), primary_key=True),
        **PLAIN,
    )
    create_table(
        "session",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("spent_hash", sa.String(64)),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        unique("session", "key_hash"),
        unique("session", "spent_hash"),
        **GENERATED,
    )
    create_index("session", "user_id")
    create_index("session", "expires_at")
    create_table(
        "api_token",
        sa.Column("id", BigKey, primary_key=True),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("last_used_at", UtcDateTime()),
        sa.Column("last_used_from", sa.String(64), nullable=False),
        unique("api_token", "user_id", "name"),
        unique("api_token", "token_hash"),
        **GENERATED,
    )
    create_table(
        "login_attempts",
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        **PLAIN,
    )
    create_index("login_attempts", "began_at")
    create_table(
        "run_request",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        **PLAIN,
    )
    create_index("run_request", "created_at")


def unique(name: str, *columns: str) -> sa.UniqueConstraint:
    """Named as the models name it."""
    return sa.UniqueConstraint(*columns, name=f"uq_{table(name)}_{'_'.join(columns)}")
