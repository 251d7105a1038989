"""What a task's definition refers to by name: calendars, a group, other tasks. It has to exist
when the definition is saved; what depends on whom is kept by id as well (``task_dependency``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from gocron.allowed import meant
from gocron.core.chain import find_cycle
from gocron.core.definition import Mistake, Refused, TaskDefinition
from gocron.core.schedule import Calendars
from gocron.core.states import OnLost
from gocron.db import calendars
from gocron.db.models import Calendar, ConcurrencyGroup, Setting, Task, TaskDependency
from gocron.db.naming import table
from gocron.errors import Conflict
from gocron.sayings import inside, say, say_n

PAGE = 1000

GUARD = "dependencies"
"""The setting whose row whoever changes dependencies locks: two changes that are fine each could
make a cycle together."""


def require(connection: Connection, definitions: Sequence[TaskDefinition]) -> Calendars:
    """The calendars they name. Raises ``Refused`` if something that is named does not exist, or
    if tasks would depend on themselves in the end. Tasks may name each other."""
    hold(connection, definitions)
    return look(connection, definitions)


def look(connection: Connection, definitions: Sequence[TaskDefinition]) -> Calendars:
    """The same for whoever saves nothing: nobody is waited for, and it may be true for a moment
    only."""
    mistakes: list[Mistake] = []
    days = _require_calendars(connection, definitions, mistakes)
    _require_groups(connection, definitions, mistakes)
    if any(definition.depends_on for definition in definitions):
        _require_parents(connection, definitions, mistakes)
        if not mistakes:
            _require_no_cycle(connection, definitions, mistakes)
    if mistakes:
        raise Refused(mistakes)
    return days


def hold(
    connection: Connection, definitions: Sequence[TaskDefinition], *, renamed: bool = False
) -> None:
    """Wait for whoever is changing dependencies, if these have some. To be called before a task is
    locked."""
    if renamed or any(definition.depends_on for definition in definitions):
        _one_at_a_time(connection)


def confirm(connection: Connection, definitions: Sequence[TaskDefinition], days: Calendars) -> None:
    """At the end of the transaction: calendars and groups are as they were, and stay so until the
    COMMIT. Not from its beginning on, because who starts runs of a group waits for this. Raises
    ``Refused``."""
    named = {name for task in definitions for name in task_calendars(task)}
    groups = {task.group for task in definitions if task.group}
    _share(connection, Calendar, named)
    existing = _share(connection, ConcurrencyGroup, groups)
    now = calendars.named(connection, named)
    for task in definitions:
        for field in ("exclude_calendars", "require_calendars"):
            for name in getattr(task, field):
                if now.get(name) != days[name]:
                    words = say(
                        "the calendar %(name)s was changed in the meantime; try again",
                        name=repr(name),
                    )
                    raise Refused([Mistake((field,), words)])
        if task.group and task.group not in existing:
            words = say("the group %(group)s was deleted in the meantime", group=repr(task.group))
            raise Refused([Mistake(("group",), words)])


def _share(
    connection: Connection, model: type[Calendar | ConcurrencyGroup], names: Collection[str]
) -> set[str]:
    """Those of ``names`` that exist; nobody changes or deletes them before the COMMIT."""
    if not names:
        return set()
    mine = select(model.name).where(model.name.in_(sorted(names))).order_by(model.name)
    return set(connection.execute(mine.with_for_update(read=True)).scalars())


def _one_at_a_time(connection: Connection) -> None:
    mine = update(Setting).where(Setting.name == GUARD).values(value=Setting.value)
    if connection.execute(mine).rowcount:
        return
    try:  # somebody has deleted it
        with connection.begin_nested():
            connection.execute(insert(Setting).values(name=GUARD, value="0"))
    except IntegrityError:  # and somebody has just put it back
        connection.execute(mine)


def task_calendars(definition: TaskDefinition) -> list[str]:
    """All calendars that it names."""
    return [*definition.exclude_calendars, *definition.require_calendars]


def _unknown(kind: str, name: str, known: Iterable[str], way_out: str) -> str:
    hint = meant(name, list(known), most=1) or say("; %(way_out)s", way_out=way_out)
    return say("there is no %(kind)s %(name)s%(hint)s", kind=kind, name=repr(name), hint=hint)


def _require_calendars(
    connection: Connection, definitions: Sequence[TaskDefinition], mistakes: list[Mistake]
) -> Calendars:
    days = calendars.named(connection, {n for task in definitions for n in task_calendars(task)})
    for definition in definitions:
        for field in ("exclude_calendars", "require_calendars"):
            for name in getattr(definition, field):
                if name not in days:
                    known = connection.execute(select(Calendar.name)).scalars().all()
                    words = _unknown(
                        say("calendar"), name, known, say("create it with `gocron calendar`")
                    )
                    words = _of(definition, definitions, words)
                    mistakes.append(Mistake((field,), words, definition.name))
    return days


def _require_groups(
    connection: Connection, definitions: Sequence[TaskDefinition], mistakes: list[Mistake]
) -> None:
    if not any(definition.group for definition in definitions):
        return
    known = connection.execute(select(ConcurrencyGroup.name)).scalars().all()
    for definition in definitions:
        if definition.group and definition.group not in known:
            words = _unknown(
                say("group"), definition.group, known, say("create it with `gocron group`")
            )
            words = _of(definition, definitions, words)
            mistakes.append(Mistake(("group",), words, definition.name))


def _require_parents(
    connection: Connection, definitions: Sequence[TaskDefinition], mistakes: list[Mistake]
) -> None:
    new = {definition.name for definition in definitions}
    wanted = {name for definition in definitions for name in definition.depends_on}
    known = new | set(ids_of(connection, wanted - new))
    if wanted - known:
        some = connection.execute(select(Task.name).order_by(Task.id).limit(PAGE)).scalars()
        alike = sorted(new)[:PAGE] + list(some)
    for definition in definitions:
        for name in definition.depends_on:
            if name not in known:
                words = _unknown(say("task"), name, alike, say("create it first"))
                words = _of(definition, definitions, words)
                mistakes.append(Mistake(("depends_on",), words, definition.name))


def _require_no_cycle(
    connection: Connection, definitions: Sequence[TaskDefinition], mistakes: list[Mistake]
) -> None:
    parents = parents_by_name(connection)
    for definition in definitions:
        parents[definition.name] = list(definition.depends_on)
    for definition in definitions:
        if definition.depends_on and (cycle := find_cycle(parents, definition.name)):
            way = " → ".join(repr(name) for name in cycle)
            words = say("the tasks would wait for each other for ever: %(way)s", way=way)
            mistakes.append(Mistake(("depends_on",), words, definition.name))
            return


def _of(definition: TaskDefinition, definitions: Sequence[TaskDefinition], words: str) -> str:
    """``words``, with the name of the task unless there is only one."""
    return _of_task(definition.name, words) if len(definitions) > 1 else words


def _of_task(name: str, words: str) -> str:
    return inside([say("task %(name)s", name=repr(name))], words)


def parents_by_name(connection: Connection) -> dict[str, list[str]]:
    """Every task that depends on others -> their names."""
    task, edge = table("task"), table("task_dependency")
    found: dict[str, list[str]] = {}
    for row in connection.execute(
        text(
            f"SELECT c.name AS child, p.name AS parent FROM {edge} d "
            f"JOIN {task} c ON c.id = d.task_id JOIN {task} p ON p.id = d.parent_id"
        )
    ):
        found.setdefault(row.child, []).append(row.parent)
    return found


def ids_of(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Name -> id of those of the tasks that exist."""
    wanted = sorted(names)
    found: dict[str, int] = {}
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        rows = connection.execute(select(Task.name, Task.id).where(Task.name.in_(page)))
        found |= {row.name: row.id for row in rows}
    return found


