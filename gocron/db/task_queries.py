"""Looking at tasks: for panel, command line and API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from gocron.db.engine import Database
from gocron.db.models import Task


@dataclass(frozen=True)
class Upcoming:
    """A task with its next slot (UTC)."""

    id: int
    name: str
    spec: str
    timezone: str
    next_fire_at: datetime


def upcoming(database: Database, limit: int) -> list[Upcoming]:
    """The enabled tasks that are due next, soonest first."""
    with database.read() as connection:
        rows = connection.execute(
            select(Task.id, Task.name, Task.spec, Task.timezone, Task.next_fire_at)
            .where(Task.enabled, Task.next_fire_at.is_not(None))
            .order_by(Task.next_fire_at, Task.id)
            .limit(limit)
        ).all()
    return [
        Upcoming(row.id, row.name, row.spec, row.timezone, row.next_fire_at)
        for row in rows
        if row.next_fire_at is not None
    ]


def tags(database: Database, limit: int = 200) -> list[str]:
    """The tags in use, in order."""
    with database.read() as connection:
        return list(
            connection.execute(
                select(Task.tag).where(Task.tag != "").distinct().order_by(Task.tag).limit(limit)
            ).scalars()
        )


def find_ids(database: Database, wanted: str, limit: int = 50) -> tuple[int, ...]:
    """Ids of the tasks that somebody means: by number, by name, or by a part of the name."""
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18:
        return (int(wanted),)
    with database.read() as connection:
        exact = connection.execute(select(Task.id).where(Task.name == wanted)).scalar_one_or_none()
        if exact is not None:
            return (exact,)
        found = connection.execute(
            select(Task.id)
            .where(Task.name.icontains(wanted, autoescape=True))
            .order_by(Task.id.desc())
            .limit(limit)
        ).scalars()
        return tuple(found)


def zone(database: Database, task_id: int) -> str | None:
    """The time zone of a task; None if there is no such task (any more)."""
    with database.read() as connection:
        return connection.execute(
            select(Task.timezone).where(Task.id == task_id)
        ).scalar_one_or_none()
