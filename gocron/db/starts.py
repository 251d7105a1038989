"""The transaction at whose commit runs begin: it looks at everything that is going on, decides,
and makes ``queued`` rows ``running``, ``skipped``, or says what they wait for.

Only the node that claimed or adopted a run under the present term may start it, so at any moment
one node decides. Where a decision counts the runs of a group, the group's row is locked first:
what a leader that has just been replaced is still committing cannot be overlooked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, text

from gocron.core.identity import Identity
from gocron.core.starting import Candidate, Replace, Situation, Skip, Start, Wait
from gocron.core.states import IN_ORDER, RunState, Trigger
from gocron.db import pauses
from gocron.db.dialects import Columns, Dialect
from gocron.db.lock import LOCK_NAME
from gocron.db.naming import table
from gocron.db.run_rows import IDS, checked, update_by_id
from gocron.db.runs import QueuedWork

STARTED: Columns = {"id": "int", "revision": "int", "followed": "int"}

REPLACED_BY = "a newer run (overlap: replace)"


@dataclass(frozen=True)
class Going:
    """What is going on in this process: how many runs of each task, group and backfill; and which
    of a task's runs were told to wait."""

    by_task: Counter[int] = field(default_factory=Counter)
    by_group: Counter[str] = field(default_factory=Counter)
    by_backfill: Counter[int] = field(default_factory=Counter)
    waiting: dict[int, list[int]] = field(default_factory=dict)
    in_order: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class Decided:
    """What became of a batch. ``later`` are those that were not looked at, because there was room
    for no more. Runs of it that are nowhere in here are not ours any more, or were locked by
    somebody: they are to be read again."""

    started: list[QueuedWork] = field(default_factory=list)
    held: dict[int, Wait | Replace] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    later: list[QueuedWork] = field(default_factory=list)


def candidate(work: QueuedWork) -> Candidate:
    """A queued run as its decision needs it."""
    return Candidate(
        work.id,
        work.task_id,
        work.overlap,
        work.max_parallel,
        work.group,
        work.tag,
        in_order=work.in_order,
        by_hand=work.trigger == Trigger.MANUAL,
        held=work.held,
        backfill_id=work.backfill_id,
        backfill_parallel=work.backfill_parallel,
    )


def start(
    connection: Connection,
    dialect: Dialect,
    me: Identity,
    works: Sequence[QueuedWork],
    going: Going | None = None,
    room: int | None = None,
) -> Decided:
    """Decide about runs that are still ours, in the order of ``works``, until ``room`` of them
    have been started, and write it down.

    The rows are locked first, so only runs that do exist are decided about: one that was withdrawn
    by an edit must not count as the one that another has to wait for. And what is returned is
    exactly what was changed: not every server can return the rows of an UPDATE.
    """
    situation = look_around(connection, dialect, me, works, going or Going())
    startable = _lock_startable(connection, dialect, me, works)
    decided = Decided()
    replaced: set[int] = set()
    for work in {work.id: work for work in works}.values():
        if room is not None and len(decided.started) >= room:
            decided.later.append(work)
            continue
        if work.id not in startable or work.id in decided.skipped:
            continue
        match situation.decide(candidate(work)):
            case Start():
                term, followed = startable[work.id]
                decided.started.append(replace(work, term=term, followed=followed))
            case Skip(reason):
                decided.skipped[work.id] = reason
            case Wait() as verdict:
                decided.held[work.id] = verdict
            case Replace() as verdict:
                decided.held[work.id] = verdict
                replaced.add(work.task_id)
                for run_id in verdict.skipped:
                    decided.held.pop(run_id, None)
                    decided.skipped[run_id] = f"replaced before it began by {REPLACED_BY}"
    _begin(connection, dialect, decided.started)
    skip(connection, dialect, me.id, decided.skipped)
    _hold(connection, dialect, decided, {work.id: work for work in works})
    _stop_running(connection, dialect, replaced)
    return decided


