"""Looking at tasks: for panel, command line and API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from gocron.db.engine import Database
from gocron.db.models import Task

TAGS_PAGE = 500


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


@dataclass(frozen=True)
class Brief:
    """What a run is shown with of its task. ``jitter`` is in seconds."""

    timezone: str
    jitter: int
    tag: str


def brief(database: Database, task_id: int) -> Brief | None:
    """None if there is no such task (any more)."""
    with database.read() as connection:
        row = connection.execute(
            select(Task.timezone, Task.jitter, Task.tag).where(Task.id == task_id)
        ).one_or_none()
    return Brief(*row) if row is not None else None


def tags_of(database: Database, task_ids: Iterable[int]) -> list[tuple[str, str]]:
    """Name and tag of those that exist."""
    ids = sorted(set(task_ids))
    found: list[tuple[str, str]] = []
    with database.read() as connection:
        for start in range(0, len(ids), TAGS_PAGE):
            page = ids[start : start + TAGS_PAGE]
            wanted = select(Task.name, Task.tag).where(Task.id.in_(page)).order_by(Task.name)
            found += [(row.name, row.tag) for row in connection.execute(wanted)]
    return found
