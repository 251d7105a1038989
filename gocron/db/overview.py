"""What needs somebody's attention now, for the panel's first page. Every question is bounded: it
reads the newest few by an index, never a whole history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, text

from gocron.core.states import RunState
from gocron.db.dialects import Dialect
from gocron.db.models import Run, Task
from gocron.db.naming import table
from gocron.db.run_search import first_since

COUNTED = 10_000
"""Unfinished runs are counted up to here."""

EXAMINED = 10_000
"""Of the runs in a state, at most this many, the newest ones, are looked at."""

FAILURES = (RunState.FAILED, RunState.TIMEOUT, RunState.LOST)
NOT_RUN = (RunState.MISSED, RunState.SKIPPED)


@dataclass(frozen=True)
class Going:
    """A run that is going on. ``started_at`` is UTC."""

    id: int
    task_id: int
    task_name: str
    started_at: datetime


@dataclass(frozen=True)
class Trouble:
    """A task and how often something befell it lately; ``run_id`` is the newest case, with its
    ``state`` and ``reason``."""

    task_id: int
    task_name: str
    count: int
    run_id: int
    state: RunState
    reason: str


@dataclass(frozen=True)
class Stuck:
    """An enabled task whose slot has passed (``since``) without a run; or one that cannot be
    scheduled at all, and why."""

    task_id: int
    task_name: str
    since: datetime | None
    broken: str


def unfinished(connection: Connection) -> dict[str, int]:
    """How many runs are queued and running, up to ``COUNTED`` each."""
    run = table("run")
    return {
        str(state): connection.execute(
            text(
                f"SELECT COUNT(*) FROM (SELECT 1 AS one FROM {run} WHERE state = :state "
                f"LIMIT {COUNTED}) x"
            ),
            {"state": state},
        ).scalar_one()
        for state in (RunState.QUEUED, RunState.RUNNING)
    }


def longest_going(connection: Connection, limit: int) -> list[Going]:
    """The runs that have been going on for longest."""
    rows = connection.execute(
        select(Run.id, Run.task_id, Run.task_name, Run.started_at)
        .where(Run.state == RunState.RUNNING, Run.started_at.is_not(None))
        .order_by(Run.started_at)
        .limit(limit)
    ).all()
    return [
        Going(row.id, row.task_id, row.task_name, row.started_at)
        for row in rows
        if row.started_at is not None
    ]


def troubled(
    connection: Connection,
    states: Sequence[RunState],
    now: datetime,
    within: timedelta,
    limit: int,
) -> list[Trouble]:
    """The tasks with most runs in these ``states`` that came up ``within`` before ``now``; a range
    of missed slots counts as many."""
    first = first_since(connection, now - within)
    slots = "CASE WHEN r.missed_count > 1 THEN r.missed_count ELSE 1 END"
    newest = " UNION ALL ".join(
        f"SELECT * FROM (SELECT r.id, r.task_id, {slots} AS slots FROM {table('run')} r "
        f"WHERE r.state = '{state}' AND r.id >= :first ORDER BY r.id DESC LIMIT {EXAMINED}) x{n}"
        for n, state in enumerate(states)
    )
    rows = connection.execute(
        text(
            "SELECT y.task_id, SUM(y.slots) AS slots, MAX(y.id) AS run_id "
            f"FROM ({newest}) y GROUP BY y.task_id ORDER BY 2 DESC, 3 DESC LIMIT :limit"
        ),
        {"first": first, "limit": limit},
    ).all()
    return _with_runs(connection, rows)


def _with_runs(connection: Connection, rows: Sequence[Row[Any]]) -> list[Trouble]:
    wanted = select(Run.id, Run.task_name, Run.state, Run.reason).where(
        Run.id.in_([row.run_id for row in rows])
    )
    runs = {run.id: run for run in connection.execute(wanted)} if rows else {}
    return [
        Trouble(row.task_id, run.task_name, int(row.slots), run.id, RunState(run.state), run.reason)
        for row in rows
        if (run := runs.get(row.run_id)) is not None
    ]


def stuck(connection: Connection, dialect: Dialect, grace: timedelta, limit: int) -> list[Stuck]:
    """The enabled tasks whose slot passed more than ``grace`` ago, longest ago first; then those
    that cannot be scheduled."""
    columns = (Task.id, Task.name, Task.next_fire_at, Task.broken)
    passed = Task.next_fire_at < dialect.now(connection) - grace
    overdue = select(*columns).where(Task.enabled, passed).order_by(Task.next_fire_at)
    broken = select(*columns).where(Task.enabled, Task.next_fire_at.is_(None), Task.broken != "")
    found = [
        *connection.execute(overdue.limit(limit)),
        *connection.execute(broken.order_by(Task.id).limit(limit)),
    ]
    return [Stuck(row.id, row.name, row.next_fire_at, row.broken) for row in found[:limit]]


def is_empty(connection: Connection) -> bool:
    """Whether there is neither a task nor a run yet."""
    tables = (select(Task.id).limit(1), select(Run.id).limit(1))
    return all(connection.execute(one).first() is None for one in tables)