def look_around(
    connection: Connection,
    dialect: Dialect,
    me: Identity,
    works: Sequence[QueuedWork],
    going: Going,
) -> Situation:
    """What is going on: here by our own books, elsewhere by the database.

    What is due and queued on another node counts as going on there: it led until just now, and may
    be committing the start of it. If it is not, we adopt it in a moment.
    """
    groups = sorted({work.group for work in works if work.group})
    situation = Situation(
        going.by_task.copy(),
        going.by_group.copy(),
        going.by_backfill.copy(),
        _lock_groups(connection, dialect, groups),
        pauses.in_force(connection, dialect),
        {task_id: list(run_ids) for task_id, run_ids in going.waiting.items()},
        going.in_order.copy(),
    )
    due = f"r.state = :queued AND r.start_at <= {dialect.clock}"
    elsewhere = connection.execute(
        text(
            " UNION ALL ".join(
                "SELECT r.state, r.task_id, r.backfill_id, r.trigger_kind, t.concurrency_group, "
                "COUNT(*) AS n "
                f"FROM {table('run')} r LEFT JOIN {table('task')} t ON t.id = r.task_id "
                f"WHERE {condition} "
                "GROUP BY r.state, r.task_id, r.backfill_id, r.trigger_kind, t.concurrency_group"
                # Two ranges of an index: there may be thousands that are queued here.
                for condition in (
                    "r.state = :running AND r.owner_id <> :node",
                    f"{due} AND r.owner_id < :node",
                    f"{due} AND r.owner_id > :node",
                )
            )
        ),
        {"running": RunState.RUNNING, "queued": RunState.QUEUED, "node": me.id},
    )
    for row in elsewhere:
        situation.by_task[row.task_id] += row.n
        if row.trigger_kind in IN_ORDER:
            situation.in_order[row.task_id] += row.n
        # The lock of the group has waited for what was being committed.
        if row.concurrency_group and row.state == RunState.RUNNING:
            situation.by_group[row.concurrency_group] += row.n
        if row.backfill_id is not None:
            situation.by_backfill[row.backfill_id] += row.n
    return situation


def _lock_groups(connection: Connection, dialect: Dialect, groups: Sequence[str]) -> dict[str, int]:
    """Their limits. Locked in the order of their names: two that start never deadlock."""
    if not groups:
        return {}
    names = ", ".join(f":g{number}" for number in range(len(groups)))
    found = connection.execute(
        text(
            f"SELECT name, max_running FROM {table('concurrency_group')} "
            f"WHERE name IN ({names}) ORDER BY name{dialect.for_update}"
        ),
        {f"g{number}": group for number, group in enumerate(groups)},
    )
    return {row.name: row.max_running for row in found}


def _lock_startable(
    connection: Connection, dialect: Dialect, me: Identity, works: Sequence[QueuedWork]
) -> dict[int, tuple[int, bool]]:
    """Id -> (term, whether something follows it) of the runs that may start: queued, owned by this
    node in this incarnation, claimed or adopted under the present term, and loaded with the
    definition that is in force. What somebody else has locked is passed over, and looked at again.

    Whether something follows is read anew: that another task depends on this one since then is no
    change of its definition.
    """
    matched = connection.execute(
        text(
            f"SELECT t.id, t.term, (SELECT f.followed FROM {table('task')} f "
            f"WHERE f.id = t.task_id) AS followed FROM {dialect.unpack(IDS, 'ids', 'i')} "
            f"{dialect.straight_join} {table('run')} t{dialect.by_key} ON t.id = i.id "
            f"WHERE {checked('t.state = :queued AND t.owner_id = :node')} "
            "AND EXISTS (SELECT 1 FROM "
            f"{table('node')} n WHERE n.id = :node AND n.incarnation = :incarnation) "
            f"AND EXISTS (SELECT 1 FROM {table('scheduler_lock')} l "
            "WHERE l.lock_name = :lock AND l.term = t.term) "
            f"AND EXISTS (SELECT 1 FROM {table('task')} k "
            "WHERE k.id = t.task_id AND k.revision = i.revision) "
            f"ORDER BY t.id{dialect.skip_locked_of('t')}"
        ),
        {
            "ids": dialect.pack(IDS, sorted({(work.id, work.revision) for work in works})),
            "queued": RunState.QUEUED,
            "node": me.id,
            "incarnation": me.incarnation,
            "lock": LOCK_NAME,
        },
    )
    return {row.id: (row.term, bool(row.followed)) for row in matched}


