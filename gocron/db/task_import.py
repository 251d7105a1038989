"""What a file of tasks would change, and doing it: all of it, or nothing.

A task of the file is the task of the same name. What the file does not say of it is as usual
(``core.definition``), not as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row

from gocron.core.definition import Refused, TaskDefinition
from gocron.core.parameters import Parameter, check
from gocron.core.task_files import MISTAKES_TOLD, Reading
from gocron.db import references, task_rows, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Task
from gocron.db.together import all_or_none
from gocron.errors import Conflict, InvalidTask
from gocron.sayings import inside, said, say

PAGE = 500

MOST_CHANGED = 300
"""Tasks that exist and are changed by one file: their rows stay locked until the last is done."""


@dataclass(frozen=True)
class FieldChange:
    """Values as they are stored."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class NewTask:
    """A task of the file that does not exist yet."""

    line: int
    definition: TaskDefinition


@dataclass(frozen=True)
class ChangedTask:
    """A task that is something else in the file; ``revision`` is the one that was looked at."""

    id: int
    revision: int
    line: int
    definition: TaskDefinition
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Comparison:
    """``unchanged`` are names. ``state`` stands for everything in the database that was compared
    with: it differs as soon as one of these tasks was changed, made or deleted."""

    new: tuple[NewTask, ...]
    changed: tuple[ChangedTask, ...]
    unchanged: tuple[str, ...]
    state: str

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything is as the file says."""
        return not self.new and not self.changed


def compare(database: Database, found: Reading) -> Comparison:
    """The tasks of a file with those that there are."""
    there = {row.name: row for row in _rows(database, found.definitions)}
    new, changed, unchanged = [], [], []
    for definition, line in zip(found.definitions, found.lines, strict=True):
        row = there.get(definition.name)
        if row is None:
            new.append(NewTask(line, definition))
        elif fields := tuple(_differences(row, definition)):
            changed.append(ChangedTask(row.id, row.revision, line, definition, fields))
        else:
            unchanged.append(definition.name)
    return Comparison(tuple(new), tuple(changed), tuple(unchanged), _digest(there))


def unresolved(database: Database, found: Reading) -> Reading:
    """The same, with what its tasks name and what does not exist (calendars, groups, parents) among
    its mistakes."""
    if found.mistakes or not found.definitions:
        return found  # a parent may be the task that could not be read
    lines = {task.name: line for task, line in zip(found.definitions, found.lines, strict=True)}
    try:
        with database.read() as connection:
            references.look(connection, found.definitions)
    except Refused as error:
        told = [(lines[mistake.task], str(mistake)) for mistake in error.mistakes]
        return replace(found, mistakes=tuple(told[:MISTAKES_TOLD]), more=len(told[MISTAKES_TOLD:]))
    return found


def apply(database: Database, wanted: Comparison, actor: Actor) -> None:
    """Make the new ones, change the changed ones. Raises ``Conflict`` if one of them is no longer
    as it was compared with, ``InvalidTask`` if something that they name does not exist; then
    nothing is changed."""
    if len(wanted.changed) > MOST_CHANGED:
        raise Conflict(
            say("at most %(most)s existing tasks are changed at once", most=MOST_CHANGED)
        )
    everything = [task.definition for task in wanted.new]
    everything += [task.definition for task in wanted.changed]

    def work(together: Database) -> None:
        with together.write() as connection:
            references.hold(connection, everything)  # before the first task is locked
        if wanted.new:
            _create(together, wanted.new, actor)
        for task in sorted(wanted.changed, key=lambda task: task.id):
            try:
                tasks.edit(together, task.id, task.definition, actor, task.revision)
            except InvalidTask as error:
                place = [say("line %(number)s", number=task.line), repr(task.definition.name)]
                words = inside(place, error.message)
                raise InvalidTask(error.field, words) from error

    all_or_none(database, work)


def _create(together: Database, new: Sequence[NewTask], actor: Actor) -> None:
    try:
        tasks.create_many(together, [task.definition for task in new], actor)
    except tasks.NamesTaken as error:
        raise Conflict(say("%(why)s; nothing was changed", why=said(error))) from error


def _rows(database: Database, definitions: Sequence[TaskDefinition]) -> Iterator[Row[Any]]:
    names = [definition.name for definition in definitions]
    for start in range(0, len(names), PAGE):
        wanted = task_rows.ALL.where(Task.name.in_(names[start : start + PAGE]))
        with database.read() as connection:
            yield from connection.execute(wanted).all()


def _differences(row: Row[Any], definition: TaskDefinition) -> Iterator[FieldChange]:
    new = definition.model_dump(mode="python")
    new["parameters"] = [one.model_dump(mode="json") for one in definition.parameters]
    for field, value in new.items():
        old = getattr(row, field)
        if field == "parameters":
            differ = [*map(_same_default, old)] != [*map(_same_default, value)]
        else:
            differ = old != value
        if differ:
            yield FieldChange(field, old, value)


def _same_default(parameter: dict[str, Any]) -> dict[str, Any]:
    """YAML has texts only: its "5" is the number that the parameter's type makes of it."""
    model = Parameter.model_validate(parameter)
    default = None if model.default is None else check(model, model.default)
    return model.model_dump(mode="json") | {"default": default}


def _digest(there: dict[str, Row[Any]]) -> str:
    known = sorted((name, row.id, row.revision) for name, row in there.items())
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
