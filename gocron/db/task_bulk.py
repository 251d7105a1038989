"""Changing many tasks by one decision: all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import select

from gocron.core.definition import TaskDefinition, define
from gocron.core.task_csv import FIELDS
from gocron.db import task_rows, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Task
from gocron.db.together import all_or_none
from gocron.errors import Conflict, InvalidTask
from gocron.sayings import inside, say


class Action(StrEnum):
    """What can be done to many tasks."""

    ENABLE = "enable"
    DISABLE = "disable"
    RUN = "run"
    TAG = "tag"
    DELETE = "delete"


MOST = {
    Action.ENABLE: 500,
    Action.DISABLE: 500,
    Action.RUN: 100,
    Action.TAG: 300,
    Action.DELETE: 300,
}
"""Tasks at once. Their rows stay locked until the last one is done, which takes a few
seconds; a node has to find room for what is run."""


def carry_out(
    database: Database, action: Action, task_ids: Sequence[int], actor: Actor, tag: str = ""
) -> int:
    """How many tasks were changed or run; those that do not exist any more are passed over.
    ``tag`` is the new one for ``Action.TAG``. Raises ``Conflict`` and ``InvalidTask``, which say
    which task keeps the others from being changed."""
    ids = sorted(set(task_ids))
    if len(ids) > MOST[action]:
        raise Conflict(
            say(
                "at most %(most)s tasks at once, these are %(count)s",
                most=MOST[action],
                count=len(ids),
            )
        )

    def work(together: Database) -> int:
        match action:
            case Action.ENABLE | Action.DISABLE:
                return tasks.set_enabled(together, ids, action is Action.ENABLE, actor)
            case Action.DELETE:
                return tasks.delete(together, ids, actor)
            case Action.RUN:
                return sum(_run(together, *task, actor) for task in _existing(together, ids))
            case Action.TAG:
                return sum(_set_tag(together, task_id, tag, actor) for task_id in ids)

    return all_or_none(database, work)


def _existing(together: Database, ids: Sequence[int]) -> Sequence[tuple[int, str]]:
    with together.read() as connection:
        wanted = select(Task.id, Task.name).where(Task.id.in_(ids)).order_by(Task.id)
        return [(row.id, row.name) for row in connection.execute(wanted)]


def _run(together: Database, task_id: int, name: str, actor: Actor) -> int:
    try:
        tasks.run_now(together, task_id, actor)
    except InvalidTask as error:
        raise InvalidTask(error.field, inside([repr(name)], error.message)) from error
    return 1


def _set_tag(together: Database, task_id: int, tag: str, actor: Actor) -> int:
    with together.read() as connection:
        row = connection.execute(task_rows.ALL.where(Task.id == task_id)).one_or_none()
    if row is None or row.tag == tag.strip():
        return 0
    values = {name: getattr(row, name) for name in FIELDS} | {"tag": tag}
    try:
        definition: TaskDefinition = define(values)
        tasks.edit(together, task_id, definition, actor, row.revision)
    except InvalidTask as error:
        if error.field == "tag":
            raise
        raise InvalidTask(error.field, inside([repr(row.name)], error.message)) from error
    return 1
