"""What a leader's scheduler does with runs that others left: it adopts queued ones, and ends
running ones whose node is gone.

Every change is a compare-and-set, and rows that somebody has locked are passed over: an owner that
is starting a run just now has it locked, and the next round sees what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from gocron.core.firing import QueuedRun
from gocron.core.states import Misfire, RunState, Trigger
from gocron.db.claims import Claimant, require_term
from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.naming import table
from gocron.db.run_rows import IDS, checked, pack_ids, update_by_id


def orphans(database: Database, claimant: Claimant) -> list[QueuedRun]:
    """Queued runs that were not queued, or adopted, under this leadership: of nodes that led
    before (this one included), manual runs, runs that were handed back."""
    with database.read() as connection:
        found = connection.execute(
            text(
                "SELECT r.id, r.task_id, r.trigger_kind, r.attempt, r.held_at, r.start_at, "
                "t.next_fire_at, t.misfire, t.misfire_grace "
                f"FROM {table('run')} r LEFT JOIN {table('task')} t ON t.id = r.task_id "
                "WHERE r.state = :queued AND (r.owner_id IS NULL OR r.owner_id <> :node "
                "OR r.term <> :term) ORDER BY r.id LIMIT 10000"
            ),
            {"queued": RunState.QUEUED, "node": claimant.node_id, "term": claimant.term},
        ).all()
    moment = database.dialect.read_time
    return [
        QueuedRun(
            row.id,
            row.task_id,
            row.trigger_kind == Trigger.SCHEDULE and not row.attempt and row.held_at is None,
            database.dialect.instant(row.start_at),
            moment(row.next_fire_at),
            row.misfire or Misfire.RUN_ONCE,
            row.misfire_grace,
        )
        for row in found
    ]


def adopt(
    database: Database, claimant: Claimant, run_ids: Sequence[int], missed: Mapping[int, str]
) -> int:
    """Make queued runs ours, and write off those that have become too late (id -> reason). How
    many were adopted. Raises ``TermOver``."""

    def work(connection: Connection) -> int:
        require_term(connection, claimant.term)
        dialect = database.dialect
        for reason in sorted(set(missed.values())):
            update_by_id(
                connection,
                dialect,
                sorted(run_id for run_id, why in missed.items() if why == reason),
                f"state = :missed, finished_at = {dialect.clock}, reason = :reason",
                checked("t.state = :queued"),
                {
                    "missed": RunState.MISSED,
                    "queued": RunState.QUEUED,
                    "reason": reason,
                },
            )
        free = _lock_queued(connection, dialect, run_ids) if run_ids else []
        if not free:
            return 0
        return update_by_id(
            connection,
            dialect,
            free,
            "owner_id = :node, term = :term, start_at = "
            f"CASE WHEN t.start_at < {dialect.clock} THEN {dialect.clock} ELSE t.start_at END",
            checked("t.state = :queued"),
            {"queued": RunState.QUEUED, "node": claimant.node_id, "term": claimant.term},
        )

    return database.transact(work)


def _lock_queued(connection: Connection, dialect: Dialect, run_ids: Sequence[int]) -> list[int]:
    """Those of ``run_ids`` that are queued and that nobody else has locked just now; an owner
    that is starting one has it locked, and the next round will see what came of it."""
    return list(
        connection.execute(
            text(
                f"SELECT t.id FROM {dialect.unpack(IDS, 'ids', 'i')} "
                f"{dialect.straight_join} {table('run')} t{dialect.by_key} ON t.id = i.id "
                f"WHERE {checked('t.state = :queued')} ORDER BY t.id{dialect.skip_locked_of('t')}"
            ),
            {"ids": pack_ids(dialect, run_ids), "queued": RunState.QUEUED},
        ).scalars()
    )


def mark_lost(
    database: Database, node_id: int, reason: str, heartbeat_at: datetime | None = None
) -> int:
    """End the running runs of a node that is gone; how many there were. With ``heartbeat_at``
    only if the node's heartbeat is still that one: it may have come back since it was read."""

    def work(connection: Connection) -> int:
        dialect = database.dialect
        still = (
            ""
            if heartbeat_at is None
            else f" AND NOT EXISTS (SELECT 1 FROM {table('node')} n WHERE n.id = :node "
            "AND n.heartbeat_at <> :beat)"
        )
        return connection.execute(
            text(
                f"UPDATE {table('run')} SET state = :lost, reason = :reason, "
                f"finished_at = {dialect.clock} WHERE state = :running AND owner_id = :node{still}"
            ),
            {
                "lost": RunState.LOST,
                "running": RunState.RUNNING,
                "node": node_id,
                "reason": reason[:512],
            }
            | ({} if heartbeat_at is None else {"beat": dialect.time(heartbeat_at)}),
        ).rowcount

    return database.transact(work)


def nodes_with_running(database: Database, except_node: int) -> list[int]:
    """Ids of other nodes that own running runs."""
    with database.read() as connection:
        return list(
            connection.execute(
                text(
                    f"SELECT DISTINCT owner_id FROM {table('run')} "
                    "WHERE state = :running AND owner_id <> :node"
                ),
                {"running": RunState.RUNNING, "node": except_node},
            ).scalars()
        )
