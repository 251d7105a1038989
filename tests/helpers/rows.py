"""Rows of gocron's tables, written and read as plainly as possible: to set a scene, to judge it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, delete, insert, select, text, update

from gocron.core.firing import DueTask, Plan, PlannedRun
from gocron.core.identity import Identity
from gocron.core.states import RunState, Trigger
from gocron.db.engine import Database
from gocron.db.lock import LOCK_NAME
from gocron.db.models import Base, Node, Run, SchedulerLock, Setting, Task
from gocron.db.references import GUARD

FAR = datetime(2031, 5, 17, 10, 0, tzinfo=UTC)
"""A slot that no clock has reached yet."""

SECOND = timedelta(seconds=1)

TASK_DEFAULTS: dict[str, Any] = {
    "spec": "* * * * * *",
    "timezone": "UTC",
    "command": "true",
    "remark": "",
    "next_fire_at": FAR,
    "created_at": FAR,
    "updated_at": FAR,
}

RUN_DEFAULTS: dict[str, Any] = {
    "task_id": 1,
    "task_name": "task",
    "trigger": Trigger.SCHEDULE,
    "state": RunState.QUEUED,
    "revision": 1,
    "created_at": FAR,
}


def insert_task(database: Database, name: str = "task", **fields: Any) -> DueTask:
    """A task, as a scheduler that has read it sees it."""
    return insert_tasks(database, [name], **fields)[0]


def insert_tasks(database: Database, names: Iterable[str], **fields: Any) -> list[DueTask]:
    """Tasks that differ in nothing but their names."""
    wanted = list(names)
    values = TASK_DEFAULTS | fields
    with database.write() as connection:
        connection.execute(insert(Task), [by_column(Task, values | {"name": n}) for n in wanted])
    found = {row.name: row for row in rows(database, Task)}
    return [due_of(found[name]) for name in wanted]


def by_column(model: type[Base], values: dict[str, Any]) -> dict[str, Any]:
    """Attribute -> value as column -> value; an INSERT of many rows drops what is no column."""
    attributes = model.__mapper__.attrs
    return {attributes[name].columns[0].name: value for name, value in values.items()}


def insert_runs(database: Database, many: Iterable[dict[str, Any]]) -> None:
    """Many rows of ``run`` at once, with a slot each."""
    found = [
        by_column(Run, RUN_DEFAULTS | {"start_at": values["scheduled_at"]} | values)
        for values in many
    ]
    with database.write() as connection:
        for start in range(0, len(found), 2000):
            connection.execute(insert(Run), found[start : start + 2000])


def due_of(row: Row[Any]) -> DueTask:
    """A row of ``task`` as the scheduler reads it."""
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


def insert_run(database: Database, **fields: Any) -> int:
    """A row of ``run``; its id."""
    values = RUN_DEFAULTS | fields
    values.setdefault("scheduled_at", FAR)
    values.setdefault("start_at", values["scheduled_at"])
    with database.write() as connection:
        key = connection.execute(insert(Run).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def insert_queued(
    database: Database, task_id: int, count: int, owner: int | None, **fields: Any
) -> list[int]:
    """Queued runs of one task, a second apart; their ids in order of their slots."""
    return [
        insert_run(
            database, task_id=task_id, owner_id=owner, scheduled_at=FAR + n * SECOND, **fields
        )
        for n in range(count)
    ]


def insert_node(database: Database, name: str = "node", **fields: Any) -> Identity:
    """A registered node."""
    values: dict[str, Any] = {
        "name": name,
        "incarnation": uuid4().hex,
        "host": "host",
        "pid": 1,
        "boot_id": "boot",
        "version": "1",
        "port": 5920,
        "started_at": FAR,
        "heartbeat_at": FAR,
    } | fields
    with database.write() as connection:
        key = connection.execute(insert(Node).values(**values)).inserted_primary_key
    assert key is not None
    return Identity(int(key[0]), name, values["incarnation"], values["host"], values["pid"])


def begin_term(database: Database, term: int) -> None:
    """Let the lock row show ``term``."""
    with database.write() as connection:
        connection.execute(
            update(SchedulerLock).where(SchedulerLock.lock_name == LOCK_NAME).values(term=term)
        )


def rows(database: Database, model: type[Base], *conditions: Any) -> Sequence[Row[Any]]:
    """All rows, in order of their primary key; times are aware UTC."""
    table = model.__table__
    with database.read() as connection:
        return connection.execute(
            select(table).where(*conditions).order_by(*table.primary_key)
        ).all()


def row(database: Database, model: type[Base], key: object) -> Row[Any]:
    """The row with this primary key."""
    (column,) = model.__table__.primary_key
    (found,) = rows(database, model, column == key)
    return found


def states(database: Database) -> dict[int, str]:
    """Run id -> state."""
    return {run.id: run.state for run in rows(database, Run)}


def now_of(database: Database) -> datetime:
    """The server's clock."""
    with database.read() as connection:
        return database.dialect.now(connection)


def planned(task: DueTask, *slots: datetime, **fields: Any) -> tuple[PlannedRun, ...]:
    """One queued row a slot."""
    return tuple(PlannedRun(task.id, task.name, task.revision, slot, **fields) for slot in slots)


def next_slot_of(task: DueTask) -> Plan:
    """Claims the slot under the cursor, of a task that is due every second."""
    return Plan(task, planned(task, task.next_fire_at), task.next_fire_at + SECOND)


def empty(database: Database) -> None:
    """As right after the migration."""
    with database.write() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(delete(table))
        connection.execute(insert(SchedulerLock).values(lock_name=LOCK_NAME, term=0))
        connection.execute(insert(Setting).values(name=GUARD, value="0"))


def scalar(database: Database, statement: str) -> Any:
    """The one value that a plain statement answers with, as the driver hands it over."""
    with database.read() as connection:
        return connection.execute(text(statement)).scalar_one()
