"""``/tasks``: list, create, show, change, delete, enable, disable, run."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Row

from gocron.core import task_writing
from gocron.core.definition import TaskDefinition, define
from gocron.db import run_queries, task_pages, tasks
from gocron.db.task_list import LastResult, TaskFilter
from gocron.db.task_pages import Sort
from gocron.web.api import objects, requested
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.runs import Run, run_sent
from gocron.web.api.shapes import Page, Received, Sent, cursor_of, place_of, precondition_failed

IF_MATCH = {"If-Match": "ETag of the task as the caller knows it; another one is answered with 412"}
ETAG = {"ETag": "the task's revision, for If-Match"}
CHANGED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


class Task(TaskDefinition):
    """A task as it is. ``next_fire_at``: its next slot, None if there is none; ``broken``: why it
    cannot be scheduled; ``revision`` grows with every change."""

    id: int
    revision: int
    next_fire_at: datetime | None
    broken: str
    created_at: datetime
    updated_at: datetime


FIELDS = tuple(Task.model_fields)


class TaskPage(Sent):
    """``next`` is the cursor of the page behind this one, None at the end."""

    items: list[Task]
    next: str | None


class TaskQuery(Page):
    """Which tasks, and what is first."""

    search: Annotated[
        str, Field(max_length=128, description="a part of the name, the tag or the command")
    ] = ""
    tag: Annotated[str, Field(max_length=64)] = ""
    enabled: bool | None = None
    protocol: Literal["shell", "http"] | None = None
    last: Annotated[LastResult | None, Field(description="what became of the newest run")] = None
    broken: Annotated[bool, Field(description="only those that cannot be scheduled")] = False
    sort: Annotated[
        Sort, Field(description="with - in front: downwards; tasks without a next slot come last")
    ] = Sort.ID


class TaskChange(Received):
    """Not used to validate: any field of a task, as in Task; what is not named stays."""


class RunRequest(Received):
    """Values for the task's parameters, by name."""

    parameters: dict[str, Any] = Field(default_factory=dict, max_length=100)


@api.operation("GET", "/tasks", Need.READ, query=TaskQuery, answers={HTTPStatus.OK: TaskPage})
def list_tasks(call: Call) -> Answer:
    """List tasks."""
    query: TaskQuery = call.query
    wanted = TaskFilter(
        text=query.search,
        enabled=query.enabled,
        kind=query.protocol or "",
        tag=query.tag,
        last=query.last,
        broken=query.broken,
        everywhere=True,
    )
    found = task_pages.page(
        call.context.database,
        wanted,
        query.sort,
        query.limit,
        after=_place(query),
        tags=call.caller.access.visible_tags,
    )
    items = [{name: getattr(row, name) for name in FIELDS} for row in found.rows]
    return Answer({"items": items, "next": _cursor(query.sort, found.last)})


def _place(query: TaskQuery) -> task_pages.Place | None:
    if query.sort is not Sort.NEXT:
        by_name = query.sort in (Sort.NAME, Sort.NAME_DOWN)
        place = place_of(query.cursor, [str, str] if by_name else [str, int])
        return None if place is None else requested.same_sort(place, query.sort)
    place = place_of(query.cursor, [str, str, int])
    if place is None:
        return None
    moment, task_id = requested.same_sort(place, query.sort)
    return (requested.instant(moment, "cursor") if moment else None, task_id)


def _cursor(sort: Sort, last: task_pages.Place | None) -> str | None:
    if last is None:
        return None
    parts = (part.isoformat() if isinstance(part, datetime) else part for part in last)
    return cursor_of(str(sort), *("" if part is None else part for part in parts))


