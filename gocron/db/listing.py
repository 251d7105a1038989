"""Reading tasks and users for the command line: one by its name, or all of them page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select

from gocron.db import task_rows
from gocron.db.engine import Database
from gocron.db.models import Task, User
from gocron.errors import NotFound

PAGE = 500
"""Rows in memory at a time; each has up to a few hundred kilobytes."""

TASK = Task.__table__

ALL = tuple(task_rows.COLUMNS)

BRIEF = tuple(
    TASK.c[name]
    for name in ("id", "name", "spec", "timezone", "protocol", "enabled", "next_fire_at", "tag")
)


def each_task(
    database: Database,
    columns: Sequence[Any] = ALL,
    *,
    tag: str | None = None,
    enabled: bool | None = None,
) -> Iterator[Row[Any]]:
    """All tasks, by id. No transaction is held between pages: a task that is added or deleted
    meanwhile may be among them or not, but none comes twice."""
    wanted = select(*columns).order_by(TASK.c.id).limit(PAGE)
    if tag is not None:
        wanted = wanted.where(TASK.c.tag == tag)
    if enabled is not None:
        wanted = wanted.where(TASK.c.enabled == enabled)
    last = 0
    while True:
        with database.read() as connection:
            page = connection.execute(wanted.where(TASK.c.id > last)).all()
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1].id


def find_task(database: Database, word: str) -> Row[Any]:
    """The task with this id or name, all columns; raises ``NotFound``, also if it could be two."""
    word = word.strip()  # as names are; MySQL would find them with blanks behind, others not
    same = TASK.c.name == word
    if word.isascii() and word.isdigit() and len(word) <= 18:
        same |= TASK.c.id == int(word)
    with database.read() as connection:
        found = connection.execute(select(*ALL).where(same).order_by(TASK.c.id)).all()
    if not found:
        raise NotFound(f"there is no task {word!r}; `gocron task list` shows all of them")
    if len(found) > 1:
        by_id = next(row for row in found if str(row.id) == word.lstrip("0"))
        by_name = next(row for row in found if row.name == word)
        raise NotFound(
            f"{word!r} is the id of task {by_id.name!r} and the name of task {by_name.id}: "
            f"say {by_name.id} or {by_id.name!r}"
        )
    return found[0]


def users(database: Database) -> Sequence[Any]:
    """All users, without their passwords, by name."""
    wanted = select(
        User.id,
        User.username,
        User.email,
        User.role,
        User.tags,
        User.enabled,
        User.created_at,
        User.last_login_at,
    ).order_by(User.username)
    with database.read() as connection:
        return connection.execute(wanted).all()
