"""The transaction that makes slots ours. The heart of "no slot twice, no slot forgotten".

``claim`` checks our term, moves the cursor of every task from the slot we saw to the next, and
inserts one row per slot -- all or nothing. The unique key ``(task_id, scheduled_at, attempt)`` is
what makes a second start impossible: not our memory, not the lease, not anybody's clock. The row
is durable before the cursor has moved, so a crash at any point forgets nothing either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from gocron.clock import DatabaseClock, boottime
from gocron.core.firing import DueTask, Plan, PlannedRun
from gocron.core.states import RunState
from gocron.db.dialects import Columns, Dialect
from gocron.db.engine import Database
from gocron.db.lock import LOCK_NAME
from gocron.db.naming import table

PAGE = 1000
"""Tasks read, and claimed, in one transaction: 20 to 60 ms of work."""

MOVES: Columns = {"id": "int", "revision": "int", "expected": "time", "next": "time"}

ROWS: Columns = {
    "task_id": "int",
    "task_name": "text",
    "revision": "int",
    "scheduled_at": "time",
    "state": "text",
    "reason": "text",
    "missed_until": "time",
    "missed_count": "int",
    "start_at": "time",
    "trigger_kind": "text",
    "follow_up": "int",
}


class TermOver(Exception):
    """Another leadership has begun; whatever was planned under ours is void."""


@dataclass(frozen=True)
class Claimant:
    """Who claims: a node, under a term."""

    node_id: int
    term: int


DUE_COLUMNS = (
    "id, name, revision, next_fire_at, spec, timezone, misfire, misfire_grace, catch_up_limit, "
    "jitter, starts_at, ends_at, exclude_calendars, require_calendars, followed, broken"
)


def due(
    database: Database,
    clock: DatabaseClock,
    ahead_s: float,
    after: tuple[datetime, int] | None,
    paused_tags: Sequence[str] = (),
) -> list[DueTask]:
    """A page of enabled tasks whose cursor lies before the database's now + ``ahead_s`` seconds,
    oldest first, continuing behind ``after`` (cursor, id), without those that are paused. Feeds
    ``clock`` as it goes."""
    dialect = database.dialect
    page = "" if after is None else (
        # The first condition says nothing new, but an index can jump there.
        "AND next_fire_at >= :cursor AND (next_fire_at > :cursor OR id > :id) "
    )  # fmt: skip
    with database.read() as connection:
        sent = boottime()
        now = dialect.now(connection)
        clock.observe(sent, now, boottime())
        values: dict[str, object] = {
            "horizon": dialect.time(_after(clock.now(), ahead_s)),
            "limit": PAGE,
            "yes": True,
        }
        if after is not None:
            values |= {"cursor": dialect.time(after[0]), "id": after[1]}
        for number, tag in enumerate(paused_tags):
            page += f"AND tag <> :tag{number} "
            values[f"tag{number}"] = tag
        found = connection.execute(
            text(
                f"SELECT {DUE_COLUMNS} FROM {table('task')} "
                f"WHERE enabled = :yes AND next_fire_at <= :horizon {page}"
                "ORDER BY next_fire_at, id LIMIT :limit"
            ),
            values,
        ).all()
    return [
        DueTask(
            row.id,
            row.name,
            row.revision,
            dialect.instant(row.next_fire_at),
            row.spec,
            row.timezone,
            row.misfire,
            row.misfire_grace,
            row.catch_up_limit,
            row.jitter,
            dialect.read_time(row.starts_at),
            dialect.read_time(row.ends_at),
            tuple(dialect.read_json(row.exclude_calendars) or ()),
            tuple(dialect.read_json(row.require_calendars) or ()),
            bool(row.followed),
            row.broken,
        )
        for row in found
    ]


def _after(moment: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() + seconds, moment.tzinfo)


def require_term(connection: Connection, term: int) -> None:
    """Raise ``TermOver`` unless the lock row still shows ``term``. A plain read: the row itself
    is locked by our own elector."""
    found = connection.execute(
        text(f"SELECT term FROM {table('scheduler_lock')} WHERE lock_name = :name"),
        {"name": LOCK_NAME},
    ).scalar_one_or_none()
    if found != term:
        raise TermOver(f"term {term} is over, the lock row shows {found}")


def claim(database: Database, claimant: Claimant, plans: Sequence[Plan]) -> int:
    """Write what was planned; the number of tasks whose cursor moved.

    A task that was edited, disabled or deleted since it was read does not match any more: nothing
    of its plan is written, it is simply read again. Raises ``TermOver``.
    """

    def work(connection: Connection) -> int:
        require_term(connection, claimant.term)
        dialect = database.dialect
        unchanged = _lock_unchanged(connection, dialect, plans)
        if unchanged:
            valid = [plan for plan in plans if plan.task.id in unchanged]
            _move_cursors(connection, dialect, valid)
            _insert_runs(connection, dialect, claimant, valid)
        return len(unchanged)

    return database.transact(work)


def _pack_moves(dialect: Dialect, plans: Sequence[Plan]) -> str:
    return dialect.pack(
        MOVES,
        (
            (plan.task.id, plan.task.revision, plan.task.next_fire_at, plan.next_fire_at)
            for plan in sorted(plans, key=lambda plan: plan.task.id)
        ),
    )


def _lock_unchanged(connection: Connection, dialect: Dialect, plans: Sequence[Plan]) -> set[int]:
    """Ids of the tasks that are still as they were when the plan was made; their rows stay
    locked to the end of the transaction, so an edit waits and then sees our rows. A task that
    somebody has locked is passed over: one must not keep the others from firing."""
    found = connection.execute(
        text(
            f"SELECT t.id FROM {dialect.unpack(MOVES, 'moves', 'm')} "
            f"{dialect.straight_join} {table('task')} t{dialect.by_key} ON t.id = m.id "
            "AND t.revision = m.revision "
            "AND t.next_fire_at = m.expected AND t.enabled = :yes "
            f"ORDER BY t.id{dialect.skip_locked_of('t')}"
        ),
        {"moves": _pack_moves(dialect, plans), "yes": True},
    )
    return set(found.scalars())


def _move_cursors(connection: Connection, dialect: Dialect, plans: Sequence[Plan]) -> None:
    """Of tasks that are locked and unchanged; the others keep the cursor that an edit set."""
    connection.execute(
        text(
            dialect.update_from(
                table("task"),
                dialect.unpack(MOVES, "moves", "m"),
                "t.id = m.id",
                "next_fire_at = m.next",
            )
        ),
        {"moves": _pack_moves(dialect, plans)},
    )


def _insert_runs(
    connection: Connection,
    dialect: Dialect,
    claimant: Claimant,
    plans: Sequence[Plan],
) -> None:
    """One row a slot; a row that is there already (a slot that ran before its task was edited)
    stays as it is."""
    rows = pack_runs(dialect, (run for plan in plans for run in plan.runs))
    insert_rows(connection, dialect, rows, claimant)


def pack_runs(dialect: Dialect, runs: Iterable[PlannedRun]) -> str:
    """Planned runs as the parameter of ``insert_rows``."""
    return dialect.pack(
        ROWS,
        (
            (
                run.task_id,
                run.task_name,
                run.revision,
                run.scheduled_at,
                run.state,
                run.reason,
                run.missed_until,
                run.missed_count,
                run.start_at or run.scheduled_at,
                run.trigger,
                int(run.follow_up),
            )
            for run in runs
        ),
    )


def insert_rows(
    connection: Connection, dialect: Dialect, rows: str, claimant: Claimant | None
) -> None:
    """Insert packed ``ROWS``; queued ones belong to ``claimant``, ended ones to nobody."""
    clock = dialect.clock
    connection.execute(
        text(
            f"INSERT INTO {table('run')} (task_id, task_name, scheduled_at, attempt, "
            "start_at, trigger_kind, triggered_by, state, reason, owner_id, term, revision, "
            "created_at, finished_at, missed_until, missed_count, output_bytes, "
            "stop_requested_by, follow_up) "
            f"SELECT r.task_id, r.task_name, r.scheduled_at, 0, "
            # A late slot begins its life now: whoever looks at the row later must not judge
            # again whether it is too late.
            f"CASE WHEN r.start_at < {clock} THEN {clock} ELSE r.start_at END, "
            "r.trigger_kind, '', r.state, r.reason, "
            f"CASE WHEN r.state = :queued THEN {dialect.as_int(':owner')} END, "
            f"{dialect.as_int(':term')}, r.revision, {clock}, "
            f"CASE WHEN r.state <> :queued THEN {clock} END, "
            "r.missed_until, r.missed_count, 0, '', r.follow_up = 1 "
            f"FROM {dialect.unpack(ROWS, 'rows', 'r')} WHERE 1 = 1"
            f"{dialect.ignore_conflicts(table('run'), 'attempt')}"
        ),
        {
            "rows": rows,
            "queued": RunState.QUEUED,
            "owner": claimant.node_id if claimant else None,
            "term": claimant.term if claimant else None,
        },
    )


def mark_broken(database: Database, broken: Mapping[tuple[int, int], str]) -> None:
    """(Task, revision) -> why it cannot be scheduled any more, or "" if it can again. Shown to
    people; nothing of it decides about anything."""

    def work(connection: Connection) -> None:
        for (task_id, revision), reason in sorted(broken.items()):
            connection.execute(
                text(
                    f"UPDATE {table('task')} SET broken = :reason "
                    "WHERE id = :id AND revision = :revision"
                ),
                {"reason": reason[:512], "id": task_id, "revision": revision},
            )

    database.transact(work)
