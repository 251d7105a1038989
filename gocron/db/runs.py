"""What a node's runner does with its runs: load, hand back, finish. Starting is in ``starts``.

Every change is a compare-and-set on state and owner: whoever comes second changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from gocron.core.parameters import Value
from gocron.core.states import IN_ORDER, RunState, Trigger
from gocron.db.dialects import Columns, Dialect
from gocron.db.engine import Database
from gocron.db.naming import table
from gocron.db.run_rows import IDS, checked, pack_ids, update_by_id

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
    """Whether its slot made it, for the first time."""
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
    trigger: str = Trigger.SCHEDULE
    group: str = ""
    priority: int = 0
    tag: str = ""
    misfire_grace: int | None = None
    jitter: int = 0
    followed: bool = False
    reason: str = ""
    """What it waits for, as the database shows it."""
    held: bool = False
    """It waits for others and keeps its turn."""
    blocker: str = ""
    """What it was found to wait for here."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    parents: Sequence[Mapping[str, Any]] = ()
    backfill_id: int | None = None
    backfill_parallel: int = 1

    @property
    def in_order(self) -> bool:
        """Whether it is one of several that are to be caught up on, one after the other."""
        return self.trigger in IN_ORDER


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


def queued_ids(database: Database, node_id: int, *, with_late: bool = True) -> list[int]:
    """Ids of the queued runs that this node owns, the next ones first, what is caught up on after
    all others or (not ``with_late``) not at all; at most ``MOST_QUEUED``."""
    on_time = "" if with_late else "AND trigger_kind NOT IN (:late, :backfill) "
    with database.read() as connection:
        return list(
            connection.execute(
                text(
                    f"SELECT id FROM {table('run')} WHERE state = :queued AND owner_id = :node "
                    f"{on_time}"
                    "ORDER BY CASE WHEN trigger_kind IN (:late, :backfill) THEN 1 ELSE 0 END, "
                    f"start_at, scheduled_at, id LIMIT {MOST_QUEUED}"
                ),
                {
                    "queued": RunState.QUEUED,
                    "node": node_id,
                    "late": Trigger.CATCH_UP,
                    "backfill": Trigger.BACKFILL,
                },
            ).scalars()
        )


WORK_COLUMNS = (
    "protocol, t.command, t.working_dir, t.environment, t.http_method, t.http_headers, "
    "t.http_body, t.http_statuses, t.http_verify_tls, t.success_pattern, t.timeout, t.overlap, "
    "t.max_parallel, t.concurrency_group, t.priority, t.tag, t.misfire_grace, t.jitter, "
    "t.followed, t.parameters AS declared, r.parameters, r.parents, r.reason, r.held_at, "
    "r.backfill_id, b.parallel AS backfill_parallel"
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
                f"LEFT JOIN {table('backfill')} b ON b.id = r.backfill_id "
                "WHERE " + checked("r.state = :queued AND r.owner_id = :node")
            ),
            {"ids": pack_ids(dialect, run_ids), "queued": RunState.QUEUED, "node": node_id},
        ).all()
    return [_work(dialect, row._asdict()) for row in found]


def _work(dialect: Dialect, row: dict[str, Any]) -> QueuedWork:
    declared = dialect.read_json(row.pop("declared")) or ()
    given = dialect.read_json(row["parameters"])
    if given is None:  # nobody was asked: a slot
        given = {p["name"]: p["default"] for p in declared if p["default"] is not None}
    trigger = row.pop("trigger_kind")
    return QueuedWork(
        **row
        | {
            "scheduled_at": dialect.instant(row["scheduled_at"]),
            "start_at": dialect.instant(row["start_at"]),
            "environment": dialect.read_json(row["environment"]),
            "http_headers": dialect.read_json(row["http_headers"]),
            "http_verify_tls": bool(row["http_verify_tls"]),
            "term": row["term"] or 0,
            "trigger": trigger,
            "scheduled": trigger == Trigger.SCHEDULE and not row["attempt"],
            "group": row.pop("concurrency_group"),
            "followed": bool(row["followed"]),
            "held": row.pop("held_at") is not None,
            "parameters": given,
            "parents": dialect.read_json(row["parents"]) or (),
            "backfill_parallel": row["backfill_parallel"] or 1,
        }
    )


def hand_back(database: Database, node_id: int, run_ids: Sequence[int]) -> None:
    """Give queued runs up: they became too late here, the leader decides what becomes of them."""
    database.transact(
        lambda connection: update_by_id(
            connection,
            database.dialect,
            run_ids,
            "owner_id = NULL",
            checked("t.state = :queued AND t.owner_id = :node"),
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
                    "t.id = e.id AND " + checked("t.state = :running AND t.owner_id = :node"),
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
            checked("t.state = :running AND t.owner_id = :node"),
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
