"""The definitions that a task has had: listing and comparing them, and restoring one.

They are kept as long as the task; who deletes it deletes them with it (the audit log says so)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from gocron.core.definition import TaskDefinition, define
from gocron.db import tasks, version_rows
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Task, TaskVersion
from gocron.db.task_rows import COLUMNS
from gocron.errors import Conflict, InvalidTask, NotFound
from gocron.sayings import say

_FACTS = (
    TaskVersion.revision,
    TaskVersion.action,
    TaskVersion.definition,
    TaskVersion.changed_by,
    TaskVersion.changed_at,
)


@dataclass(frozen=True)
class Version:
    """A definition, from ``changed_at`` (UTC) on, as plain values; ``changed_by`` is empty where
    nobody knows. ``current``: it still holds."""

    revision: int
    action: str
    definition: Mapping[str, Any]
    changed_by: str
    changed_at: datetime
    current: bool = False


@dataclass(frozen=True)
class VersionPage:
    """Newest first; ``older`` is the revision that the next page begins before, None at the end.
    ``changed`` has for each version the fields that differ from the one before it, None where that
    is not known."""

    versions: tuple[Version, ...]
    changed: Mapping[int, tuple[str, ...] | None]
    older: int | None


def listing(database: Database, task_id: int, limit: int, before: int | None = None) -> VersionPage:
    """At most ``limit`` versions, those older than ``before``. What holds now is among them
    whether it was stored or not (then its action is ``FOUND``). Raises ``NotFound``."""
    with database.read() as connection:
        now = _current(connection, task_id)
        wanted = select(*_FACTS).where(TaskVersion.task_id == task_id)
        if before is not None:
            wanted = wanted.where(TaskVersion.revision < before)
        rows = connection.execute(
            wanted.order_by(TaskVersion.revision.desc()).limit(limit + 1)
        ).all()
    found = [Version(*row) for row in rows]
    if before is None:
        found = _with_current(found, now)
    changed = {
        version.revision: changed_fields(older.definition, version.definition)
        for version, older in itertools.pairwise(found)
    }
    page = tuple(found[:limit])
    return VersionPage(
        page,
        {version.revision: changed.get(version.revision) for version in page},
        page[-1].revision if len(found) > limit else None,
    )


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the fields that differ, in the order of a definition. One that an older version did
    not know yet had no value then, which is no change."""
    return tuple(
        name
        for name in TaskDefinition.model_fields
        if name in old and name in new and old[name] != new[name]
    )


def at(database: Database, task_id: int, revision: int) -> Version:
    """The definition that held at ``revision`` of the task. Raises ``NotFound``."""
    with database.read() as connection:
        now = _current(connection, task_id)
        row = connection.execute(
            select(*_FACTS)
            .where(TaskVersion.task_id == task_id, TaskVersion.revision <= revision)
            .order_by(TaskVersion.revision.desc())
            .limit(1)
        ).one_or_none()
    found = [] if row is None else [Version(*row)]
    if revision == now.revision:
        return _with_current(found, now)[0]
    if not found or revision > now.revision:
        raise NotFound(say("there is no version %(revision)s of this task", revision=revision))
    return found[0]


def restore(
    database: Database, task_id: int, revision: int, actor: Actor, expected_revision: int
) -> int:
    """Edit the task to what it was at ``revision``; its new revision. Whether it is enabled stays
    as it is: nothing starts or stops by this. Raises ``NotFound``, and ``Conflict`` if somebody has
    changed the task since ``expected_revision``, or if the old definition is not valid any more."""
    old = at(database, task_id, revision)
    with database.read() as connection:
        enabled = connection.execute(
            select(Task.enabled).where(Task.id == task_id)
        ).scalar_one_or_none()
    try:
        definition = define({**old.definition, "enabled": bool(enabled)})
        return tasks.edit(
            database, task_id, definition, actor, expected_revision, back_to=old.revision
        )
    except InvalidTask as error:
        words = f"version {old.revision} does not fit any more: {error}"
        raise Conflict(words) from error


def _current(connection: Connection, task_id: int) -> Version:
    row = connection.execute(select(*COLUMNS).where(Task.id == task_id)).one_or_none()
    if row is None:
        raise NotFound(say("there is no task %(task_id)s (any more)", task_id=task_id))
    return Version(
        row.revision,
        version_rows.FOUND,
        version_rows.plain(row._mapping),
        "",
        row.updated_at,
        current=True,
    )


def _with_current(found: list[Version], now: Version) -> list[Version]:
    """``found``, newest first, beginning with what holds now."""
    newest = found[0] if found else None
    if newest is not None and newest.definition == now.definition:
        return [replace(newest, current=True), *found[1:]]
    if newest is not None and newest.revision == now.revision:  # a parent was renamed since
        return [replace(newest, definition=now.definition, current=True), *found[1:]]
    return [now, *found]
