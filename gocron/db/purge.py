"""Throwing away what is older than ``retention`` says, a bearable number of rows at a time.

One function call is one short transaction at most. Rows are found by plain reads along an index,
locked one by one without waiting, and looked at again before they go: what somebody else is
working on is left for the next round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select

from gocron.core.states import RunState
from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Leadership, Run, RunOutput

BATCH = 1000
"""Rows that one transaction deletes at most."""

MOST_BYTES = 32 * 1024 * 1024
"""Of output that one transaction deletes; a single run may have more."""

FRESH = timedelta(hours=1)
"""Runs that ended so short ago always stay: retries, chains and people still look at them."""

ENDED = tuple(state for state in RunState if state.ended)


@dataclass(frozen=True)
class Step:
    """One batch: how many rows went, and where to go on; None if this was the last one."""

    gone: int
    after: int | None


def old_runs(database: Database, before: datetime, after: int = 0) -> Step:
    """Runs that ended before ``before``, in order of their ids, from behind ``after`` on."""
    with database.read() as connection:
        page = connection.execute(
            select(Run.id, Run.state, Run.follow_up, Run.created_at, Run.finished_at)
            .add_columns(Run.output_bytes)
            .where(Run.id > after)
            .order_by(Run.id)
            .limit(BATCH)
        ).all()
    old = [row for row in page if _may_go(row) and (row.finished_at or row.created_at) < before]
    chosen = _bearable(old)
    gone = _delete_runs(database, [row.id for row in chosen]) if chosen else 0
    if len(chosen) < len(old):
        return Step(gone, chosen[-1].id)
    # Ids follow the time of creation: behind a page that is all younger there is nothing old.
    over = len(page) < BATCH or all(row.created_at >= before for row in page)
    return Step(gone, None if over else page[-1].id)


def surplus_runs(database: Database, task_id: int, keep: int) -> Step:
    """What one task has beyond its ``keep`` newest runs, oldest first; ``after`` says only whether
    there is more."""
    with database.read() as connection:
        fresh = database.dialect.now(connection) - FRESH
        oldest_kept = connection.execute(
            select(Run.id)
            .where(Run.task_id == task_id)
            .order_by(Run.id.desc())
            .offset(keep - 1)
            .limit(1)
        ).scalar_one_or_none()
        if oldest_kept is None:
            return Step(0, None)
        page = connection.execute(
            select(Run.id, Run.state, Run.follow_up, Run.finished_at, Run.output_bytes)
            .where(Run.task_id == task_id, Run.id < oldest_kept)
            .order_by(Run.id)
            .limit(BATCH)
        ).all()
    chosen = _bearable(
        [row for row in page if _may_go(row) and row.finished_at and row.finished_at < fresh]
    )
    if not chosen:
        return Step(0, None)
    gone = _delete_runs(database, [row.id for row in chosen])
    more = gone > 0 and (len(page) == BATCH or len(chosen) < len(page))
    return Step(gone, chosen[-1].id if more else None)


def tasks_with_runs(database: Database, after: int, limit: int) -> list[int]:
    """Ids of tasks that have runs, deleted ones included, above ``after``."""
    found: list[int] = []
    with database.read() as connection:
        while len(found) < limit:
            lowest = connection.execute(
                select(func.min(Run.task_id)).where(Run.task_id > after)
            ).scalar_one_or_none()
            if lowest is None:
                break
            found.append(lowest)
            after = lowest
    return found


def old_audit_lines(database: Database, before: datetime) -> Step:
    """Lines written before ``before``."""
    with database.read() as connection:
        ids = (
            connection.execute(
                select(AuditLog.id)
                .where(AuditLog.at < before)
                .order_by(AuditLog.at, AuditLog.id)
                .limit(BATCH)
            )
            .scalars()
            .all()
        )
    gone = _delete(database, AuditLog.id, ids)
    return Step(gone, ids[-1] if len(ids) == BATCH and gone else None)


def say_audit_was_shortened(database: Database, node_name: str, lines: int, to: datetime) -> None:
    """The log itself tells that its oldest lines went."""
    detail: dict[str, object] = {"lines": lines, "before": to.isoformat()}
    actor = Actor("gocron", "", node_name)
    database.transact(
        lambda connection: audit.record(
            connection, database.dialect, actor, "audit.purge", "audit log", detail
        )
    )


def old_terms(database: Database, before: datetime) -> Step:
    """Leaderships that ended before ``before``; the newest one stays: terms go on from it."""
    with database.read() as connection:
        newest = connection.execute(select(func.max(Leadership.term))).scalar_one() or 0
        ids = (
            connection.execute(
                select(Leadership.id)
                .where(Leadership.ended_at < before, Leadership.term < newest)
                .order_by(Leadership.id)
                .limit(BATCH)
            )
            .scalars()
            .all()
        )
    gone = _delete(database, Leadership.id, ids)
    return Step(gone, ids[-1] if len(ids) == BATCH and gone else None)


def _may_go(row: Any) -> bool:
    return RunState(row.state).ended and not row.follow_up


def _bearable(rows: Sequence[Any]) -> Sequence[Any]:
    """The first of them, with not too much output together."""
    total = 0
    for number, row in enumerate(rows):
        total += row.output_bytes
        if total > MOST_BYTES and number:
            return rows[:number]
    return rows


def _delete_runs(database: Database, ids: Sequence[int]) -> int:
    def work(connection: Connection) -> int:
        wanted = (
            select(Run.id)
            .where(Run.id.in_(ids), Run.state.in_(ENDED), Run.follow_up.is_(False))
            .order_by(Run.id)
            .with_for_update(skip_locked=True)
        )
        locked = connection.execute(wanted).scalars().all()
        if locked:
            connection.execute(delete(RunOutput).where(RunOutput.run_id.in_(locked)))
            connection.execute(delete(Run).where(Run.id.in_(locked)))
        return len(locked)

    return database.transact(work)


def _delete(database: Database, key: Any, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    return database.transact(
        lambda connection: connection.execute(delete(key.class_).where(key.in_(ids))).rowcount
    )
