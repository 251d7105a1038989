"""Changing tasks. Every change holds from its commit on, whatever node it was made on.

The same transaction that changes a definition withdraws the runs that were queued ahead under the
old one, computes the cursor anew and raises ``revision``; a claim that was planned before finds
that nothing matches any more. Slots that were due and had no row yet are recorded as missed, so
nothing vanishes with an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from gocron.core.definition import TaskDefinition
from gocron.core.firing import DueTask, missed_only
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import parse
from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.claims import insert_rows, pack_runs
from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.models import Run, Task
from gocron.db.naming import table
from gocron.errors import Conflict, InvalidTask, NotFound

INSERT_PAGE = 1000

TASK = Task.__table__

SCHEDULED = (Trigger.SCHEDULE,)

CHANGE_PAGE = 50
"""Tasks that are changed in one transaction, and locked as long as it takes: 50 to 100 ms."""

MICROSECOND = timedelta(microseconds=1)


class NamesTaken(InvalidTask):
    """Other tasks have these names already."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        listed = ", ".join(repr(name) for name in self.names[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        super().__init__("name", f"{listed}{more} taken by another task; names are unique")


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

    with _names_may_be_taken(database, [definition.name]):
        return database.transact(work)


def create_many(database: Database, definitions: Sequence[TaskDefinition], actor: Actor) -> int:
    """All of them or none; how many. Raises ``NamesTaken``."""
    names = [definition.name for definition in definitions]
    with database.read() as connection:
        now = database.dialect.now(connection)
    # Seconds of work with many tasks: done before anything is locked.
    cursors = [_first_cursor(definition, now) for definition in definitions]

    def work(connection: Connection) -> int:
        taken = _taken(connection, names)
        if taken:
            raise NamesTaken(taken)
        for start in range(0, len(definitions), INSERT_PAGE):
            page = slice(start, start + INSERT_PAGE)
            rows = zip(definitions[page], cursors[page], strict=True)
            connection.execute(
                insert(Task), [_columns(definition, cursor, now) for definition, cursor in rows]
            )
        audit.record(
            connection, database.dialect, actor, "task.import", f"{len(definitions)} tasks"
        )
        return len(definitions)

    with _names_may_be_taken(database, names):
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
        if old is None:
            raise NotFound(f"there is no task {task_id} (any more)")
        if expected_revision is not None and old.revision != expected_revision:
            raise Conflict(
                f"task {old.name!r} was changed by somebody else in the meantime; "
                "load it again, then repeat your change"
            )
        _require_free_name(connection, definition.name, task_id)
        now = dialect.now(connection)
        values = row_of(definition, now)
        del values["created_at"]
        values["revision"] = old.revision + 1
        if definition.enabled:
            _settle_and_withdraw(connection, dialect, old, now, "the task was changed")
            values["next_fire_at"] = _cursor(
                connection, task_id, definition.spec, definition.timezone, now
            )
        else:
            _settle_and_withdraw(connection, dialect, old, now, "the task was disabled")
            _cancel_waiting(connection, dialect, task_id, "the task was disabled", SCHEDULED)
        connection.execute(update(Task).where(Task.id == task_id).values(**values))
        audit.record(
            connection,
            dialect,
            actor,
            "task.edit",
            definition.name,
            {"changed": _difference(old, values)},
        )

    with _names_may_be_taken(database, [definition.name]):
        database.transact(work)


def set_enabled(database: Database, task_ids: Sequence[int], enabled: bool, actor: Actor) -> int:
    """Enable or disable; how many changed. Tasks that do not exist any more are passed over."""
    dialect = database.dialect

    def work(connection: Connection, old: Row[Any]) -> bool:
        if bool(old.enabled) == enabled:
            return False
        now = dialect.now(connection)
        cursor = None
        if enabled:
            cursor = _cursor(connection, old.id, old.spec, old.timezone, now)
        else:
            _settle_and_withdraw(connection, dialect, old, now, "the task was disabled")
            _cancel_waiting(connection, dialect, old.id, "the task was disabled", SCHEDULED)
        values = {
            "enabled": enabled,
            "next_fire_at": cursor,
            "revision": old.revision + 1,
            "updated_at": now,
        }
        connection.execute(update(Task).where(Task.id == old.id).values(**values))
        action = "task.enable" if enabled else "task.disable"
        audit.record(connection, dialect, actor, action, old.name)
        return True

    return _one_by_one(database, task_ids, work)


def delete(database: Database, task_ids: Sequence[int], actor: Actor) -> int:
    """Delete tasks; how many there were. Their history of runs stays; running runs go on."""
    dialect = database.dialect

    def work(connection: Connection, old: Row[Any]) -> bool:
        now = dialect.now(connection)
        _settle_and_withdraw(connection, dialect, old, now, "the task was deleted")
        _cancel_waiting(connection, dialect, old.id, "the task was deleted", tuple(Trigger))
        connection.execute(text(f"DELETE FROM {table('task')} WHERE id = :id"), {"id": old.id})
        audit.record(connection, dialect, actor, "task.delete", old.name)
        return True

    return _one_by_one(database, task_ids, work)


