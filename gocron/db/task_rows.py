"""Rows of ``task`` inside a transaction: locking them, their cursor, and what was queued for them.
For ``tasks`` and everybody else whose change moves a task's slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, text, update

from gocron.core.definition import TaskDefinition
from gocron.core.firing import DueTask, missed_only
from gocron.core.schedule import Calendars, HasSchedule, timetable_of
from gocron.core.states import OnLost, RunState, Trigger
from gocron.db import calendar_days
from gocron.db.claims import insert_rows, pack_runs
from gocron.db.dialects import Dialect
from gocron.db.models import Run, Task
from gocron.db.naming import table
from gocron.errors import InvalidSchedule
from gocron.sayings import say

# By the names of the model, not by those of the columns: ``group`` is a word of SQL.
COLUMNS = [
    getattr(Task, attribute.key).label(attribute.key) for attribute in Task.__mapper__.column_attrs
]


ALL: Select[Any] = select(*COLUMNS)
"""Made once: that takes as long as reading a row by it."""


def lock(connection: Connection, task_id: int) -> Row[Any] | None:
    """The task's row, locked to the end of the transaction; None if there is none."""
    return connection.execute(ALL.where(Task.id == task_id).with_for_update()).one_or_none()


def columns_of(
    definition: TaskDefinition, cursor: datetime | None, now: datetime
) -> dict[str, Any]:
    """A new task as columns."""
    return definition.model_dump(mode="python") | {
        "parameters": [parameter.model_dump(mode="json") for parameter in definition.parameters],
        "next_fire_at": cursor,
        "revision": 1,
        "followed": definition.retry_times > 0 or definition.on_lost is OnLost.RERUN,
        "broken": "",
        "created_at": now,
        "updated_at": now,
    }


def by_column(values: dict[str, Any]) -> dict[str, Any]:
    """The same, by the names of the columns: an INSERT of many rows silently leaves out what it
    does not find under these."""
    attributes = Task.__mapper__.column_attrs
    return {attributes[name].columns[0].name: value for name, value in values.items()}


def due_task(row: Row[Any]) -> DueTask:
    """What a leader would read of it; its cursor must be set."""
    return DueTask(
        row.id,
        row.name,
        row.revision,
        row.next_fire_at,
        row.spec,
        row.timezone,
        row.misfire,
        row.misfire_grace,
        row.catch_up_limit,
        row.jitter,
        row.starts_at,
        row.ends_at,
        tuple(row.exclude_calendars),
        tuple(row.require_calendars),
        row.followed,
        row.broken,
    )


def first_slot(task: HasSchedule, days: Calendars, now: datetime) -> datetime | None:
    """The first slot after ``now``; None if there is none. Raises ``InvalidSchedule``."""
    timetable = timetable_of(task, days)
    return None if timetable is None else timetable.next_after(now)


def cursor(
    connection: Connection, task_id: int, task: HasSchedule, days: Calendars, now: datetime
) -> datetime | None:
    """The first slot after ``now`` that has no row yet. One may have: a runner whose clock is a
    hair ahead has begun it, or the server's clock was set back."""
    ahead = select(Run.scheduled_at).where(Run.task_id == task_id, Run.scheduled_at > now)
    taken = set(connection.execute(ahead).scalars())
    slot = first_slot(task, days, now)
    while slot in taken:
        slot = first_slot(task, days, slot)
    return slot


def settle_and_withdraw(
    connection: Connection, dialect: Dialect, old: Row[Any], now: datetime, reason: str
) -> None:
    """Record due slots that have no row yet as missed, and withdraw the runs that were queued
    for slots still to come."""
    if old.enabled and old.next_fire_at is not None and old.next_fire_at <= now:
        task = due_task(old)
        try:
            timetable = timetable_of(
                task, calendar_days.named(connection, names_of_calendars(task))
            )
        except InvalidSchedule:
            timetable = None  # it is broken: nobody can say which slots it had
        runs = missed_only(task, timetable, now, reason) if timetable is not None else []
        insert_rows(connection, dialect, pack_runs(dialect, runs), None)
    connection.execute(
        text(
            # By its slot, so that the index of the task's own slots is used: rows of other tasks
            # may be locked by a runner that is just starting them.
            f"DELETE FROM {table('run')} WHERE task_id = :id AND scheduled_at > :now "
            "AND state = :queued AND trigger_kind = :schedule AND attempt = 0"
        ),
        {
            "id": old.id,
            "queued": RunState.QUEUED,
            "schedule": Trigger.SCHEDULE,
            "now": dialect.time(now),
        },
    )


def names_of_calendars(task: HasSchedule) -> list[str]:
    """All calendars that a task names."""
    return [*task.exclude_calendars, *task.require_calendars]


def reschedule(connection: Connection, old: Row[Any], now: datetime, days: Calendars) -> None:
    """Compute the cursor of the locked task ``old`` anew, after a calendar of it has been changed
    in this transaction; ``days`` are those of all calendars that it names. What was due under the
    old ones has been settled before (``settle_and_withdraw``)."""
    values: dict[str, Any] = {"revision": old.revision + 1, "broken": ""}
    if old.enabled:
        try:
            found = cursor(connection, old.id, old, days, now)
            # Nobody could tell the slots of a broken task: those since then are late now, and
            # follow its misfire policy.
            values["next_fire_at"] = (old.next_fire_at if old.broken else None) or found
        except InvalidSchedule as error:
            values["broken"] = str(error)[:512]
            values["next_fire_at"] = old.next_fire_at if old.broken else now
    connection.execute(update(Task).where(Task.id == old.id).values(**values))


def cancel_waiting(
    connection: Connection,
    dialect: Dialect,
    task_id: int,
    reason: str,
    triggers: Sequence[Trigger],
) -> None:
    """End runs that are due but have not begun: they would begin after the commit."""
    queued = Run.state == RunState.QUEUED
    found = select(Run.id).where(Run.task_id == task_id, queued, Run.trigger.in_(triggers))
    waiting = connection.execute(found).scalars().all()
    if waiting:
        ended = {
            "state": RunState.CANCELLED,
            "finished_at": dialect.now(connection),
            "reason": say("%(changed)s before this run began", changed=reason),
        }
        # By id, so that again no other task's rows are waited for.
        connection.execute(update(Run).where(Run.id.in_(waiting), queued).values(**ended))
