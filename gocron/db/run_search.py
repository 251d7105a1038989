"""Finding runs: the ids of those that fit a filter, newest first, at a cost that does not grow with
the number of runs.

Ids are given out in the order in which runs come up, so the place in the list is an id, and a time
is looked up once as an id. What an index cannot serve as a whole is asked in branches, each of
which one can: a branch for each task, or for each state. Each brings its newest few, and the
newest of all of them are the page.

    index                 serves
    (task_id, id)         a task, or several
    (state, id)           states
    (state, owner_id, id) a node: a branch for each state
    (trigger_kind, id)    what not a schedule started
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    TextualSelect,
    column,
    func,
    or_,
    select,
    text,
    union_all,
)

from gocron.core.states import RunState, Trigger
from gocron.db.models import Run, Task
from gocron.db.naming import table
from gocron.db.types import UtcDateTime

AHEAD = timedelta(minutes=1)
"""Rows are made at most this long before their slot, and not quite in the order of their ids."""

PROBES = 15


@dataclass(frozen=True)
class RunFilter:
    """Which runs; None and () mean all. ``task_ids`` with no element in it means none. ``since``
    (inclusive) and ``until`` (exclusive) are about when a run came up: at its slot, or later, when
    somebody asked for it or its slot was found to be missed."""

    task_ids: tuple[int, ...] | None = None
    states: tuple[RunState, ...] = ()
    node_id: int | None = None
    triggers: tuple[Trigger, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    tags: frozenset[str] | None = None


def find(
    connection: Connection,
    wanted: RunFilter,
    limit: int,
    *,
    before: int | None = None,
    after: int | None = None,
) -> list[int]:
    """At most ``limit`` ids, newest first: those right below ``before``, or those right above
    ``after``."""
    conditions = _everywhere(connection, wanted)
    if before is not None:
        conditions.append(Run.id < before)
    if after is not None:
        conditions.append(Run.id > after)
    order = Run.id.asc() if after is not None else Run.id.desc()
    branches = [
        select(Run.id).where(*branch, *conditions).order_by(order).limit(limit)
        for branch in _branches(wanted)
    ]
    found = connection.execute(_together(branches)).scalars()
    if after is not None:
        return sorted(sorted(found)[:limit], reverse=True)
    return sorted(found, reverse=True)[:limit]


def _together(branches: list[Select[Any]]) -> Any:
    if len(branches) == 1:
        return branches[0]
    # SQLite takes no parentheses in a union: each branch is a table of its own.
    return union_all(*(select(branch.subquery().c.id) for branch in branches))


def _branches(wanted: RunFilter) -> Iterator[list[ColumnElement[bool]]]:
    """Conditions that an index serves, each list together with its order."""
    states = wanted.states
    here = [] if wanted.node_id is None else [Run.owner_id == wanted.node_id]
    if wanted.task_ids is not None:
        among = [Run.state.in_(states)] if states else []
        for task_id in wanted.task_ids:
            yield [Run.task_id == task_id, *among, *here]
    elif states or here:
        for state in states or tuple(RunState):
            yield [Run.state == state, *here]
    else:
        yield []


def _everywhere(connection: Connection, wanted: RunFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if len(wanted.triggers) == 1:
        found.append(Run.trigger == wanted.triggers[0])
    elif wanted.triggers:
        found.append(Run.trigger.in_(wanted.triggers))
    if wanted.tags is not None:
        mine = select(Task.id).where(Task.id == Run.task_id, Task.tag.in_(sorted(wanted.tags)))
        found.append(mine.exists())
    if wanted.since is not None:
        found.append(Run.id >= first_since(connection, wanted.since - AHEAD))
        found.append(or_(Run.created_at >= wanted.since, Run.scheduled_at >= wanted.since))
    if wanted.until is not None:
        found.append(Run.id < first_since(connection, wanted.until + AHEAD))
        found += [Run.created_at < wanted.until, Run.scheduled_at < wanted.until]
    return found


def first_since(connection: Connection, moment: datetime, low: int = 0) -> int:
    """The lowest id, ``low`` or more, of a run made at ``moment`` or later; behind the last one if
    there is none. A search over the keys that looks at ``PROBES`` rows a time: a handful of
    statements, however many runs there are."""
    ends: Any = connection.execute(
        select(func.min(Run.id).label("first"), func.max(Run.id).label("last")).where(Run.id >= low)
    ).one()
    if ends.last is None:
        return low
    low, high = int(ends.first), int(ends.last) + 1
    while low < high:
        places = [low + (high - low) * number // PROBES for number in range(PROBES)]
        values = {f"p{number}": place for number, place in enumerate(places)}
        for row in sorted(connection.execute(_probes(), values), key=lambda row: row.place):
            if row.created_at >= moment:
                high = int(row.place)
                break
            low = int(row.id) + 1
    return low


@lru_cache(maxsize=1)
def _probes() -> TextualSelect:
    """For each place the first run at it or behind it."""
    one = (
        "SELECT * FROM (SELECT :p{n} AS place, id, created_at FROM {run} "
        "WHERE id >= :p{n} ORDER BY id LIMIT 1) x{n}"
    )
    parts = (one.format(n=number, run=table("run")) for number in range(PROBES))
    return text(" UNION ALL ".join(parts)).columns(
        column("place", BigInteger), column("id", BigInteger), column("created_at", UtcDateTime)
    )
