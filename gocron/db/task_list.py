"""The list of tasks: a page of those that somebody asks for, quick with 100,000 of them.

Nothing counts everything. Conditions that an index answers (enabled, tag, paused, running; failed,
unless very many runs did) are counted up to ``COUNTED`` and sorted as somebody likes. All others
are looked for in the order of the names, ``WINDOW`` tasks at a time, until the page is full or
``PATIENCE_S`` are over; the name that was come to is where the next page begins.

    page ─┬─ indexed ──────────▶ count, ids, rows
          └─ task_search.look ─▶ windows, ids, rows
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from gocron.core.states import RunState
from gocron.db import pauses, task_rows
from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.models import Run, Task
from gocron.db.naming import table

COUNTED = 10_000
"""More tasks than this are "10,000+"."""

CANDIDATES = 2_000
"""Runs that failed, of each kind; from those tasks are found that failed last."""

COMMAND_SHOWN = 160
"""Characters of a command."""

PAGE = 500
"""Tasks in memory at a time when all are read."""


class LastResult(StrEnum):
    """What became of the newest run that does not wait for its slot."""

    FAILED = "failed"
    SUCCEEDED = "succeeded"
    RUNNING = "running"
    NEVER = "never"


STATES = {
    LastResult.FAILED: (RunState.FAILED, RunState.TIMEOUT, RunState.LOST),
    LastResult.SUCCEEDED: (RunState.SUCCESS,),
}


class Order(StrEnum):
    """What a list can be sorted by."""

    NAME = "name"
    TAG = "tag"
    NEXT = "next_fire_at"


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks; None, "" and False mean all. ``text`` is a part of the name, whatever
    the case. ``broken``: cannot be scheduled. ``paused``: nothing of it begins by
    itself now. ``everywhere``: the text may also be a part of the tag or the command, else of the
    name only."""

    text: str = ""
    enabled: bool | None = None
    kind: str = ""
    tag: str = ""
    last: LastResult | None = None
    broken: bool = False
    paused: bool = False
    everywhere: bool = False


@dataclass(frozen=True)
class ListedTask:
    """A task as a list shows it; ``command`` is its beginning."""

    id: int
    name: str
    tag: str
    spec: str
    timezone: str
    protocol: str
    command: str
    enabled: bool
    next_fire_at: datetime | None
    broken: str
    depends_on: dict[str, str]
    parameters: list[dict[str, object]]


@dataclass(frozen=True)
class TaskPage:
    """``count`` is how many fit: ``COUNTED`` if there may be more, None if nobody knows. ``more``:
    something comes, or may come, behind this page. ``wanted`` is the filter that was applied.

    ``after`` is the name behind which the next page begins, if pages are found that way; then
    ``stopped`` says that the time was over before all tasks were looked at."""

    tasks: tuple[ListedTask, ...]
    count: int | None
    more: bool
    wanted: TaskFilter
    after: str | None = None
    stopped: bool = False


_LISTED = (
    Task.id,
    Task.name,
    Task.tag,
    Task.spec,
    Task.timezone,
    Task.protocol,
    func.substr(Task.command, 1, COMMAND_SHOWN).label("command"),
    Task.enabled,
    Task.next_fire_at,
    Task.broken,
    Task.depends_on,
    Task.parameters,
)


def page(
    database: Database,
    wanted: TaskFilter,
    order: Order = Order.NAME,
    *,
    descending: bool = False,
    offset: int = 0,
    size: int = 20,
) -> TaskPage:
    """``size`` tasks from the ``offset``-th on, for a filter that is ``indexed``. Sorted by the
    next slot, those that have none come last either way."""
    with database.read() as connection:
        found = conditions(connection, database, wanted)
        few = select(Task.id).where(*found).limit(COUNTED).subquery()
        count = connection.execute(select(func.count()).select_from(few)).scalar_one()
        here = _ids(connection, found, order, descending, size + 1, offset)
        tasks = listed(connection, here[:size])
    return TaskPage(tuple(tasks), count, len(here) > size, wanted)


def is_indexed(database: Database, wanted: TaskFilter) -> bool:
    """Whether ``page`` is quick for it."""
    if wanted.text or wanted.kind or wanted.broken:
        return False
    if wanted.last is LastResult.FAILED:
        with database.read() as connection:
            return failed_lately(connection) is not None
    return wanted.last in (None, LastResult.RUNNING)


def failed_lately(connection: Connection) -> list[int] | None:
    """The tasks that ever failed, as far as runs are kept; None if these are too many runs to be
    read for every page."""
    found: set[int] = set()
    for state in STATES[LastResult.FAILED]:
        newest = select(Run.task_id).where(Run.state == state).order_by(Run.id.desc())
        tasks = connection.execute(newest.limit(CANDIDATES + 1)).scalars().all()
        if len(tasks) > CANDIDATES:
            return None
        found.update(tasks)
    return sorted(found)


