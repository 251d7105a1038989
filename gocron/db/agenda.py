"""What is due soon, minute by minute: for the panel's first page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from gocron.core.schedule import timetable_of
from gocron.core.timetable import Timetable
from gocron.db import calendar_days
from gocron.db.models import Task
from gocron.db.task_rows import names_of_calendars
from gocron.errors import InvalidSchedule

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Due:
    """A task in a minute: its first slot there (UTC)."""

    task_id: int
    task_name: str
    slot: datetime


@dataclass(frozen=True)
class Agenda:
    """``minutes``: what is due in each minute from ``start`` (a whole one) on, of the
    ``tasks`` tasks that are due first; ``more`` says that others are due within that time."""

    start: datetime
    minutes: tuple[tuple[Due, ...], ...]
    more: bool


def agenda(connection: Connection, now: datetime, minutes: int, tasks: int) -> Agenda:
    """What is due in the ``minutes`` from the present one on; at most ``tasks`` tasks."""
    start = now.replace(second=0, microsecond=0)
    end = start + minutes * MINUTE
    found = connection.execute(
        select(
            *(Task.id, Task.name, Task.spec, Task.timezone, Task.next_fire_at),
            *(Task.starts_at, Task.ends_at, Task.exclude_calendars, Task.require_calendars),
        )
        .where(Task.enabled, Task.next_fire_at >= now, Task.next_fire_at < end)
        .order_by(Task.next_fire_at, Task.id)
        .limit(tasks + 1)
    ).all()
    names = {name for row in found for name in names_of_calendars(row)}
    days = calendar_days.named(connection, names)
    due: list[list[Due]] = [[] for _minute in range(minutes)]
    for row in found[:tasks]:
        try:
            timetable = timetable_of(row, days)
        except InvalidSchedule:
            timetable = None  # it has become broken: its cursor is all that is known
        for slot in _a_minute_each(timetable, row.next_fire_at, end):
            due[(slot - start) // MINUTE].append(Due(row.id, row.name, slot))
    return Agenda(start, tuple(map(tuple, due)), len(found) > tasks)


def _a_minute_each(
    timetable: Timetable | None, slot: datetime | None, end: datetime
) -> list[datetime]:
    """The first slot in each minute, from ``slot`` to before ``end``."""
    found: list[datetime] = []
    while slot is not None and slot < end:
        found.append(slot)
        last_second = slot.replace(second=59, microsecond=0)
        slot = timetable.next_after(last_second) if timetable is not None else None
    return found