@api.operation(
    "POST",
    "/tasks",
    Need.WRITE,
    body=TaskDefinition,
    read=define,
    answers={HTTPStatus.CREATED: Task},
    answer_headers={**ETAG, "Location": "where the task is"},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def create_task(call: Call) -> Answer:
    """Create a task. Names are unique."""
    definition: TaskDefinition = call.body
    objects.require_edit(call, definition.tag)
    task_id = tasks.create(call.context.database, definition, call.caller.actor)
    answer = _shown(objects.task_of(call, task_id), HTTPStatus.CREATED)
    location = {"Location": f"/api/v1/tasks/{task_id}"}
    return Answer(answer.body, answer.status, {**answer.headers, **location})


@api.operation(
    "GET",
    with_id("/tasks/{task_id}"),
    Need.READ,
    answers={HTTPStatus.OK: Task},
    answer_headers=ETAG,
)
def show_task(call: Call) -> Answer:
    """Show a task."""
    return _shown(objects.task_of(call, call.path["task_id"]))


@api.operation(
    "PUT",
    with_id("/tasks/{task_id}"),
    Need.WRITE,
    body=TaskDefinition,
    read=define,
    headers=IF_MATCH,
    answers={HTTPStatus.OK: Task},
    answer_headers=ETAG,
    problems=CHANGED,
)
def replace_task(call: Call) -> Answer:
    """Replace what a task is: fields that are not named get their usual values."""
    row = objects.task_to_edit(call, call.path["task_id"])
    return _edited(call, row, call.body, requested.if_match(call))


@api.operation(
    "PATCH",
    with_id("/tasks/{task_id}"),
    Need.WRITE,
    body=TaskChange,
    read=dict,
    headers=IF_MATCH,
    answers={HTTPStatus.OK: Task},
    answer_headers=ETAG,
    problems=CHANGED,
)
def change_task(call: Call) -> Answer:
    """Change fields of a task; what is not named stays as it is.

    Without If-Match, a change that somebody else makes at the same moment is answered with 409.
    """
    row = objects.task_to_edit(call, call.path["task_id"])
    fields = {**task_writing.plain_fields(row._asdict()), **call.body}
    return _edited(call, row, define(fields), requested.if_match(call) or row.revision)


def _edited(call: Call, row: Row[Any], definition: TaskDefinition, expected: int | None) -> Answer:
    _require_revision(row, requested.if_match(call))
    objects.require_edit(call, definition.tag)
    tasks.edit(call.context.database, row.id, definition, call.caller.actor, expected)
    return _shown(objects.task_of(call, row.id))


def _require_revision(row: Row[Any], expected: int | None) -> None:
    if expected is not None and expected != row.revision:
        raise precondition_failed(
            f"task {row.name!r} is at revision {row.revision}, not {expected}: "
            "load it again and repeat the change"
        )


@api.operation(
    "DELETE",
    with_id("/tasks/{task_id}"),
    Need.WRITE,
    headers=IF_MATCH,
    answers={HTTPStatus.NO_CONTENT: None},
    problems=CHANGED,
)
def delete_task(call: Call) -> Answer:
    """Delete a task. Its runs stay; those that are going on go on."""
    row = objects.task_to_edit(call, call.path["task_id"])
    _require_revision(row, requested.if_match(call))
    tasks.delete(call.context.database, [row.id], call.caller.actor)
    return Answer(status=HTTPStatus.NO_CONTENT)


def _set_enabled(call: Call, enabled: bool) -> Answer:
    row = objects.task_to_run(call, call.path["task_id"])
    tasks.set_enabled(call.context.database, [row.id], enabled, call.caller.actor)
    return _shown(objects.task_of(call, row.id))


SWITCHED: dict[str, Any] = {
    "answers": {HTTPStatus.OK: Task},
    "answer_headers": ETAG,
    "problems": frozenset({HTTPStatus.CONFLICT}),
}


@api.operation("POST", with_id("/tasks/{task_id}/enable"), Need.RUN, **SWITCHED)
def enable_task(call: Call) -> Answer:
    """Enable a task: its slots count from now on."""
    return _set_enabled(call, True)


@api.operation("POST", with_id("/tasks/{task_id}/disable"), Need.RUN, **SWITCHED)
def disable_task(call: Call) -> Answer:
    """Disable a task: what was queued for a slot is withdrawn."""
    return _set_enabled(call, False)


@api.operation(
    "POST",
    with_id("/tasks/{task_id}/run"),
    Need.RUN,
    body=RunRequest,
    body_optional=True,
    headers={
        "Idempotency-Key": "at most 128 characters: the same key starts one run in 24 hours, "
        "and is answered with that run again"
    },
    answers={HTTPStatus.ACCEPTED: Run},
    answer_headers={"Location": "where the run is"},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def run_task(call: Call) -> Answer:
    """Run a task now. The leader starts it within half a second."""
    row = objects.task_to_run(call, call.path["task_id"])
    given: RunRequest = call.body or RunRequest()
    run_id = tasks.run_now(
        call.context.database,
        row.id,
        call.caller.actor,
        given.parameters,
        request=requested.idempotency(call),
    )
    run = run_queries.show(call.context.database, run_id)
    location = {"Location": f"/api/v1/runs/{run_id}"}
    return Answer(run_sent(run), HTTPStatus.ACCEPTED, location)


def _shown(row: Row[Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(task_sent(row), status, {"ETag": f'"{row.revision}"'})


def task_sent(row: Row[Any]) -> Task:
    """For the client."""
    # Not validated: it was valid when it was saved, and is shown whatever it is.
    return Task.model_construct(**{name: getattr(row, name) for name in FIELDS})
