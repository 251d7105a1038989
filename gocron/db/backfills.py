"""Runs of past slots that somebody asks for: in the order of the slots, so many at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.orm import InstrumentedAttribute

from gocron.core.chain import NextRun
from gocron.core.parameters import Parameter, Value, values_for
from gocron.core.schedule import timetable_of
from gocron.core.states import RunState, Trigger
from gocron.db import audit, calendars, follow_ups, references, task_rows
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Backfill, Run
from gocron.db.naming import table
from gocron.errors import InvalidSchedule, InvalidTask, NotFound
from gocron.sayings import said, say

MOST_SLOTS = 10_000
MOST_PARALLEL = 100

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class BackfillFacts:
    """A backfill as people see it. Instants are UTC; ``waiting`` and ``running`` are runs of now,
    ``ended`` those that came to an end, ``good`` those of them that succeeded."""

    id: int
    task_id: int
    task_name: str
    first_slot: datetime
    last_slot: datetime
    slots: int
    parallel: int
    created_by: str
    created_at: datetime
    waiting: int = 0
    running: int = 0
    ended: int = 0
    good: int = 0


def create(
    database: Database,
    task_id: int,
    first: datetime,
    last: datetime,
    actor: Actor,
    *,
    parallel: int = 1,
    given: Mapping[str, object] | None = None,
) -> BackfillFacts:
    """Queue a run for every slot of the task from ``first`` to ``last``, both included, also for
    those that have run before. Slots that the scheduler has yet to come to are left to it. Raises
    ``NotFound`` and ``InvalidTask``."""
    if last < first:
        raise InvalidTask(
            "last", say("lies before the first slot (%(first)s)", first=first.isoformat())
        )
    if not 1 <= parallel <= MOST_PARALLEL:
        raise InvalidTask(
            "parallel",
            say("must be 1 to %(most)s, found %(found)s", most=MOST_PARALLEL, found=parallel),
        )

    def work(connection: Connection) -> BackfillFacts:
        task = task_rows.lock(connection, task_id)
        if task is None:
            raise NotFound(say("there is no task %(task_id)s (any more)", task_id=task_id))
        declared = [Parameter.model_validate(parameter) for parameter in task.parameters]
        values = values_for(declared, given or {})
        now = database.dialect.now(connection)
        slots = _slots(connection, task, first, min(last, now))
        key = connection.execute(
            insert(Backfill).values(
                task_id=task.id,
                task_name=task.name,
                first_slot=slots[0],
                last_slot=slots[-1],
                slots=len(slots),
                parallel=parallel,
                created_by=actor.name[:64],
                created_at=now,
            )
        ).inserted_primary_key
        assert key is not None
        rows = _rows(connection, task, slots, int(key[0]), actor, values)
        follow_ups.insert_next(connection, database.dialect, rows)
        detail: dict[str, object] = {"backfill": key[0], "slots": len(slots), "parallel": parallel}
        audit.record(connection, database.dialect, actor, "task.backfill", task.name, detail)
        return BackfillFacts(
            int(key[0]),
            task.id,
            task.name,
            slots[0],
            slots[-1],
            len(slots),
            parallel,
            actor.name,
            now,
            waiting=len(slots),
        )

    return database.transact(work)


def _slots(connection: Connection, task: Any, first: datetime, last: datetime) -> list[datetime]:
    if task.enabled and task.next_fire_at is not None:
        last = min(last, task.next_fire_at - MICROSECOND)
    try:
        days = calendars.named(connection, task_rows.names_of_calendars(task))
        timetable = timetable_of(task, days)
    except InvalidSchedule as error:
        raise InvalidTask(
            "spec",
            say(
                "task %(name)s cannot be scheduled: %(why)s", name=repr(task.name), why=said(error)
            ),
        ) from error
    if timetable is None or timetable.on_election:
        raise InvalidTask(
            "spec", say("task %(name)s has no slots of its own to run again", name=repr(task.name))
        )
    slots = timetable.between(first - MICROSECOND, last, MOST_SLOTS + 1)
    if not slots:
        raise InvalidTask(
            "first",
            say(
                "task %(name)s has no past slot from %(first)s to %(last)s",
                name=repr(task.name),
                first=first.isoformat(),
                last=last.isoformat(),
            ),
        )
    if len(slots) > MOST_SLOTS:
        raise InvalidTask(
            "last", say("that are more than %(most)s slots; choose a shorter time", most=MOST_SLOTS)
        )
    return slots


def _rows(
    connection: Connection,
    task: Any,
    slots: Sequence[datetime],
    backfill_id: int,
    actor: Actor,
    values: Mapping[str, Value],
) -> list[NextRun]:
    """One run a slot; where there have been runs, it is another attempt, and what depends on the
    task runs again as well."""
    attempts = _newest(connection, Run.attempt, [task.id], slots)
    below = references.downstream(connection, task.id)
    generations = _newest(connection, Run.generation, below, slots)
    return [
        NextRun(
            task.id,
            task.name,
            task.revision,
            slot,
            attempts.get(slot, -1) + 1,
            Trigger.BACKFILL,
            actor.name[:64],
            generations.get(slot, -1) + 1,
            follow_up=bool(task.followed),
            parameters=values or None,
            backfill_id=backfill_id,
        )
        for slot in slots
    ]


def _newest(
    connection: Connection,
    column: InstrumentedAttribute[int],
    task_ids: Collection[int],
    slots: Sequence[datetime],
) -> dict[datetime, int]:
    """The highest value for each slot, over all these tasks."""
    found = connection.execute(
        select(Run.scheduled_at, func.max(column).label("highest"))
        .where(Run.task_id.in_(task_ids), Run.scheduled_at.between(slots[0], slots[-1]))
        .group_by(Run.scheduled_at)
    )
    return {row.scheduled_at: row.highest for row in found}


def listing(database: Database, task_id: int | None = None, limit: int = 50) -> list[BackfillFacts]:
    """The newest backfills, with how far they have come."""
    wanted = select(Backfill).order_by(Backfill.id.desc()).limit(limit)
    if task_id is not None:
        wanted = wanted.where(Backfill.task_id == task_id)
    with database.read() as connection:
        found = connection.execute(wanted).all()
        if not found:
            return []
        ids = ", ".join(str(int(row.id)) for row in found)
        counts: dict[int, dict[str, int]] = {}
        for row in connection.execute(
            text(
                f"SELECT backfill_id, state, COUNT(*) AS n FROM {table('run')} "
                f"WHERE backfill_id IN ({ids}) GROUP BY backfill_id, state"
            )
        ):
            counts.setdefault(row.backfill_id, {})[row.state] = row.n
    return [_facts(row, counts.get(row.id, {})) for row in found]


def _facts(row: Any, counts: Mapping[str, int]) -> BackfillFacts:
    waiting, running = counts.get(RunState.QUEUED, 0), counts.get(RunState.RUNNING, 0)
    return BackfillFacts(
        row.id,
        row.task_id,
        row.task_name,
        row.first_slot,
        row.last_slot,
        row.slots,
        row.parallel,
        row.created_by,
        row.created_at,
        waiting,
        running,
        sum(counts.values()) - waiting - running,
        counts.get(RunState.SUCCESS, 0),
    )