def store(connection: Connection, dependencies: Mapping[str, Mapping[str, Any]]) -> None:
    """Task -> (parent -> need), by name, instead of what was stored for these tasks. Raises
    ``Refused`` if a parent has been deleted or renamed since ``require``."""
    if not dependencies:
        return
    names = {*dependencies, *(parent for needs in dependencies.values() for parent in needs)}
    ids = ids_of(connection, names)
    mine = sorted(ids[name] for name in dependencies)
    parents = {ids[name] for needs in dependencies.values() for name in needs if name in ids}
    parents |= _parents_of(connection, mine)
    there = _lock(connection, parents)
    for task, needs in dependencies.items():
        for parent in needs:
            if ids.get(parent) not in there:
                words: str = say("there is no task %(name)s (any more)", name=repr(parent))
                if len(dependencies) > 1:
                    words = _of_task(task, words)
                raise Refused([Mistake(("depends_on",), words)])
    for start in range(0, len(mine), PAGE):
        page = mine[start : start + PAGE]
        connection.execute(delete(TaskDependency).where(TaskDependency.task_id.in_(page)))
    rows = [
        {"task_id": ids[task], "parent_id": ids[parent], "need": need}
        for task, needs in dependencies.items()
        for parent, need in needs.items()
    ]
    for start in range(0, len(rows), PAGE):
        connection.execute(insert(TaskDependency), rows[start : start + PAGE])
    _note_followed(connection, there)


def _parents_of(connection: Connection, task_ids: Sequence[int]) -> set[int]:
    """Ids of what these tasks depend on as it is stored."""
    found: set[int] = set()
    for start in range(0, len(task_ids), PAGE):
        page = task_ids[start : start + PAGE]
        mine = select(TaskDependency.parent_id).where(TaskDependency.task_id.in_(page))
        found.update(connection.execute(mine).scalars())
    return found


