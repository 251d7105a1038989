"""What belongs together and is shown together: a task's parents and children, the attempts of a
run, the names that a form offers. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from gocron.core.states import RunState
from gocron.db.engine import Database
from gocron.db.models import Calendar, ConcurrencyGroup, Run, Task, TaskDependency

MOST_SHOWN = 100


@dataclass(frozen=True)
class Relative:
    """A task that another one depends on, or that depends on it."""

    id: int
    name: str
    need: str


@dataclass(frozen=True)
class Relatives:
    """``children`` are at most ``MOST_SHOWN``."""

    parents: tuple[Relative, ...]
    children: tuple[Relative, ...]


@dataclass(frozen=True)
class Attempt:
    """A run of the same slot of the same task."""

    id: int
    attempt: int
    state: RunState
    reason: str


def relatives(database: Database, task_id: int) -> Relatives:
    """Of a task, by name."""

    def found(own: Any, other: Any) -> Any:
        return (
            select(Task.id, Task.name, TaskDependency.need)
            .join(TaskDependency, other == Task.id)
            .where(own == task_id)
            .order_by(Task.name)
            .limit(MOST_SHOWN)
        )

    above = found(TaskDependency.task_id, TaskDependency.parent_id)
    below = found(TaskDependency.parent_id, TaskDependency.task_id)
    with database.read() as connection:
        return Relatives(
            tuple(Relative(*row) for row in connection.execute(above)),
            tuple(Relative(*row) for row in connection.execute(below)),
        )


def has_children(database: Database, task_id: int) -> bool:
    """Whether something depends on the task."""
    wanted = select(TaskDependency.task_id).where(TaskDependency.parent_id == task_id).limit(1)
    with database.read() as connection:
        return connection.execute(wanted).first() is not None


def attempts(database: Database, task_id: int, slot: Any) -> list[Attempt]:
    """All runs of this slot, first to last."""
    wanted = (
        select(Run.id, Run.attempt, Run.state, Run.reason)
        .where(Run.task_id == task_id, Run.scheduled_at == slot)
        .order_by(Run.attempt)
        .limit(MOST_SHOWN)
    )
    with database.read() as connection:
        return [
            Attempt(row.id, row.attempt, RunState(row.state), row.reason)
            for row in connection.execute(wanted)
        ]


def calendar_names(database: Database) -> Sequence[str]:
    """Of all calendars, in order."""
    with database.read() as connection:
        return connection.execute(select(Calendar.name).order_by(Calendar.name)).scalars().all()


def group_names(database: Database) -> Sequence[str]:
    """Of all groups, in order."""
    wanted = select(ConcurrencyGroup.name).order_by(ConcurrencyGroup.name)
    with database.read() as connection:
        return connection.execute(wanted).scalars().all()
