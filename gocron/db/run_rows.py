"""Changing rows of ``run`` by their ids. Shared by ``runs`` and ``adoption``; nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from gocron.db.dialects import Columns, Dialect
from gocron.db.naming import table

IDS: Columns = {"id": "int", "revision": "int"}


def checked(condition: str) -> str:
    """SQL: a condition on rows that are found by their ids, in a form that no server takes for a
    way to find them, or a reason to expect few. By the statistics hardly any row is queued; when
    tens of thousands are, PostgreSQL would go through them all for the sake of one."""
    return f"CASE WHEN {condition} THEN 1 END IS NOT NULL"


def pack_ids(dialect: Dialect, run_ids: Iterable[int]) -> str:
    """Sorted: two transactions that lock the same rows in the same order never deadlock."""
    return dialect.pack(IDS, ((run_id, 0) for run_id in sorted(run_ids)))


def update_by_id(
    connection: Connection,
    dialect: Dialect,
    run_ids: Sequence[int],
    assignments: str,
    condition: str,
    values: dict[str, Any],
) -> int:
    statement = dialect.update_from(
        table("run"), dialect.unpack(IDS, "ids", "i"), f"t.id = i.id AND {condition}", assignments
    )
    return connection.execute(
        text(statement), values | {"ids": pack_ids(dialect, run_ids)}
    ).rowcount