def _lock(connection: Connection, task_ids: Iterable[int]) -> set[int]:
    """Ids of those that exist. Sorted, so that nobody waits for us while we wait for them."""
    wanted = sorted(task_ids)
    found: set[int] = set()
    for start in range(0, len(wanted), PAGE):
        mine = select(Task.id).where(Task.id.in_(wanted[start : start + PAGE])).order_by(Task.id)
        found.update(connection.execute(mine.with_for_update()).scalars())
    return found


def _note_followed(connection: Connection, task_ids: Iterable[int]) -> None:
    """Whether something may have to happen after runs of these tasks. They are locked: a statement
    that had to wait for one of them would judge by the dependencies before the wait."""
    wanted = sorted(task_ids)
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        mine = select(TaskDependency.parent_id).where(TaskDependency.parent_id.in_(page))
        parents = set(connection.execute(mine).scalars())
        for followed in (True, False):
            changed = [task_id for task_id in page if (task_id in parents) is followed]
            what = update(Task).where(Task.id.in_(changed))
            if not followed:
                what = what.where(Task.retry_times == 0, Task.on_lost != OnLost.RERUN)
            connection.execute(what.values(followed=followed))


def has_children(connection: Connection, task_id: int) -> bool:
    """Whether other tasks depend on it."""
    found = select(TaskDependency.task_id).where(TaskDependency.parent_id == task_id).limit(1)
    return connection.execute(found).first() is not None


def rename(connection: Connection, task_id: int, old: str, new: str) -> None:
    """The task has its new name, and those that depend on it say so."""
    connection.execute(update(Task).where(Task.id == task_id).values(name=new))
    children = connection.execute(
        select(Task.id, Task.depends_on)
        .join(TaskDependency, TaskDependency.task_id == Task.id)
        .where(TaskDependency.parent_id == task_id)
        .order_by(Task.id)
        .with_for_update()
    ).all()
    for child in children:
        needs = {new if name == old else name: need for name, need in child.depends_on.items()}
        connection.execute(update(Task).where(Task.id == child.id).values(depends_on=needs))


def require_no_children(connection: Connection, task_ids: Collection[int]) -> None:
    """Raise ``Conflict`` if other tasks depend on one of these."""
    child, parent = aliased(Task), aliased(Task)
    wanted = sorted(task_ids)
    for start in range(0, len(wanted), PAGE):
        found = connection.execute(
            select(parent.name.label("parent"), child.name.label("child"), child.id)
            .join(TaskDependency, TaskDependency.parent_id == parent.id)
            .join(child, child.id == TaskDependency.task_id)
            .where(parent.id.in_(wanted[start : start + PAGE]))
        ).all()
        others = sorted({(row.parent, row.child) for row in found if row.id not in task_ids})
        if others:
            name = others[0][0]
            children = [child for parent, child in others if parent == name]
            listed = ", ".join(map(repr, children[:5])) + (" …" if len(children) > 5 else "")
            raise Conflict(
                say_n(
                    "task %(task)s cannot be deleted: %(children)s depends on it; change or delete "
                    "what depends on it first",
                    "task %(task)s cannot be deleted: %(children)s depend on it; change or delete "
                    "what depends on it first",
                    len(children),
                    task=repr(name),
                    children=listed,
                )
            )


def forget(connection: Connection, task_id: int) -> None:
    """The task is being deleted."""
    parents = _lock(connection, _parents_of(connection, [task_id]))
    connection.execute(
        delete(TaskDependency).where(
            (TaskDependency.task_id == task_id) | (TaskDependency.parent_id == task_id)
        )
    )
    _note_followed(connection, parents)


def children_first(connection: Connection, task_ids: Iterable[int]) -> list[int]:
    """These tasks, each of them before what it depends on: whoever is interrupted half-way through
    them leaves none behind that depends on something that is gone."""
    wanted = sorted(set(task_ids))
    parents: dict[int, list[int]] = {task_id: [] for task_id in wanted}
    for start in range(0, len(wanted), PAGE):
        mine = select(TaskDependency.task_id, TaskDependency.parent_id).where(
            TaskDependency.task_id.in_(wanted[start : start + PAGE])
        )
        for row in connection.execute(mine):
            if row.parent_id in parents:
                parents[row.task_id].append(row.parent_id)
    return [*TopologicalSorter(parents).static_order()][::-1]


def downstream(connection: Connection, task_id: int) -> set[int]:
    """The task and everything that depends on it, over any number of levels."""
    children: dict[int, list[int]] = {}
    for row in connection.execute(select(TaskDependency.parent_id, TaskDependency.task_id)):
        children.setdefault(row.parent_id, []).append(row.task_id)
    found = {task_id}
    ahead = [task_id]
    while ahead:
        for child in children.get(ahead.pop(), ()):
            if child not in found:
                found.add(child)
                ahead.append(child)
    return found
