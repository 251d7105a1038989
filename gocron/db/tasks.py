"""Changing tasks. Every change holds from its commit on, whatever node it was made on.

The same transaction that changes a definition withdraws the runs that were queued ahead under the
old one, computes the cursor anew and raises ``revision``; a claim that was planned before finds
that nothing matches any more. Slots that were due and had no row yet are recorded as missed, so
nothing vanishes with an edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from gocron.core.definition import TaskDefinition
from gocron.core.firing import DueTask, missed_only
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import parse
from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.claims import ROWS, insert_rows
from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.models import Run, Task
from gocron.db.naming import table
from gocron.errors import Conflict, InvalidTask, NotFound

INSERT_PAGE = 1000

TASK = Task.__table__
RUN = Run.__table__


def create(database: Database, definition: TaskDefinition, actor: Actor) -> int:
    """A new task; its id. Raises ``InvalidTask`` if the name is taken."""

    def work(connection: Connection) -> int:
        _require_free_name(connection, definition.name, None)
        now = database.dialect.now(connection)
        values = row_of(definition, now)
        key = connection.execute(insert(Task).values(**values)).inserted_primary_key
        assert key is not None
        audit.record(connection, database.dialect, actor, "task.create", definition.name)
        return int(key[0])

    return database.transact(work)


def create_many(database: Database, definitions: Sequence[TaskDefinition], actor: Actor) -> int:
    """All of them or none; raises ``InvalidTask`` if a name is taken."""

    def work(connection: Connection) -> int:
        taken = set(connection.execute(select(Task.name)).scalars())
        for definition in definitions:
            if definition.name in taken:
                raise InvalidTask("name", f"{definition.name!r} is taken by another task")
        now = database.dialect.now(connection)
        for start in range(0, len(definitions), INSERT_PAGE):
            page = definitions[start : start + INSERT_PAGE]
            connection.execute(insert(Task), [row_of(definition, now) for definition in page])
        audit.record(
            connection, database.dialect, actor, "task.import", f"{len(definitions)} tasks"
        )
        return len(definitions)

    return database.transact(work)


def edit(
    database: Database,
    task_id: int,
    definition: TaskDefinition,
    actor: Actor,
    expected_revision: int | None = None,
) -> None:
    """Replace a definition. Raises ``NotFound``, ``InvalidTask``, or ``Conflict`` if somebody
    else changed the task since ``expected_revision``."""

    def work(connection: Connection) -> None:
        dialect = database.dialect
        old = _lock(connection, task_id)
        if expected_revision is not None and old.revision != expected_revision:
            raise Conflict(
                f"task {old.name!r} was changed by somebody else in the meantime; "
                "load it again, then repeat your change"
            )
        _require_free_name(connection, definition.name, task_id)
        now = dialect.now(connection)
        _settle_and_withdraw(connection, dialect, old, now, "the task was changed")
        values = row_of(definition, now)
        del values["created_at"]
        values["revision"] = old.revision + 1
        connection.execute(update(Task).where(Task.id == task_id).values(**values))
        audit.record(
            connection,
            dialect,
            actor,
            "task.edit",
            definition.name,
            {"changed": _difference(old, values)},
        )

    database.transact(work)


def set_enabled(database: Database, task_ids: Sequence[int], enabled: bool, actor: Actor) -> int:
    """Enable or disable; how many changed. Tasks that do not exist any more are passed over."""

    def work(connection: Connection) -> int:
        dialect = database.dialect
        changed = 0
        for task_id in sorted(set(task_ids)):
            try:
                old = _lock(connection, task_id)
            except NotFound:
                continue
            if bool(old.enabled) == enabled:
                continue
            now = dialect.now(connection)
            _settle_and_withdraw(connection, dialect, old, now, "the task was disabled")
            values = {
                "enabled": enabled,
                "next_fire_at": first_slot(old.spec, old.timezone, now) if enabled else None,
                "revision": old.revision + 1,
                "updated_at": now,
            }
            connection.execute(update(Task).where(Task.id == task_id).values(**values))
            action = "task.enable" if enabled else "task.disable"
            audit.record(connection, dialect, actor, action, old.name)
            changed += 1
        return changed

    return database.transact(work)


def delete(database: Database, task_ids: Sequence[int], actor: Actor) -> int:
    """Delete tasks; how many there were. Their history of runs stays; running runs go on."""

    def work(connection: Connection) -> int:
        dialect = database.dialect
        deleted = 0
        for task_id in sorted(set(task_ids)):
            try:
                old = _lock(connection, task_id)
            except NotFound:
                continue
            now = dialect.now(connection)
            _settle_and_withdraw(connection, dialect, old, now, "the task was deleted")
            connection.execute(
                text(
                    f"UPDATE {table('run')} SET state = :cancelled, finished_at = {dialect.clock}, "
                    "reason = 'the task was deleted before this run began' "
                    "WHERE task_id = :id AND state = :queued"
                ),
                {
                    "id": task_id,
                    "cancelled": RunState.CANCELLED,
                    "queued": RunState.QUEUED,
                },
            )
            connection.execute(text(f"DELETE FROM {table('task')} WHERE id = :id"), {"id": task_id})
            audit.record(connection, dialect, actor, "task.delete", old.name)
            deleted += 1
        return deleted

    return database.transact(work)


def run_now(database: Database, task_id: int, actor: Actor) -> int:
    """Queue a run outside the schedule; its id. The leader starts it within half a second."""

    def work(connection: Connection) -> int:
        dialect = database.dialect
        task = connection.execute(
            select(Task.id, Task.name, Task.revision).where(Task.id == task_id)
        ).one_or_none()
        if task is None:
            raise NotFound(f"there is no task {task_id}")
        now = dialect.now(connection)
        key = connection.execute(
            insert(RUN).values(
                task_id=task.id,
                task_name=task.name,
                scheduled_at=now,
                start_at=now,
                attempt=0,
                trigger_kind=Trigger.MANUAL,
                triggered_by=actor.name[:64],
                state=RunState.QUEUED,
                reason="",
                revision=task.revision,
                created_at=now,
                output_bytes=0,
                stop_requested_by="",
            )
        ).inserted_primary_key
        assert key is not None
        audit.record(connection, dialect, actor, "task.run", task.name, {"run": key[0]})
        return int(key[0])

    return database.transact(work)


def row_of(definition: TaskDefinition, now: datetime) -> dict[str, Any]:
    """A definition as columns, with its cursor at the first slot after ``now``."""
    values = definition.model_dump()
    cursor = first_slot(definition.spec, definition.timezone, now) if definition.enabled else None
    return values | {
        "next_fire_at": cursor,
        "revision": 1,
        "created_at": now,
        "updated_at": now,
    }


def first_slot(spec: str, timezone: str, now: datetime) -> datetime | None:
    """The first slot after ``now``, None if there is none."""
    return parse(spec, timezone).next_after(now)


def _lock(connection: Connection, task_id: int) -> Row[Any]:
    statement = select(TASK).where(TASK.c.id == task_id).with_for_update()
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"there is no task {task_id} (any more)")
    return row


def _require_free_name(connection: Connection, name: str, own_id: int | None) -> None:
    found = connection.execute(select(Task.id).where(Task.name == name)).scalar_one_or_none()
    if found is not None and found != own_id:
        raise InvalidTask("name", f"{name!r} is taken by task {found}; names are unique")


def _settle_and_withdraw(
    connection: Connection, dialect: Dialect, old: Row[Any], now: datetime, reason: str
) -> None:
    """Record due slots that have no row yet as missed, and withdraw the runs that were queued
    for slots still to come."""
    if old.enabled and old.next_fire_at is not None and old.next_fire_at <= now:
        task = DueTask(
            old.id, old.name, old.revision, old.next_fire_at, old.spec, old.timezone, old.misfire
        )
        runs = missed_only(task, parse(old.spec, old.timezone), now, reason)
        rows = dialect.pack(
            ROWS,
            (
                (
                    run.task_id,
                    run.task_name,
                    run.revision,
                    run.scheduled_at,
                    run.state,
                    run.reason,
                    run.missed_until,
                    run.missed_count,
                )
                for run in runs
            ),
        )
        insert_rows(connection, dialect, rows, None)
    connection.execute(
        text(
            f"DELETE FROM {table('run')} WHERE task_id = :id AND state = :queued "
            "AND trigger_kind = :schedule AND start_at > :now"
        ),
        {
            "id": old.id,
            "queued": RunState.QUEUED,
            "schedule": Trigger.SCHEDULE,
            "now": dialect.time(now),
        },
    )


UNREMARKABLE = frozenset({"next_fire_at", "revision", "updated_at"})


def _difference(old: Row[Any], new: dict[str, Any]) -> list[str]:
    """Names of the fields that changed (not their values: they may hold secrets)."""
    return [
        field
        for field, value in new.items()
        if field not in UNREMARKABLE and getattr(old, field) != value
    ]
