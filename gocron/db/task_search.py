"""Looking for tasks by what no index answers: a part of a name or a command, how the last run
ended. In the order of the names, window by window, for a limited time. See ``task_list``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, select

from gocron.db import task_list
from gocron.db.engine import Database
from gocron.db.models import Task
from gocron.db.task_list import TaskFilter, TaskPage

WINDOW = 4_000
"""Tasks that one statement looks at."""

WINDOW_OF_NAMES = 20_000
"""The same if it has to look at nothing but the names."""

PATIENCE_S = 0.08
"""Before this is over another window is begun."""


@dataclass(frozen=True)
class _Looked:
    """Ids that fit, one more than the page holds if there are so many; ``until``: the name of the
    last task that was looked at, None if that was the last of all."""

    found: tuple[tuple[int, str], ...]
    until: str | None


def look(
    database: Database,
    wanted: TaskFilter,
    *,
    after: str = "",
    descending: bool = False,
    size: int = 20,
    clock: Callable[[], float] = time.monotonic,
) -> TaskPage:
    """Up to ``size`` tasks behind the name ``after``. A text is looked for in the names; where it
    is in none of them, or all tasks fit into one window, in tags and commands as well."""
    over = clock() + PATIENCE_S
    with database.read() as connection:
        if wanted.text and not after and _end_of_window(connection, [], "", False, WINDOW) is None:
            wanted = replace(wanted, everywhere=True)
        looked = _look(connection, database, wanted, after, descending, size, clock, over)
        if wanted.text and not (wanted.everywhere or after or looked.found or looked.until):
            wanted = replace(wanted, everywhere=True)
            looked = _look(connection, database, wanted, after, descending, size, clock, over)
        here = looked.found[:size]
        tasks = tuple(task_list.listed(connection, [task_id for task_id, _name in here]))
    if len(looked.found) > size:
        return TaskPage(tasks, None, True, wanted, after=here[-1][1])
    if looked.until is not None:
        return TaskPage(tasks, None, True, wanted, after=looked.until, stopped=True)
    return TaskPage(tasks, None if after else len(tasks), False, wanted)


def _look(
    connection: Connection,
    database: Database,
    wanted: TaskFilter,
    after: str,
    descending: bool,
    size: int,
    clock: Callable[[], float],
    over: float,
) -> _Looked:
    # The tag has an index: only what it leaves is counted into a window.
    quick = [Task.tag == wanted.tag] if wanted.tag else []
    fits = task_list.conditions(connection, database, wanted)
    by_name = Task.name.desc() if descending else Task.name
    names_only = replace(wanted, text="", tag="") == TaskFilter()
    window = WINDOW_OF_NAMES if names_only and not wanted.everywhere else WINDOW
    found: list[tuple[int, str]] = []
    while True:
        end = _end_of_window(connection, quick, after, descending, window)
        statement = select(Task.id, Task.name).where(*fits, *_between(after, end, descending))
        statement = statement.order_by(by_name).limit(size + 1 - len(found))
        found += [(row.id, row.name) for row in connection.execute(statement)]
        if end is None or len(found) > size or clock() >= over:
            return _Looked(tuple(found), end)
        after = end


def _end_of_window(
    connection: Connection,
    quick: list[ColumnElement[bool]],
    after: str,
    descending: bool,
    size: int,
) -> str | None:
    """The last of ``size`` names behind ``after``; None if there are not more than these."""
    by_name = Task.name.desc() if descending else Task.name
    window = select(Task.name).where(*quick, *_between(after, None, descending)).order_by(by_name)
    names = connection.execute(window.offset(size - 1).limit(2)).scalars().all()
    return names[0] if len(names) == 2 else None


def _between(after: str, end: str | None, descending: bool) -> list[ColumnElement[bool]]:
    limits: list[ColumnElement[bool]] = []
    if after:
        limits.append(Task.name < after if descending else Task.name > after)
    if end is not None:
        limits.append(Task.name >= end if descending else Task.name <= end)
    return limits
