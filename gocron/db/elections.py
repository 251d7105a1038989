"""``@reboot``: once for every election, the moment of the election being the slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from gocron.core.firing import PlannedRun
from gocron.core.schedule import timetable_of
from gocron.core.states import Trigger
from gocron.db import calendars, task_rows
from gocron.db.claims import Claimant, insert_rows, pack_runs, require_term
from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.models import Task
from gocron.db.naming import table
from gocron.db.run_rows import IDS
from gocron.errors import InvalidSchedule


def queue_election_runs(
    database: Database, claimant: Claimant, on_election: Callable[[str, str], bool]
) -> int:
    """Queue a run of every enabled task that wants one at each election (``on_election(spec,
    zone)``); how many there are. A second call under the same term changes nothing: the slot is
    when the term began. A task that was saved after that waits for the next, and so does one whose
    window or calendars do not allow that moment. Raises ``TermOver``.
    """
    dialect = database.dialect
    with database.read() as connection:
        began = _began(connection, claimant)
        if began is None:
            return 0
        moment = dialect.instant(began)
        tasks = [
            task
            for task in connection.execute(
                # Tasks without a next slot: an index leads to those few.
                task_rows.ALL.where(
                    Task.enabled,
                    Task.next_fire_at.is_(None),
                    Task.spec != "",
                    Task.updated_at <= moment,
                )
            )
            if on_election(task.spec, task.timezone) and _allowed(connection, task, moment)
        ]
    runs = [
        PlannedRun(
            task.id,
            task.name,
            task.revision,
            moment,
            trigger=Trigger.ELECTION,
            follow_up=task.followed,
        )
        for task in tasks
    ]
    if not runs:
        return 0

    def work(connection: Connection) -> int:
        require_term(connection, claimant.term)
        unchanged = _lock_unchanged(connection, dialect, runs)
        packed = pack_runs(dialect, (run for run in runs if run.task_id in unchanged))
        insert_rows(connection, dialect, packed, claimant)
        return len(unchanged)

    return database.transact(work)


def _allowed(connection: Connection, task: Row[Any], moment: datetime) -> bool:
    """By its window and its calendars; a task that is broken does not run."""
    try:
        days = calendars.named(connection, task_rows.names_of_calendars(task))
        timetable = timetable_of(task, days)
    except InvalidSchedule:
        return False
    return timetable is not None and timetable.allows(moment)


def _lock_unchanged(
    connection: Connection, dialect: Dialect, runs: Sequence[PlannedRun]
) -> set[int]:
    """Ids of the tasks that are as they were. One that is being changed is waited for: nobody asks
    again before the next election."""
    found = connection.execute(
        text(
            f"SELECT t.id FROM {dialect.unpack(IDS, 'ids', 'i')} "
            f"{dialect.straight_join} {table('task')} t{dialect.by_key} ON t.id = i.id "
            f"AND t.revision = i.revision ORDER BY t.id{dialect.for_update_of('t')}"
        ),
        {"ids": dialect.pack(IDS, sorted((run.task_id, run.revision) for run in runs))},
    )
    return set(found.scalars())


def _began(connection: Connection, claimant: Claimant) -> object:
    """When the term began; on SQLite, where nobody is elected, when the node was started."""
    found = connection.execute(
        text(f"SELECT MAX(began_at) FROM {table('leadership')} WHERE term = :term"),
        {"term": claimant.term},
    ).scalar_one_or_none()
    if found is not None:
        return found
    return connection.execute(
        text(f"SELECT started_at FROM {table('node')} WHERE id = :id"), {"id": claimant.node_id}
    ).scalar_one_or_none()
