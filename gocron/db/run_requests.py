"""Requests to run a task now that may arrive twice: the second is answered with the first one's
run. Kept for a day."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from gocron.db.engine import Database
from gocron.db.models import RunRequestRow

KEPT = timedelta(hours=24)
LONGEST_KEY = 128


@dataclass(frozen=True)
class RunRequest:
    """``key`` is the client's, and means something only together with the user."""

    user_id: int
    key: str

    def digest(self, task_id: int) -> str:
        """What is unique: the same key may be used for each task."""
        return hashlib.sha256(f"{self.user_id}:{task_id}:{self.key}".encode()).hexdigest()


def answered(connection: Connection, task_id: int, request: RunRequest) -> int | None:
    """The run that this request has started. The caller has locked the task: of two requests at
    once the second finds what the first has done."""
    digest = request.digest(task_id)
    found = select(RunRequestRow.run_id).where(RunRequestRow.digest == digest)
    run_id: int | None = connection.execute(found).scalar_one_or_none()
    return run_id


def remember(
    connection: Connection, database: Database, task_id: int, request: RunRequest, run_id: int
) -> None:
    """In the transaction that makes the run."""
    connection.execute(
        insert(RunRequestRow).values(
            digest=request.digest(task_id),
            run_id=run_id,
            created_at=database.dialect.now(connection),
        )
    )


def purge(database: Database) -> int:
    """Forget what is older than ``KEPT``; how many."""

    def work(connection: Connection) -> int:
        before = database.dialect.now(connection) - KEPT
        old = delete(RunRequestRow).where(RunRequestRow.created_at < before)
        return connection.execute(old).rowcount

    return database.transact(work)
