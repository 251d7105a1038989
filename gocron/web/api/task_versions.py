"""The definitions that a task has had: listing them, and going back to one."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from gocron.db import task_versions
from gocron.web.api import objects, requested
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.shapes import Id, Page, Received, Sent, cursor_of, place_of
from gocron.web.api.tasks import CHANGED, ETAG, IF_MATCH, Task, require_revision, shown


class VersionLine(Sent):
    """A definition that held from ``changed_at`` on. ``changed``: the fields that differ from the
    one before it, None where that is not known; ``current``: it still holds."""

    revision: int
    action: str
    changed_by: str
    changed_at: datetime
    current: bool
    changed: list[str] | None


class VersionPage(Sent):
    """Newest first; ``next`` is the cursor of the page behind this one, None at the end."""

    items: list[VersionLine]
    next: str | None


class Version(Sent):
    """A definition as it was; it may have fields that are not known any more."""

    revision: int
    action: str
    changed_by: str
    changed_at: datetime
    current: bool
    definition: dict[str, Any]


class Rollback(Received):
    """Where to."""

    revision: Id


@api.operation(
    "GET",
    with_id("/tasks/{task_id}/versions"),
    Need.READ,
    tag="tasks",
    query=Page,
    answers={HTTPStatus.OK: VersionPage},
)
def list_versions(call: Call) -> Answer:
    """List the versions of a task, newest first."""
    row = objects.task_of(call, call.path["task_id"])
    query: Page = call.query
    place = place_of(query.cursor, [int])
    before = None if place is None else place[0]
    found = task_versions.listing(call.context.database, row.id, query.limit, before)
    items = []
    for version in found.versions:
        changed = found.changed[version.revision]
        items.append(
            VersionLine(
                revision=version.revision,
                action=version.action,
                changed_by=version.changed_by,
                changed_at=version.changed_at,
                current=version.current,
                changed=None if changed is None else list(changed),
            )
        )
    following = None if found.older is None else cursor_of(found.older)
    return Answer(VersionPage(items=items, next=following))


@api.operation(
    "GET",
    with_id("/tasks/{task_id}/versions/{revision}"),
    Need.READ,
    tag="tasks",
    answers={HTTPStatus.OK: Version},
)
def show_version(call: Call) -> Answer:
    """Show the definition that held at a revision of a task."""
    row = objects.task_of(call, call.path["task_id"])
    found = task_versions.at(call.context.database, row.id, call.path["revision"])
    facts = {name: getattr(found, name) for name in Version.model_fields}
    return Answer(Version.model_construct(**facts))


@api.operation(
    "POST",
    with_id("/tasks/{task_id}/rollback"),
    Need.WRITE,
    tag="tasks",
    body=Rollback,
    headers=IF_MATCH,
    answers={HTTPStatus.OK: Task},
    answer_headers=ETAG,
    problems=CHANGED,
)
def roll_back(call: Call) -> Answer:
    """Take a task back to an earlier version.

    Whether it is enabled stays as it is.
    """
    row = objects.task_to_edit(call, call.path["task_id"])
    expected, given = requested.if_match(call), call.body
    require_revision(row, expected)
    database = call.context.database
    old = task_versions.at(database, row.id, given.revision)
    objects.require_edit(call, str(old.definition.get("tag", "")))
    task_versions.restore(database, row.id, given.revision, call.caller.actor, row.revision)
    return shown(objects.task_of(call, row.id))
