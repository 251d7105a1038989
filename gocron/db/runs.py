"""What a node's runner does with its runs: load, start, skip, hand back, finish.

Every change is a compare-and-set on state and owner: whoever comes second changes nothing.
A start is also fenced by the node's incarnation, so a runner that was left over from an earlier
life of the node (stopped, then resumed) cannot start anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from gocron.core.identity import Identity
from gocron.core.states import RunState, Trigger
from gocron.db.dialects import Columns, Dialect
from gocron.db.engine import Database
from gocron.db.lock import LOCK_NAME
from gocron.db.naming import table
from gocron.db.run_rows import IDS, pack_ids, update_by_id

ENDS: Columns = {
    "id": "int",
    "state": "text",
    "reason": "text",
    "exit_code": "int",
    "finished_at": "time",
    "output_bytes": "int",
}


@dataclass(frozen=True)
class QueuedWork:
    """A queued run with the definition it will execute."""

    id: int
    task_id: int
    task_name: str
    scheduled_at: datetime
    start_at: datetime
    attempt: int
    scheduled: bool
    term: int
    revision: int
    protocol: str
    command: str
    working_dir: str
    environment: dict[str, str]
    http_method: str
    http_headers: dict[str, str]
    http_body: str
    http_statuses: str
    http_verify_tls: bool
    success_pattern: str
    timeout: int
    overlap: str
    max_parallel: int


@dataclass(frozen=True)
class End:
    """How a run ended, ready to be written (or spooled)."""

    id: int
    state: str
    reason: str
    exit_code: int | None
    finished_at: datetime
    output_bytes: int


MOST_QUEUED = 20_000


def queued_ids(database: Database, node_id: int) -> list[int]:
    """Ids of the queued runs that this node owns, the next ones first, at most ``MOST_QUEUED``."""
    with database.read() as connection:
        return list(
            connection.execute(
                text(
                    f"SELECT id FROM {table('run')} WHERE state = :queued AND owner_id = :node "
                    f"ORDER BY start_at, id LIMIT {MOST_QUEUED}"
                ),
                {"queued": RunState.QUEUED, "node": node_id},
            ).scalars()
        )


WORK_COLUMNS = (
    "protocol, t.command, t.working_dir, t.environment, t.http_method, t.http_headers, "
    "t.http_body, t.http_statuses, t.http_verify_tls, t.success_pattern, t.timeout, t.overlap, "
    "t.max_parallel"
)


def load(database: Database, node_id: int, run_ids: Sequence[int]) -> list[QueuedWork]:
    """The definitions behind this node's queued runs. A run whose task is gone is not among
    them."""
    dialect = database.dialect
    with database.read() as connection:
        found = connection.execute(
            text(
                "SELECT r.id, r.task_id, t.name AS task_name, r.scheduled_at, r.start_at, "
                "r.attempt, r.trigger_kind, r.term, t.revision, t."
                f"{WORK_COLUMNS} FROM {dialect.unpack(IDS, 'ids', 'i')} "
                f"{dialect.straight_join} {table('run')} r ON r.id = i.id "
                f"{dialect.straight_join} {table('task')} t ON t.id = r.task_id "
                "WHERE r.state = :queued AND r.owner_id = :node"
            ),
            {"ids": pack_ids(dialect, run_ids), "queued": RunState.QUEUED, "node": node_id},
        ).all()
    return [_work(dialect, row._asdict()) for row in found]


def _work(dialect: Dialect, row: dict[str, Any]) -> QueuedWork:
    return QueuedWork(
        **row
        | {
            "scheduled_at": dialect.instant(row["scheduled_at"]),
            "start_at": dialect.instant(row["start_at"]),
            "environment": dialect.read_json(row["environment"]),
            "http_headers": dialect.read_json(row["http_headers"]),
            "http_verify_tls": bool(row["http_verify_tls"]),
            "term": row["term"] or 0,
            "scheduled": row.pop("trigger_kind") == Trigger.SCHEDULE,
        }
    )


def running_elsewhere(connection: Connection, node_id: int) -> dict[int, int]:
    """Task id -> how many of its runs are running on other nodes."""
    found = connection.execute(
        text(
            f"SELECT task_id, COUNT(*) AS n FROM {table('run')} "
            "WHERE state = :running AND owner_id <> :node GROUP BY task_id"
        ),
        {"running": RunState.RUNNING, "node": node_id},
    )
    return {row.task_id: row.n for row in found}


Refusal = Callable[[QueuedWork], str | None]
"""Asked for each run, in order, whether it must not start now; the reason if so."""


def start(
    connection: Connection,
    dialect: Dialect,
    me: Identity,
    works: Sequence[QueuedWork],
    refusal: Refusal = lambda _work: None,
) -> list[QueuedWork]:
    """``queued`` -> ``running`` (or ``skipped``) for runs that are still ours; those that are
    running now, each once, with the term they are run under.

    The rows are locked first, so ``refusal`` is asked only about runs that do exist: one that was
    withdrawn by an edit must not count as the one that another has to wait for. And what is
    returned is exactly what was changed: not every server can return the rows of an UPDATE.
    """
    terms = _lock_startable(connection, dialect, me, works)
    chosen: dict[int, QueuedWork] = {}
    skipped: dict[int, str] = {}
    for work in works:
        if work.id in terms and work.id not in chosen and work.id not in skipped:
            reason = refusal(work)
            if reason is None:
                chosen[work.id] = replace(work, term=terms[work.id])
            else:
                skipped[work.id] = reason
    skip(connection, dialect, me.id, skipped)
    if chosen:
        connection.execute(
            text(
                dialect.update_from(
                    table("run"),
                    dialect.unpack(IDS, "ids", "i"),
                    "t.id = i.id",
                    f"state = :running, started_at = {dialect.clock}, "
                    + dialect.assign("revision", source="i"),
                )
            ),
            {
                "ids": dialect.pack(IDS, sorted((w.id, w.revision) for w in chosen.values())),
                "running": RunState.RUNNING,
            },
        )
    return list(chosen.values())


def _lock_startable(
    connection: Connection, dialect: Dialect, me: Identity, works: Sequence[QueuedWork]
) -> dict[int, int]:
    """Id -> term of the runs that may start: queued, owned by this node in this incarnation,
    claimed or adopted under the present term, and loaded with the definition that is in force.
    What somebody else has locked is passed over, and looked at again."""
    matched = connection.execute(
        text(
            f"SELECT t.id, t.term FROM {dialect.unpack(IDS, 'ids', 'i')} "
            f"{dialect.straight_join} {table('run')} t{dialect.by_key} ON t.id = i.id "
            "WHERE t.state = :queued AND t.owner_id = :node AND EXISTS (SELECT 1 FROM "
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
    return {row.id: row.term for row in matched}


def skip(connection: Connection, dialect: Dialect, node_id: int, skipped: dict[int, str]) -> None:
    """``queued`` -> ``skipped`` for runs that are still ours, each with its reason."""
    by_reason: dict[str, list[int]] = {}
    for run_id, reason in skipped.items():
        by_reason.setdefault(reason, []).append(run_id)
    for reason, run_ids in by_reason.items():
        update_by_id(
            connection,
            dialect,
            run_ids,
            f"state = :skipped, reason = :reason, finished_at = {dialect.clock}",
            "t.state = :queued AND t.owner_id = :node",
            {
                "skipped": RunState.SKIPPED,
                "queued": RunState.QUEUED,
                "reason": reason,
                "node": node_id,
            },
        )


def hand_back(database: Database, node_id: int, run_ids: Sequence[int]) -> None:
    """Give queued runs up: they became too late here, the leader decides what becomes of them."""
    database.transact(
        lambda connection: update_by_id(
            connection,
            database.dialect,
            run_ids,
            "owner_id = NULL",
            "t.state = :queued AND t.owner_id = :node",
            {"queued": RunState.QUEUED, "node": node_id},
        )
    )


def finish(database: Database, node_id: int, ends: Sequence[End]) -> None:
    """``running`` -> ended, for runs that are still ours. Safe to repeat."""
    dialect = database.dialect

    def work(connection: Connection) -> None:
        connection.execute(
            text(
                dialect.update_from(
                    table("run"),
                    dialect.unpack(ENDS, "ends", "e"),
                    "t.id = e.id AND t.state = :running AND t.owner_id = :node",
                    dialect.assign(
                        "state", "reason", "exit_code", "finished_at", "output_bytes", source="e"
                    ),
                )
            ),
            {
                "ends": dialect.pack(
                    ENDS,
                    (
                        (
                            end.id,
                            end.state,
                            end.reason[:512],
                            end.exit_code,
                            end.finished_at,
                            end.output_bytes,
                        )
                        for end in sorted(ends, key=lambda end: end.id)
                    ),
                ),
                "running": RunState.RUNNING,
                "node": node_id,
            },
        )

    database.transact(work)


def settle_unstarted(
    database: Database, node_id: int, run_ids: Sequence[int], reason: str
) -> tuple[set[int], int]:
    """End those of ``run_ids`` that the database shows as running here although no command runs
    for them: (ids that are settled now, how many were ended).

    A row that is locked is not settled: a COMMIT that we never heard of may be under way.
    """

    def work(connection: Connection) -> tuple[set[int], int]:
        dialect = database.dialect
        found = connection.execute(
            text(
                f"SELECT t.id FROM {dialect.unpack(IDS, 'ids', 'i')} "
                f"{dialect.straight_join} {table('run')} t{dialect.by_key} ON t.id = i.id "
                f"ORDER BY t.id{dialect.skip_locked_of('t')}"
            ),
            {"ids": pack_ids(dialect, run_ids)},
        )
        free = set(found.scalars())
        ended = update_by_id(
            connection,
            dialect,
            sorted(free),
            f"state = :lost, finished_at = {dialect.clock}, reason = :reason",
            "t.state = :running AND t.owner_id = :node",
            {
                "lost": RunState.LOST,
                "running": RunState.RUNNING,
                "node": node_id,
                "reason": reason[:512],
            },
        )
        there = _existing(connection, dialect, run_ids)
        return free | (set(run_ids) - there), ended

    return database.transact(work)


def _existing(connection: Connection, dialect: Dialect, run_ids: Sequence[int]) -> set[int]:
    found = connection.execute(
        text(
            f"SELECT t.id FROM {dialect.unpack(IDS, 'ids', 'i')} "
            f"{dialect.straight_join} {table('run')} t{dialect.by_key} ON t.id = i.id"
        ),
        {"ids": pack_ids(dialect, run_ids)},
    )
    return set(found.scalars())


def running_ids(database: Database, node_id: int) -> list[int]:
    """Ids of the runs that the database shows as running on this node."""
    with database.read() as connection:
        return list(
            connection.execute(
                text(f"SELECT id FROM {table('run')} WHERE state = :running AND owner_id = :node"),
                {"running": RunState.RUNNING, "node": node_id},
            ).scalars()
        )


def stop_requests(database: Database, node_id: int) -> dict[int, str]:
    """Running runs of this node that somebody wants stopped: id -> who."""
    with database.read() as connection:
        found = connection.execute(
            text(
                f"SELECT id, stop_requested_by FROM {table('run')} WHERE state = :running "
                "AND owner_id = :node AND stop_requested_at IS NOT NULL"
            ),
            {"running": RunState.RUNNING, "node": node_id},
        )
        return {row.id: row.stop_requested_by for row in found}
