"""Counts for metrics and the panel's first page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection, text

from gocron.core.states import RunState
from gocron.db.engine import Database
from gocron.db.naming import table

WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Counts:
    """Runs by state (ended ones: of the last hour), and tasks. A range of missed slots counts as
    one."""

    runs: dict[str, int] = field(default_factory=dict)
    tasks_enabled: int = 0
    tasks_disabled: int = 0


def recent(database: Database) -> Counts:
    """Unfinished runs and those of the last ``WINDOW`` by state; enabled and disabled tasks."""
    run, dialect = table("run"), database.dialect
    with database.read() as connection:
        since = dialect.now(connection) - WINDOW
        found = connection.execute(
            text(
                f"SELECT state, COUNT(*) AS n FROM {run} "
                "WHERE scheduled_at >= :since GROUP BY state"
            ),
            {"since": dialect.time(since)},
        ).all()
        unfinished = connection.execute(
            text(
                f"SELECT state, COUNT(*) AS n FROM {run} WHERE state IN (:queued, :running) "
                "GROUP BY state"
            ),
            {"queued": RunState.QUEUED, "running": RunState.RUNNING},
        ).all()
        trouble = connection.execute(
            text(
                f"SELECT state, COUNT(*) AS n FROM {run} WHERE state IN (:missed, :lost) "
                "AND finished_at >= :since GROUP BY state"
            ),
            {"missed": RunState.MISSED, "lost": RunState.LOST, "since": dialect.time(since)},
        ).all()
        enabled, disabled = tasks_by_enabled(connection)
    runs = dict.fromkeys(map(str, RunState), 0)
    runs.update({row.state: row.n for row in found})
    exact = (RunState.QUEUED, RunState.RUNNING, RunState.MISSED, RunState.LOST)
    runs.update({str(state): 0 for state in exact})
    runs.update({row.state: row.n for row in (*unfinished, *trouble)})
    return Counts(runs, enabled, disabled)


def tasks_by_enabled(connection: Connection) -> tuple[int, int]:
    """How many tasks are enabled, and how many disabled."""
    rows = connection.execute(
        text(f"SELECT enabled, COUNT(*) AS n FROM {table('task')} GROUP BY enabled")
    ).all()
    by_enabled = {bool(row.enabled): int(row.n) for row in rows}
    return by_enabled.get(True, 0), by_enabled.get(False, 0)
