"""Tasks as files: all of them out, or some of them in; all of a file, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Response
from pydantic import Field

from gocron.core import task_files, task_writing
from gocron.core.task_files import Form, Reading
from gocron.db import task_import, task_list
from gocron.db.engine import Database
from gocron.db.task_import import LARGEST_FILE, MOST_TASKS, Comparison
from gocron.db.task_list import TaskFilter
from gocron.errors import Conflict, InvalidTask
from gocron.web.api import objects
from gocron.web.api.operations import Answer, Call, Need, api
from gocron.web.api.problems import Problem, body_problem, invalid
from gocron.web.api.shapes import Line, Received, Sent

KINDS = {
    Form.YAML: "application/yaml",
    Form.CSV: "text/csv",
    Form.JSONL: "application/x-ndjson",
}

AT_ONCE = 65_536
"""Characters that are sent together."""


class ExportQuery(Received):
    """Which tasks, and how they are written."""

    format: Form = Form.YAML
    search: Annotated[
        Line, Field(max_length=128, description="a part of the name, the tag or the command")
    ] = ""
    tag: Annotated[Line, Field(max_length=64)] = ""
    enabled: bool | None = None
    protocol: Literal["shell", "http"] | None = None


class ImportFile(Received):
    """A file of tasks. With ``dry_run`` nothing is changed; its ``state`` lets a later import
    happen only if the tasks are still as they were."""

    format: Form
    content: Annotated[str, Field(min_length=1, max_length=LARGEST_FILE)]
    dry_run: bool = False
    state: Annotated[str, Field(max_length=64)] = ""


class NewTask(Sent):
    """A task that did not exist; ``line``: where it begins in the file."""

    name: str
    line: int


class FieldChange(Sent):
    """What becomes of a field."""

    field: str
    old: Any
    new: Any


class ChangedTask(Sent):
    """A task that was something else."""

    name: str
    line: int
    fields: list[FieldChange]


class ImportResult(Sent):
    """What was done, or would be by another request without ``dry_run``."""

    dry_run: bool
    created: list[NewTask]
    changed: list[ChangedTask]
    unchanged: list[str]
    state: str


@api.operation(
    "GET",
    "/tasks/export",
    Need.READ,
    tag="tasks",
    query=ExportQuery,
    answers={HTTPStatus.OK: tuple(KINDS.values())},
)
def export_tasks(call: Call) -> Answer | Response:
    """Write tasks as a file that can be imported again."""
    query: ExportQuery = call.query
    wanted = TaskFilter(
        text=query.search,
        enabled=query.enabled,
        kind=query.protocol or "",
        tag=query.tag,
        everywhere=True,
    )
    tags = call.caller.access.visible_tags
    pieces = _pieces(call.context.database, query.format, wanted, tags)
    name = f'attachment; filename="tasks.{query.format}"'
    kind = f"{KINDS[query.format]}; charset=utf-8"
    return Response(pieces, 200, {"Content-Disposition": name}, content_type=kind)


def _pieces(
    database: Database, form: Form, wanted: TaskFilter, tags: frozenset[str] | None
) -> Iterator[str]:
    waiting = task_writing.head(form)
    for row in task_list.each(database, wanted, tags):
        waiting += task_writing.one(form, row._asdict())
        if len(waiting) >= AT_ONCE:
            yield waiting
            waiting = ""
    yield waiting


@api.operation(
    "POST",
    "/tasks/import",
    Need.WRITE,
    tag="tasks",
    body=ImportFile,
    largest_body=2 * LARGEST_FILE,
    answers={HTTPStatus.OK: ImportResult},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def import_tasks(call: Call) -> Answer:
    """Create and change the tasks of a file: all of them, or none.

    A task of the file is the task of the same name; what the file does not say of it is as usual.
    """
    given: ImportFile = call.body
    found = _read(call, given)
    database = call.context.database
    difference = task_import.compare(database, found)
    objects.require_import(call, difference)
    if given.state and given.state != difference.state:
        raise Conflict("tasks of the file were changed since the dry run: look again")
    if not given.dry_run:
        try:
            task_import.apply(database, difference, call.caller.actor)
        except InvalidTask as error:
            raise invalid([body_problem(("content",), str(error.message))]) from None
    return Answer(_result(difference, given.dry_run))


def _read(call: Call, given: ImportFile) -> Reading:
    data = given.content.encode()
    if len(data) > LARGEST_FILE:
        words = f"the file has {len(data)} bytes; at most {LARGEST_FILE} are allowed"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
    usual = {"timezone": call.context.settings.timezone}
    found = task_files.read(data, given.format, usual, MOST_TASKS)
    found = task_import.unresolved(call.context.database, found)
    told = [f"line {line}: {message}" for line, message in found.mistakes]
    if found.more:
        told.append(f"… and {found.more} more")
    if not (found.definitions or told):
        told = ["there is no task in this file"]
    if told:
        raise invalid([body_problem(("content",), words) for words in told])
    return found


def _result(difference: Comparison, dry_run: bool) -> ImportResult:
    return ImportResult(
        dry_run=dry_run,
        created=[NewTask(name=new.definition.name, line=new.line) for new in difference.new],
        changed=[
            ChangedTask(
                name=task.definition.name,
                line=task.line,
                fields=[
                    FieldChange(field=one.field, old=one.old, new=one.new) for one in task.fields
                ],
            )
            for task in difference.changed
        ],
        unchanged=list(difference.unchanged),
        state=difference.state,
    )