def ids(database: Database, wanted: TaskFilter, limit: int) -> list[int]:
    """Up to ``limit`` ids of the tasks that fit, by name."""
    with database.read() as connection:
        found = conditions(connection, database, wanted)
        return _ids(connection, found, Order.NAME, False, limit, 0)


def some(database: Database, task_ids: Sequence[int]) -> list[ListedTask]:
    """Those of these tasks that exist, by name."""
    with database.read() as connection:
        return sorted(listed(connection, task_ids), key=lambda task: task.name)


def each(database: Database, wanted: TaskFilter) -> Iterator[Row[Any]]:
    """All columns of the tasks that fit, by id; see ``listing.each_task``."""
    last = 0
    while True:
        with database.read() as connection:
            found = connection.execute(
                task_rows.ALL.where(*conditions(connection, database, wanted), Task.id > last)
                .order_by(Task.id)
                .limit(PAGE)
            ).all()
        yield from found
        if len(found) < PAGE:
            return
        last = found[-1].id


def conditions(
    connection: Connection, database: Database, wanted: TaskFilter
) -> list[ColumnElement[bool]]:
    """What ``wanted`` means."""
    found: list[ColumnElement[bool]] = []
    if wanted.enabled is not None:
        found.append(Task.enabled == (true() if wanted.enabled else false()))
    if wanted.kind:
        found.append(Task.protocol == wanted.kind)
    if wanted.tag:
        found.append(Task.tag == wanted.tag)
    if wanted.broken:
        found.append(Task.broken != "")
    if wanted.paused:
        tags = pauses.in_force(connection, database.dialect)
        found.append(true() if "" in tags else Task.tag.in_(sorted(tags)))
    if wanted.text:
        columns = (Task.name, Task.tag, Task.command) if wanted.everywhere else (Task.name,)
        found.append(or_(*(c.icontains(wanted.text, autoescape=True) for c in columns)))
    if wanted.last is not None:
        found.append(_ended(wanted.last, database.dialect))
    if wanted.last is LastResult.FAILED and (tasks := failed_lately(connection)) is not None:
        found.append(Task.id.in_(tasks))
    return found


def _ended(last: LastResult, dialect: Dialect) -> ColumnElement[bool]:
    begun = Run.state != RunState.QUEUED
    mine = Run.task_id == Task.id
    if last is LastResult.NEVER:
        return ~exists(select(Run.id).where(mine, begun))
    if last is LastResult.RUNNING:
        return Task.id.in_(select(Run.task_id).where(Run.state == RunState.RUNNING))
    newest = select(Run.state).where(mine, begun).order_by(Run.id.desc()).limit(1)
    if hint := dialect.by_index(f"ix_{table('run')}_task_id_id"):
        newest = newest.with_hint(Run, hint, dialect.name)
    return newest.correlate(Task).scalar_subquery().in_(STATES[last])


def _ids(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    order: Order,
    descending: bool,
    limit: int,
    offset: int,
) -> list[int]:
    wanted = select(Task.id).where(*conditions)
    if order is Order.NEXT:
        return _by_next_slot(connection, wanted, descending, limit, offset)
    columns = (Task.name,) if order is Order.NAME else (Task.tag, Task.id)
    return _read(connection, wanted, columns, descending, limit, offset)


def _by_next_slot(
    connection: Connection, wanted: Select[Any], descending: bool, limit: int, offset: int
) -> list[int]:
    """In two steps, because the servers do not agree where NULL belongs. Only enabled tasks have a
    next slot; that they are is said for the index."""
    due = wanted.where(Task.enabled == true(), Task.next_fire_at.is_not(None))
    columns = (Task.next_fire_at, Task.id)
    found = _read(connection, due, columns, descending, limit, offset)
    if len(found) == limit:
        return found
    before = (
        offset and connection.execute(select(func.count()).select_from(due.subquery())).scalar_one()
    )
    rest = wanted.where(Task.next_fire_at.is_(None))
    left = limit - len(found)
    return found + _read(connection, rest, (Task.name,), False, left, max(offset - before, 0))


def _read(
    connection: Connection,
    wanted: Select[Any],
    columns: Sequence[Any],
    descending: bool,
    limit: int,
    offset: int,
) -> list[int]:
    ordered = wanted.order_by(*(column.desc() if descending else column for column in columns))
    return list(connection.execute(ordered.limit(limit).offset(offset)).scalars())


def listed(connection: Connection, task_ids: Sequence[int]) -> list[ListedTask]:
    """In the order of ``task_ids``."""
    rows = (
        connection.execute(select(*_LISTED).where(Task.id.in_(task_ids))).all() if task_ids else []
    )
    found = {row.id: ListedTask(**row._asdict()) for row in rows}
    return [found[task_id] for task_id in task_ids if task_id in found]
