"""Looking after runs that have ended: retries and dependent tasks (``core.chain`` decides).

The leader alone does it, under its term, and the rows that follow are written in the transaction
that notes that an end has been looked after. So it happens once, and is not forgotten: what a
leader that died had not looked after yet, the next one finds marked as before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, text

from gocron.core.chain import ChainRun, Chains, ChainTask, Edge, NextRun, ancestors
from gocron.core.parameters import Parameter
from gocron.core.policies import DEFAULT_RETRY_ON
from gocron.core.states import RunState
from gocron.db.claims import Claimant, require_term
from gocron.db.dialects import Columns, Dialect
from gocron.db.engine import Database
from gocron.db.naming import table
from gocron.db.run_rows import IDS, pack_ids, update_by_id

PAGE = 200
"""Ends looked after in one transaction."""

RUN = (
    "r.id, r.task_id, r.scheduled_at, r.attempt, r.state, r.trigger_kind, r.generation, "
    "r.follow_up, r.triggered_by, r.parameters, r.parents, r.backfill_id, "
    "r.finished_at, r.missed_until"
)

STATES = frozenset(RunState)

SLOTS: Columns = {"task_id": "int", "scheduled_at": "time"}

NEXT: Columns = {
    "task_id": "int",
    "task_name": "text",
    "revision": "int",
    "scheduled_at": "time",
    "attempt": "int",
    "trigger_kind": "text",
    "triggered_by": "text",
    "generation": "int",
    "state": "text",
    "reason": "text",
    "start_at": "time",
    "follow_up": "int",
    "parents": "text",
    "parameters": "text",
    "backfill_id": "int",
}


class Overtaken(Exception):
    """Somebody else has looked after one of these ends since they were read."""


def look_after(database: Database, claimant: Claimant) -> int:
    """Look after the oldest ends that nobody has looked after; how many that were, at most
    ``PAGE``. Those are left for the next time that lead to a task which somebody is changing just
    now: a task that is disabled or deleted has no more runs from that commit on. Raises
    ``TermOver``."""
    with database.read() as connection:
        ended = _ended(connection, database.dialect)
        if not ended:
            return 0
        scene = _look_around(connection, database.dialect, ended)
    while ended:
        rows = scene.chains().after(ended, scene.now)
        work = partial(_write, dialect=database.dialect, claimant=claimant, ended=ended, rows=rows)
        try:
            changing = database.transact(work)
        except Overtaken:
            return 0
        if not changing:
            return len(ended)
        ended = [run for run in ended if changing.isdisjoint(scene.around[run.task_id])]
    return 0


def _write(
    connection: Connection,
    dialect: Dialect,
    claimant: Claimant,
    ended: Sequence[ChainRun],
    rows: Sequence[NextRun],
) -> set[int]:
    """Note that these ends have been looked after, and what follows; nothing at all if some tasks
    are not as they were any more, or locked: those are returned."""
    require_term(connection, claimant.term)
    changing = {row.task_id for row in rows} - _lock_unchanged(connection, dialect, rows)
    if changing:
        return changing
    noted = update_by_id(
        connection,
        dialect,
        [run.id for run in ended],
        "follow_up = :no",
        "t.follow_up = :yes",
        {"no": False, "yes": True},
    )
    if noted != len(ended):
        raise Overtaken
    insert_next(connection, dialect, rows)
    return set()


def _lock_unchanged(connection: Connection, dialect: Dialect, rows: Sequence[NextRun]) -> set[int]:
    """Ids of the tasks of ``rows`` that are as they were. They stay locked, so an edit waits and
    then finds the runs that it has to withdraw; what an edit has locked is passed over."""
    if not rows:
        return set()
    found = connection.execute(
        text(
            f"SELECT t.id FROM {dialect.unpack(IDS, 'ids', 'i')} "
            f"{dialect.straight_join} {table('task')} t{dialect.by_key} ON t.id = i.id "
            f"AND t.revision = i.revision ORDER BY t.id{dialect.skip_locked_of('t')}"
        ),
        {"ids": dialect.pack(IDS, sorted({(row.task_id, row.revision) for row in rows}))},
    )
    return set(found.scalars())


def _ended(connection: Connection, dialect: Dialect) -> list[ChainRun]:
    ends = ", ".join(f"'{state}'" for state in RunState if state.ended)
    found = connection.execute(
        text(
            f"SELECT {RUN} FROM {table('run')} r WHERE r.follow_up = :yes "
            f"AND r.state IN ({ends}) ORDER BY r.id LIMIT {PAGE}"
        ),
        {"yes": True},
    )
    return [_run(dialect, row) for row in found]


@dataclass(frozen=True)
class Scene:
    """All that has to do with some ends. ``around``: task -> the tasks that decide about what
    comes after its runs, itself among them."""

    now: datetime
    edges: list[Edge]
    around: Mapping[int, set[int]]
    tasks: list[ChainTask]
    runs: list[ChainRun]

    def chains(self) -> Chains:
        """To be asked once: it counts what it has answered."""
        return Chains(self.tasks, self.edges, self.runs)


def _look_around(connection: Connection, dialect: Dialect, ended: Sequence[ChainRun]) -> Scene:
    """The tasks that depend on these, with everything that they depend on in turn, and the runs of
    the same slots."""
    edges = [
        Edge(row.task_id, row.parent_id, row.need)
        for row in connection.execute(
            text(f"SELECT task_id, parent_id, need FROM {table('task_dependency')}")
        )
    ]
    around = _around({run.task_id for run in ended}, edges)
    slots = {(other, run.scheduled_at) for run in ended for other in around[run.task_id]}
    return Scene(
        dialect.now(connection),
        edges,
        around,
        _tasks(connection, dialect, set().union(*around.values())),
        _runs(connection, dialect, slots),
    )


def _around(task_ids: Iterable[int], edges: Iterable[Edge]) -> dict[int, set[int]]:
    parents: dict[int, list[Edge]] = {}
    children: dict[int, list[int]] = {}
    for edge in edges:
        parents.setdefault(edge.task_id, []).append(edge)
        children.setdefault(edge.parent_id, []).append(edge.task_id)
    above = {
        child: {child, *ancestors(child, parents)}
        for child in {child for task_id in task_ids for child in children.get(task_id, ())}
    }
    return {
        task_id: {task_id}.union(*(above[child] for child in children.get(task_id, ())))
        for task_id in task_ids
    }


def connected(task_ids: set[int], edges: Iterable[Edge]) -> set[int]:
    """These tasks and all that hang together with them, in either direction."""
    neighbours: dict[int, set[int]] = {}
    for edge in edges:
        neighbours.setdefault(edge.task_id, set()).add(edge.parent_id)
        neighbours.setdefault(edge.parent_id, set()).add(edge.task_id)
    found = set(task_ids)
    ahead = list(task_ids)
    while ahead:
        for other in neighbours.get(ahead.pop(), set()) - found:
            found.add(other)
            ahead.append(other)
    return found


def _tasks(connection: Connection, dialect: Dialect, task_ids: Iterable[int]) -> list[ChainTask]:
    found = connection.execute(
        text(
            "SELECT t.id, t.name, t.revision, t.enabled, t.retry_times, t.retry_interval, "
            "t.retry_backoff, t.retry_jitter, t.retry_on, t.on_lost, t.followed, t.parameters "
            f"FROM {dialect.unpack(IDS, 'ids', 'i')} "
            f"{dialect.straight_join} {table('task')} t ON t.id = i.id"
        ),
        {"ids": pack_ids(dialect, task_ids)},
    )
    return [
        ChainTask(
            row.id,
            row.name,
            row.revision,
            bool(row.enabled),
            row.retry_times,
            row.retry_interval,
            row.retry_backoff,
            row.retry_jitter,
            _retry_on(dialect.read_json(row.retry_on)),
            row.on_lost,
            bool(row.followed),
            _parameters(dialect.read_json(row.parameters) or ()),
        )
        for row in found
    ]


def _parameters(stored: Iterable[object]) -> tuple[Parameter, ...]:
    """Without those that only a newer version understands: one task must not keep all others from
    being looked after."""
    found = []
    for one in stored:
        with suppress(ValidationError):
            found.append(Parameter.model_validate(one))
    return tuple(found)


def _retry_on(stored: list[str] | None) -> tuple[str, ...]:
    """NULL is what an older version wrote; an empty list is somebody's wish."""
    return tuple(DEFAULT_RETRY_ON if stored is None else stored)


