"""Tasks page by page, by a place instead of a number: for programs that read all of them.

A page costs the same wherever it is. A task that is added, changed or deleted while somebody reads
is there or not, but none that stays as it is comes twice or is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, true

from gocron.db import task_list, task_rows
from gocron.db.engine import Database
from gocron.db.models import Task
from gocron.db.task_list import TaskFilter


class Sort(StrEnum):
    """What is first. By the next slot: those that have one, then all others by their id."""

    ID = "id"
    ID_DOWN = "-id"
    NAME = "name"
    NAME_DOWN = "-name"
    NEXT = "next_fire_at"


Place = tuple[object, ...]
"""Behind which a page begins: ``(id,)``, ``(name,)``, or ``(instant or None, id)``."""


@dataclass(frozen=True)
class RowPage:
    """Rows with all columns of the model; ``last`` is where the next page begins, None at the
    end."""

    rows: Sequence[Row[Any]]
    last: Place | None


def page(
    database: Database,
    wanted: TaskFilter,
    sort: Sort,
    limit: int,
    *,
    after: Place | None = None,
    tags: frozenset[str] | None = None,
) -> RowPage:
    """At most ``limit`` tasks, of these ``tags`` only (None: all, and those without one)."""
    with database.read() as connection:
        base = task_list.conditions(connection, database, wanted)
        if tags is not None:
            base.append(Task.tag.in_(sorted(tags)))
        rows: list[Row[Any]] = []
        for conditions, order in _parts(sort, after):
            if len(rows) <= limit:
                rows += connection.execute(
                    task_rows.ALL.where(*base, *conditions)
                    .order_by(*order)
                    .limit(limit + 1 - len(rows))
                ).all()
    last = _place(sort, rows[limit - 1]) if len(rows) > limit else None
    return RowPage(rows[:limit], last)


Part = tuple[list[ColumnElement[bool]], list[Any]]


def _parts(sort: Sort, after: Place | None) -> list[Part]:
    if sort is Sort.NEXT:
        return _by_next_slot(after)
    column: Any = Task.name if sort in (Sort.NAME, Sort.NAME_DOWN) else Task.id
    down = sort.startswith("-")
    behind = []
    if after is not None:
        behind.append(column < after[0] if down else column > after[0])
    return [(behind, [column.desc() if down else column])]


def _by_next_slot(after: Place | None) -> list[Part]:
    """In two parts, because the servers do not agree where NULL belongs. Only enabled tasks have
    a next slot; that they are is said for the index."""
    due = [Task.enabled == true(), Task.next_fire_at.is_not(None)]
    rest: list[ColumnElement[bool]] = [Task.next_fire_at.is_(None)]
    in_order = [Task.next_fire_at, Task.id]
    if after is None:
        return [(due, in_order), (rest, [Task.id])]
    moment, task_id = after
    if moment is None:
        return [([*rest, Task.id > task_id], [Task.id])]
    behind = or_(Task.next_fire_at > moment, and_(Task.next_fire_at == moment, Task.id > task_id))
    return [([*due, Task.next_fire_at >= moment, behind], in_order), (rest, [Task.id])]


def _place(sort: Sort, row: Row[Any]) -> Place:
    if sort is Sort.NEXT:
        moment: datetime | None = row.next_fire_at
        return (moment, row.id)
    return (row.name,) if sort in (Sort.NAME, Sort.NAME_DOWN) else (row.id,)
