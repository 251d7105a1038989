"""Keeping every definition that a task has had: rows of ``task_version``, written in the
transaction of the change itself. For ``tasks``; reading them is in ``task_versions``.

A version is a definition, not a revision: moved slots (a changed calendar) raise the revision of a
task and leave its definition as it was. So the definition of a revision is the newest version that
is not newer than it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from gocron.core.definition import TaskDefinition
from gocron.db.audit import Actor
from gocron.db.models import TaskVersion

FOUND = "found"
"""The action of a version that nobody stored when it began: from before versions were kept, or
written by an older node."""

PAGE = 1000


@dataclass(frozen=True)
class Change:
    """``old`` is the locked row as it was, None for a new task; ``values`` are what it is now, by
    the names of the model."""

    task_id: int
    revision: int
    values: Mapping[str, Any]
    old: Row[Any] | None = None


def plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    """A complete definition as JSON has it; ``define`` makes a definition of it again."""
    return {name: _plain(values[name]) for name in TaskDefinition.model_fields}


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def record(
    connection: Connection, changes: Sequence[Change], action: str, actor: Actor, now: datetime
) -> None:
    """Store what these tasks are now, and what they were if that is not stored yet."""
    known = _newest(connection, [change.task_id for change in changes if change.old is not None])
    rows: list[dict[str, Any]] = []
    for change in changes:
        if change.old is not None:
            rows += _before(connection, change.old, known.get(change.task_id))
        rows.append(
            {
                "task_id": change.task_id,
                "revision": change.revision,
                "action": action,
                "definition": plain(change.values),
                "changed_by": actor.name[:64],
                "changed_at": now,
            }
        )
    for start in range(0, len(rows), PAGE):
        connection.execute(insert(TaskVersion), rows[start : start + PAGE])


def forget(connection: Connection, task_id: int) -> None:
    """The task is being deleted."""
    connection.execute(delete(TaskVersion).where(TaskVersion.task_id == task_id))


def _before(connection: Connection, old: Row[Any], newest: Row[Any] | None) -> list[dict[str, Any]]:
    """The row that is missing for what ``old`` says."""
    definition = plain(old._mapping)
    if newest is not None and newest.definition == definition:
        return []
    if newest is not None and newest.revision == old.revision:
        # A task that it depends on was renamed: its definition follows, its revision does not.
        mine = update(TaskVersion).where(TaskVersion.id == newest.id)
        connection.execute(mine.values(definition=definition))
        return []
    return [
        {
            "task_id": old.id,
            "revision": old.revision,
            "action": FOUND,
            "definition": definition,
            "changed_by": "",
            "changed_at": old.updated_at,
        }
    ]


def _newest(connection: Connection, task_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """Task -> its newest version. The tasks are locked, so nobody adds one meanwhile."""
    wanted = sorted(task_ids)
    columns = (
        TaskVersion.id,
        TaskVersion.task_id,
        TaskVersion.revision,
        TaskVersion.definition,
    )
    found: dict[int, Row[Any]] = {}
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        # Two statements by keys: joined into one, SQLite reads the whole table. Of one task's rows
        # the newest has the greatest id.
        last = select(func.max(TaskVersion.id)).where(TaskVersion.task_id.in_(page))
        ids = connection.execute(last.group_by(TaskVersion.task_id)).scalars().all()
        rows = connection.execute(select(*columns).where(TaskVersion.id.in_(ids)))
        found |= {row.task_id: row for row in rows}
    return found