def run_now(database: Database, task_id: int, actor: Actor) -> int:
    """Queue a run outside the schedule; its id. The leader starts it within half a second."""

    def work(connection: Connection) -> int:
        dialect = database.dialect
        task = _lock(connection, task_id)  # so that it is not deleted meanwhile
        if task is None:
            raise NotFound(f"there is no task {task_id} (any more)")
        now = dialect.now(connection)
        moment = _between_slots(connection, task_id, now)
        key = connection.execute(
            insert(Run).values(
                task_id=task.id,
                task_name=task.name,
                scheduled_at=moment,
                start_at=moment,
                attempt=0,
                trigger=Trigger.MANUAL,
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
    return _columns(definition, _first_cursor(definition, now), now)


def _first_cursor(definition: TaskDefinition, now: datetime) -> datetime | None:
    return first_slot(definition.spec, definition.timezone, now) if definition.enabled else None


def _columns(definition: TaskDefinition, cursor: datetime | None, now: datetime) -> dict[str, Any]:
    return definition.model_dump() | {
        "next_fire_at": cursor,
        "revision": 1,
        "created_at": now,
        "updated_at": now,
    }


def first_slot(spec: str, timezone: str, now: datetime) -> datetime | None:
    """The first slot after ``now``, None if there is none."""
    return parse(spec, timezone).next_after(now)


def _cursor(
    connection: Connection, task_id: int, spec: str, timezone: str, now: datetime
) -> datetime | None:
    """The first slot after ``now`` that has no row yet. One may have: a runner whose clock is a
    hair ahead has begun it, or the server's clock was set back."""
    ahead = select(Run.scheduled_at).where(Run.task_id == task_id, Run.scheduled_at > now)
    taken = set(connection.execute(ahead).scalars())
    slot = first_slot(spec, timezone, now)
    while slot in taken:
        slot = first_slot(spec, timezone, slot)
    return slot


def _between_slots(connection: Connection, task_id: int, now: datetime) -> datetime:
    """A moment that no slot has (those are whole seconds) and no other manual run either."""
    moment = now if now.microsecond else now + MICROSECOND
    since = select(Run.scheduled_at).where(Run.task_id == task_id, Run.scheduled_at >= now)
    taken = set(connection.execute(since).scalars())
    while moment in taken:
        moment += MICROSECOND
    return moment


def _one_by_one(
    database: Database, task_ids: Sequence[int], change: Callable[[Connection, Row[Any]], bool]
) -> int:
    """Apply ``change`` to the tasks that exist; how many it changed. Not all in one transaction:
    a claim that needs one of them would have to wait for the last."""
    wanted = sorted(set(task_ids))

    def work(connection: Connection, page: Sequence[int]) -> int:
        locked = (_lock(connection, task_id) for task_id in page)
        return sum(change(connection, task) for task in locked if task is not None)

    return sum(
        database.transact(partial(work, page=wanted[start : start + CHANGE_PAGE]))
        for start in range(0, len(wanted), CHANGE_PAGE)
    )


def _lock(connection: Connection, task_id: int) -> Row[Any] | None:
    statement = select(TASK).where(TASK.c.id == task_id).with_for_update()
    return connection.execute(statement).one_or_none()


@contextmanager
def _names_may_be_taken(database: Database, names: Sequence[str]) -> Iterator[None]:
    """By somebody who writes between our look and our own writing."""
    try:
        yield
    except IntegrityError as error:
        with database.read() as connection:
            taken = _taken(connection, names)
        raise NamesTaken(taken or names) from error


def _taken(connection: Connection, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that tasks have already, in the order given."""
    found: set[str] = set()
    for start in range(0, len(names), INSERT_PAGE):
        page = names[start : start + INSERT_PAGE]
        found.update(connection.execute(select(Task.name).where(Task.name.in_(page))).scalars())
    return [name for name in names if name in found]


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
        insert_rows(connection, dialect, pack_runs(dialect, runs), None)
    connection.execute(
        text(
            # By its slot, so that the index of the task's own slots is used: rows of other tasks
            # may be locked by a runner that is just starting them.
            f"DELETE FROM {table('run')} WHERE task_id = :id AND scheduled_at > :now "
            "AND state = :queued AND trigger_kind = :schedule"
        ),
        {
            "id": old.id,
            "queued": RunState.QUEUED,
            "schedule": Trigger.SCHEDULE,
            "now": dialect.time(now),
        },
    )


def _cancel_waiting(
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
            "reason": f"{reason} before this run began",
        }
        # By id, so that again no other task's rows are waited for.
        connection.execute(update(Run).where(Run.id.in_(waiting), queued).values(**ended))


UNREMARKABLE = frozenset({"next_fire_at", "revision", "updated_at"})


def _difference(old: Row[Any], new: dict[str, Any]) -> list[str]:
    """Names of the fields that changed (not their values: they may hold secrets)."""
    return [
        field
        for field, value in new.items()
        if field not in UNREMARKABLE and getattr(old, field) != value
    ]
