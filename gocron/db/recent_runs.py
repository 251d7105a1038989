"""The newest runs of each of the tasks of a list: one statement for a whole page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from gocron.core.states import RunState
from gocron.db.engine import Database
from gocron.db.naming import table

SHOWN = 20
"""Runs of a task."""


@dataclass(frozen=True)
class BriefRun:
    """What became of a run, and how long it took if it has ended."""

    id: int
    state: RunState
    reason: str
    scheduled_at: datetime
    duration: timedelta | None


def newest_of_each(database: Database, task_ids: Sequence[int]) -> dict[int, list[BriefRun]]:
    """Up to ``SHOWN`` runs of each task that has some, oldest first, without those that wait for
    their slot. A part of the statement for each task: so each is a short walk through the index
    on (task_id, id), however many runs there are."""
    if not task_ids:
        return {}
    dialect, run = database.dialect, table("run")
    # One more than is shown: the newest usually waits for its slot. They are few, so it is cheaper
    # to leave them out here than to ask the rows for their state on the way.
    by_task = dialect.by_index(f"ix_{run}_task_id_id")
    parts = (
        "SELECT * FROM (SELECT id, task_id, state, reason, scheduled_at, started_at, finished_at "
        f"FROM {run}{by_task} WHERE task_id = {int(task_id)} "
        f"ORDER BY id DESC LIMIT {SHOWN + 1}) AS t{number}"
        for number, task_id in enumerate(task_ids)
    )
    found: dict[int, list[BriefRun]] = {}
    with database.read() as connection:
        for row in connection.execute(text(" UNION ALL ".join(parts))):
            started = dialect.read_time(row.started_at)
            finished = dialect.read_time(row.finished_at)
            brief = BriefRun(
                row.id,
                RunState(row.state),
                row.reason,
                dialect.instant(row.scheduled_at),
                max(finished - started, timedelta()) if started and finished else None,
            )
            if brief.state is not RunState.QUEUED:
                found.setdefault(row.task_id, []).append(brief)
    for task_id, runs in found.items():
        found[task_id] = sorted(runs, key=lambda run: run.id)[-SHOWN:]
    return found
