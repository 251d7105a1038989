"""Calendars: named sets of days that tasks exclude or require. Their list, and changing them.

This module and ``task_rows`` need each other, so each is imported as a whole.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from gocron.db import audit, calendar_tasks
from gocron.db.audit import Actor
from gocron.db.calendar_days import Shelf, everything, named
from gocron.db.engine import Database
from gocron.db.models import Calendar
from gocron.db.names import one_line, unknown
from gocron.errors import Conflict, InvalidTask, NotFound
from gocron.sayings import say

__all__ = [
    "CalendarFacts",
    "Shelf",
    "days_of",
    "delete",
    "everything",
    "find",
    "listing",
    "named",
    "save",
]

LONGEST_NAME = 128
LONGEST_REMARK = 512
MOST_DAYS = 20_000


@dataclass(frozen=True)
class CalendarFacts:
    """A calendar without its days. ``used_by``: how many tasks name it."""

    id: int
    name: str
    day_count: int
    first_day: date | None
    last_day: date | None
    remark: str
    updated_at: datetime
    used_by: int


def listing(database: Database) -> list[CalendarFacts]:
    """All calendars, by name."""
    days = Calendar.days
    with database.read() as connection:
        found = connection.execute(
            select(
                Calendar.id,
                Calendar.name,
                Calendar.day_count,
                Calendar.remark,
                Calendar.updated_at,
                # ["2026-12-24", …, "2026-12-26"]: not all of them, there may be thousands.
                func.substr(days, 3, 10).label("first"),
                func.substr(days, func.length(days) - 11, 10).label("last"),
            ).order_by(Calendar.name)
        ).all()
        used = Counter(
            name for task in calendar_tasks.naming_any(connection) for name in task.calendars
        )
    return [
        CalendarFacts(
            row.id,
            row.name,
            row.day_count,
            date.fromisoformat(row.first) if row.day_count else None,
            date.fromisoformat(row.last) if row.day_count else None,
            row.remark,
            row.updated_at,
            used[row.name],
        )
        for row in found
    ]


def find(database: Database, name: str) -> CalendarFacts:
    """One of them. Raises ``NotFound``."""
    found = {facts.name: facts for facts in listing(database)}
    if name not in found:
        raise unknown("calendar", name, found)
    return found[name]


def days_of(database: Database, name: str) -> frozenset[date]:
    """The days of a calendar. Raises ``NotFound``."""
    with database.read() as connection:
        found = named(connection, [name])
        if name not in found:
            raise _unknown(connection, name)
    return found[name]


def save(
    database: Database,
    name: str,
    days: Iterable[date],
    remark: str | None,
    actor: Actor,
    *,
    new: bool = False,
) -> int:
    """Create a calendar or replace its days; its id. ``remark`` None: as it was. Raises
    ``InvalidTask`` with the field at fault, and ``Conflict`` if it has to be ``new`` and is not.

    Tasks that name it are due by the new days from the commit on; what was due before and had no
    row yet is recorded as missed. If the days are the same, nothing happens to them."""
    name = one_line("name", name, LONGEST_NAME)
    if "," in name:
        raise InvalidTask("name", say("must not contain a comma: it stands between several names"))
    wanted = sorted(set(days))
    if len(wanted) > MOST_DAYS:
        raise InvalidTask(
            "days",
            say(
                "must be at most %(most)s days, found %(count)s",
                most=MOST_DAYS,
                count=len(wanted),
            ),
        )
    values: dict[str, Any] = {
        "days": json.dumps([day.isoformat() for day in wanted]),
        "day_count": len(wanted),
    }
    if remark is not None:
        values["remark"] = one_line("remark", remark, LONGEST_REMARK, needed=False)

    def work(connection: Connection) -> int:
        dialect = database.dialect
        old, tasks = _lock(connection, name)
        if new and old is not None:
            raise Conflict(say("there is already a calendar %(name)s", name=repr(name)))
        if old is not None and old.days == values["days"]:
            tasks = []
        now = dialect.now(connection)
        why = say("the calendar %(name)s was changed", name=repr(name))
        with calendar_tasks.moving_slots(connection, dialect, tasks, now, why):
            key = _write(connection, name, old, values | {"updated_at": now})
        detail: dict[str, object] = {"days": len(wanted), "tasks": len(tasks)}
        audit.record(connection, dialect, actor, "calendar.save", name, detail)
        return key

    try:
        return database.transact(work)
    except IntegrityError:  # somebody has just created it
        return database.transact(work)


def delete(database: Database, name: str, actor: Actor, force: bool = False) -> int:
    """Delete a calendar; how many tasks are broken now. Raises ``NotFound``, and ``Conflict`` if
    tasks name it, unless that is to be done by ``force``."""

    def work(connection: Connection) -> int:
        dialect = database.dialect
        if not force:
            calendar_tasks.require_unused(name, calendar_tasks.naming(connection, name))
        old, tasks = _lock(connection, name)
        if old is None:
            raise _unknown(connection, name)
        if not force:
            calendar_tasks.require_unused(name, tasks)
        now = dialect.now(connection)
        why = say("the calendar %(name)s was deleted", name=repr(name))
        with calendar_tasks.moving_slots(connection, dialect, tasks, now, why):
            connection.execute(sql_delete(Calendar).where(Calendar.id == old.id))
        detail: dict[str, object] = {"tasks": len(tasks)}
        audit.record(connection, dialect, actor, "calendar.delete", name, detail)
        return len(tasks)

    return database.transact(work)


def _lock(connection: Connection, name: str) -> tuple[Row[int, str, int] | None, list[Row[Any]]]:
    """The calendar's row, if there is one, and those of the tasks that name it; all locked. Tasks
    first, as everybody does it who saves a task; then those that have begun to name it since."""
    tasks = calendar_tasks.lock(connection, name)
    calendar = connection.execute(
        select(Calendar.id, Calendar.days, Calendar.revision)
        .where(Calendar.name == name)
        .with_for_update()
    ).one_or_none()
    tasks |= calendar_tasks.lock(connection, name, besides=tasks)
    return calendar, [tasks[task_id] for task_id in sorted(tasks)]


def _write(
    connection: Connection, name: str, old: Row[int, str, int] | None, values: dict[str, Any]
) -> int:
    if old is not None:
        values["revision"] = old.revision + 1
        connection.execute(update(Calendar).where(Calendar.id == old.id).values(**values))
        return int(old.id)
    key = connection.execute(insert(Calendar).values(name=name, **values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _unknown(connection: Connection, name: str) -> NotFound:
    return unknown("calendar", name, connection.execute(select(Calendar.name)).scalars())