def _runs(
    connection: Connection, dialect: Dialect, slots: Iterable[tuple[int, datetime]]
) -> list[ChainRun]:
    """All runs of these slots, and the rows that answer for several missed slots, these among
    them."""
    packed = {"slots": dialect.pack(SLOTS, sorted(slots))}
    begin = (
        f"SELECT {RUN} FROM {dialect.unpack(SLOTS, 'slots', 's')} "
        f"{dialect.straight_join} {table('run')} r ON "
    )
    exact = "r.task_id = s.task_id AND r.scheduled_at = s.scheduled_at"
    newest = (
        f"r.id = (SELECT x.id FROM {table('run')} x WHERE x.task_id = s.task_id "
        "AND x.scheduled_at < s.scheduled_at "
        "ORDER BY x.scheduled_at DESC, x.attempt DESC LIMIT 1) "
        "WHERE r.missed_until >= s.scheduled_at"
    )
    return [
        _run(dialect, row)
        for condition in (exact, newest)
        for row in connection.execute(text(begin + condition), packed)
    ]


def _state(stored: str) -> RunState:
    """One that only a newer version knows is no end that we could judge: it is waited for."""
    return RunState(stored) if stored in STATES else RunState.QUEUED


def _run(dialect: Dialect, row: Any) -> ChainRun:
    return ChainRun(
        row.id,
        row.task_id,
        dialect.instant(row.scheduled_at),
        row.attempt,
        _state(row.state),
        row.trigger_kind,
        row.generation,
        bool(row.follow_up),
        row.triggered_by,
        dialect.read_json(row.parameters),
        dialect.read_json(row.parents) or (),
        row.backfill_id,
        dialect.read_time(row.finished_at),
        dialect.read_time(row.missed_until),
    )


