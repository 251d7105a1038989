"""Finding tasks and runs for a caller: the only place that decides which ones there are for them.

What somebody may not see is answered as what does not exist; what they may see and not change is
answered with 403.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sqlalchemy import Row, select

from gocron.db import run_queries, task_rows
from gocron.db.models import Task
from gocron.db.run_queries import RunFacts
from gocron.errors import NotFound
from gocron.web.api.operations import Call
from gocron.web.api.problems import Problem


def task_of(call: Call, task_id: int) -> Row[Any]:
    """The row of a task that the caller may see. Raises ``NotFound``."""
    with call.context.database.read() as connection:
        row = connection.execute(task_rows.ALL.where(Task.id == task_id)).one_or_none()
    if row is None or not call.caller.access.sees(row.tag):
        raise NotFound(f"there is no task {task_id}")
    return row


def task_was_visible(call: Call, task_id: int) -> None:
    """Whether runs of this task may be listed; the runs of one that is gone still can be. Raises
    ``NotFound``."""
    if not call.caller.access.sees(tag_of(call, task_id)):
        raise NotFound(f"there is no task {task_id}")


def task_to_run(call: Call, task_id: int) -> Row[Any]:
    """The same, if the caller may start it. Raises ``Problem``: 403."""
    row = task_of(call, task_id)
    if not call.caller.access.may_run(row.tag):
        raise refused(
            f"you may see task {row.name!r}, but neither run, stop, enable nor disable it"
        )
    return row


def task_to_edit(call: Call, task_id: int) -> Row[Any]:
    """The same, if the caller may change it. Raises ``Problem``: 403."""
    row = task_of(call, task_id)
    require_edit(call, row.tag)
    return row


def require_edit(call: Call, tag: str) -> None:
    """Whether the caller may change tasks with this tag. Raises ``Problem``: 403."""
    if not call.caller.access.may_edit(tag):
        words = f"tasks with the tag {tag!r}" if tag else "tasks without a tag"
        raise refused(f"you may not change {words}")


def run_of(call: Call, run_id: int) -> RunFacts:
    """A run that the caller may see. Raises ``NotFound``."""
    run = run_queries.show(call.context.database, run_id)
    if not call.caller.access.sees(tag_of(call, run.task_id)):
        raise NotFound(f"there is no run {run_id}")
    return run


def run_to_stop(call: Call, run_id: int) -> RunFacts:
    """The same, if the caller may stop it and run it again. Raises ``Problem``: 403."""
    run = run_of(call, run_id)
    if not call.caller.access.may_run(tag_of(call, run.task_id)):
        raise refused(f"you may see run {run_id}, but not stop it or run it again")
    return run


def tag_of(call: Call, task_id: int) -> str:
    """Of a task; of one that is gone "": who sees but one tag does not see its runs any more."""
    with call.context.database.read() as connection:
        found = connection.execute(select(Task.tag).where(Task.id == task_id)).scalar_one_or_none()
    return found or ""


def refused(detail: str) -> Problem:
    """403."""
    return Problem(HTTPStatus.FORBIDDEN, detail)
