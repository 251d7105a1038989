"""Who did what to a task, newest first. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from gocron.db.engine import Database
from gocron.db.models import AuditLog


@dataclass(frozen=True)
class Entry:
    """A line of the audit log; ``at`` is UTC."""

    at: datetime
    actor: str
    address: str
    node_name: str
    action: str
    detail: Mapping[str, Any]


def of_task(database: Database, name: str, limit: int) -> list[Entry]:
    """What was done to the task with this name and to its runs; what was done under another name
    it once had is not among it."""
    about = or_(AuditLog.action.startswith("task."), AuditLog.action.startswith("run."))
    wanted = (
        select(
            AuditLog.at,
            AuditLog.actor,
            AuditLog.address,
            AuditLog.node_name,
            AuditLog.action,
            AuditLog.detail,
        )
        .where(AuditLog.target == name, about)
        .order_by(AuditLog.id.desc())
        .limit(limit)
    )
    with database.read() as connection:
        return [Entry(*row) for row in connection.execute(wanted)]