def insert_next(connection: Connection, dialect: Dialect, rows: Sequence[NextRun]) -> None:
    """Write them, owned by nobody: the leader adopts them at its next look. One that is there
    already stays as it is."""
    if not rows:
        return
    packed = dialect.pack(
        NEXT,
        (
            (
                row.task_id,
                row.task_name,
                row.revision,
                row.scheduled_at,
                row.attempt,
                row.trigger,
                row.triggered_by,
                row.generation,
                row.state,
                row.reason[:512],
                row.start_at,
                int(row.follow_up),
                json.dumps(list(row.parents)) if row.parents else None,
                json.dumps(dict(row.parameters)) if row.parameters else None,
                row.backfill_id,
            )
            for row in sorted(rows, key=lambda row: (row.task_id, row.scheduled_at))
        ),
    )
    clock = dialect.clock
    connection.execute(
        text(
            f"INSERT INTO {table('run')} (task_id, task_name, revision, scheduled_at, attempt, "
            "trigger_kind, triggered_by, generation, state, reason, start_at, created_at, "
            "finished_at, follow_up, parents, parameters, backfill_id, output_bytes, "
            "stop_requested_by) "
            "SELECT n.task_id, n.task_name, n.revision, n.scheduled_at, n.attempt, "
            "n.trigger_kind, n.triggered_by, n.generation, n.state, n.reason, "
            f"COALESCE(n.start_at, {clock}), {clock}, "
            f"CASE WHEN n.state <> :queued THEN {clock} END, n.follow_up = 1, "
            f"{dialect.as_json('n.parents')}, {dialect.as_json('n.parameters')}, "
            "n.backfill_id, 0, '' "
            f"FROM {dialect.unpack(NEXT, 'rows', 'n')} WHERE 1 = 1"
            f"{dialect.ignore_conflicts(table('run'), 'attempt')}"
        ),
        {"rows": packed, "queued": RunState.QUEUED},
    )
