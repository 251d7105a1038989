"""The tasks that name a calendar: whoever changes its days moves their slots."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, cast, or_, select

from gocron.db import calendar_days, task_rows
from gocron.db.dialects import Dialect
from gocron.db.models import Task
from gocron.db.names import listed
from gocron.errors import Conflict
from gocron.sayings import say_n


@dataclass(frozen=True)
class Naming:
    """A task and the calendars that it names."""

    id: int
    name: str
    calendars: frozenset[str]


def naming_any(connection: Connection) -> list[Naming]:
    """All tasks that name calendars, by id. The lists are JSON, which no two servers search alike:
    what is not empty is read and searched here."""
    filled = [
        and_(column.is_not(None), cast(column, Text).not_in(["[]", "null"]))
        for column in (Task.exclude_calendars, Task.require_calendars)
    ]
    found = connection.execute(
        select(Task.id, Task.name, Task.exclude_calendars, Task.require_calendars)
        .where(or_(*filled))
        .order_by(Task.id)
    )
    return [
        Naming(row.id, row.name, frozenset([*row.exclude_calendars, *row.require_calendars]))
        for row in found
    ]


def naming(connection: Connection, calendar: str) -> list[Naming]:
    """The tasks that name ``calendar``, by id."""
    return [task for task in naming_any(connection) if calendar in task.calendars]


def lock(
    connection: Connection, calendar: str, besides: Collection[int] = ()
) -> dict[int, Row[Any]]:
    """The rows of the tasks that name ``calendar``, locked to the end of the transaction; in order
    of their ids, so that two who do this never wait for each other. Without those ``besides``."""
    wanted = [task.id for task in naming(connection, calendar) if task.id not in besides]
    tasks = [task_rows.lock(connection, task_id) for task_id in wanted]
    return {
        task.id: task
        for task in tasks
        if task is not None and calendar in task_rows.names_of_calendars(task)
    }


def require_unused(name: str, tasks: Iterable[Naming | Row[Any]]) -> None:
    """Raise ``Conflict`` if tasks name the calendar that somebody wants to delete."""
    names = [task.name for task in tasks]
    if names:
        raise Conflict(
            say_n(
                "calendar %(calendar)s cannot be deleted: %(tasks)s names it; change these tasks "
                "first, or force it: then they are broken until they are changed",
                "calendar %(calendar)s cannot be deleted: %(tasks)s name it; change these tasks "
                "first, or force it: then they are broken until they are changed",
                len(names),
                calendar=repr(name),
                tasks=listed(names),
            )
        )


@contextmanager
def moving_slots(
    connection: Connection, dialect: Dialect, tasks: Sequence[Row[Any]], now: datetime, why: str
) -> Iterator[None]:
    """Around the statement that changes the days: what was due of these locked ``tasks`` is settled
    under the old days, what is to come is computed under the new ones."""
    for task in tasks:
        task_rows.settle_and_withdraw(connection, dialect, task, now, why)
    yield
    names = {name for task in tasks for name in task_rows.names_of_calendars(task)}
    days = calendar_days.named(connection, names)
    for task in tasks:
        task_rows.reschedule(connection, task, now, days)