def _begin(connection: Connection, dialect: Dialect, works: Sequence[QueuedWork]) -> None:
    if not works:
        return
    rows = sorted((work.id, work.revision, int(work.followed)) for work in works)
    connection.execute(
        text(
            dialect.update_from(
                table("run"),
                dialect.unpack(STARTED, "ids", "i"),
                "t.id = i.id",
                f"state = :running, reason = '', started_at = {dialect.clock}, "
                f"follow_up = (i.followed = 1), {dialect.assign('revision', source='i')}",
            )
        ),
        {"ids": dialect.pack(STARTED, rows), "running": RunState.RUNNING},
    )


def skip(connection: Connection, dialect: Dialect, node_id: int, skipped: dict[int, str]) -> None:
    """``queued`` -> ``skipped`` for runs that are still ours, each with its reason."""
    for reason, run_ids in _by_reason(skipped).items():
        update_by_id(
            connection,
            dialect,
            run_ids,
            f"state = :skipped, reason = :reason, finished_at = {dialect.clock}",
            checked("t.state = :queued AND t.owner_id = :node"),
            {
                "skipped": RunState.SKIPPED,
                "queued": RunState.QUEUED,
                "reason": reason,
                "node": node_id,
            },
        )


def _hold(
    connection: Connection, dialect: Dialect, decided: Decided, works: dict[int, QueuedWork]
) -> None:
    """Say what they wait for, where that is new. From then on their turn is kept, also by another
    leader: ``held_at``. A pause keeps no turn: after it the misfire policy decides."""
    news = {
        run_id: verdict
        for run_id, verdict in decided.held.items()
        if works[run_id].reason != verdict.reason
    }
    for turn in (True, False):
        reasons = {i: v.reason for i, v in news.items() if _keeps_turn(v) is turn}
        for reason, run_ids in _by_reason(reasons).items():
            held = f", held_at = COALESCE(held_at, {dialect.clock})" if turn else ""
            update_by_id(
                connection,
                dialect,
                run_ids,
                f"reason = :reason{held}",
                checked("t.state = :queued"),
                {"reason": reason, "queued": RunState.QUEUED},
            )


def _keeps_turn(verdict: Wait | Replace) -> bool:
    return isinstance(verdict, Replace) or verdict.keeps_turn


def _stop_running(connection: Connection, dialect: Dialect, task_ids: set[int]) -> None:
    """Ask for the end of everything that is going on of these tasks, on whatever node. By id: a
    task may have a long history."""
    if not task_ids:
        return
    going = connection.execute(
        text(
            f"SELECT id, task_id FROM {table('run')} "
            "WHERE state = :running AND stop_requested_at IS NULL"
        ),
        {"running": RunState.RUNNING},
    )
    update_by_id(
        connection,
        dialect,
        [row.id for row in going if row.task_id in task_ids],
        f"stop_requested_at = {dialect.clock}, stop_requested_by = :who",
        checked("t.state = :running AND t.stop_requested_at IS NULL"),
        {"running": RunState.RUNNING, "who": REPLACED_BY},
    )


def _by_reason(reasons: dict[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for run_id, reason in reasons.items():
        found.setdefault(reason[:512], []).append(run_id)
    return found
