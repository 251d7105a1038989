"""Which tasks come before and after a task, over all levels, as a graph. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from gocron.core.chain import Edge
from gocron.db.engine import Database
from gocron.db.models import Task, TaskDependency


@dataclass(frozen=True)
class Member:
    """A task of the graph."""

    id: int
    name: str
    enabled: bool
    broken: str
    tag: str


@dataclass(frozen=True)
class Graph:
    """``members`` by id, what the task runs after and what runs after it; ``edges`` between them.
    Not ``complete``: there are more, further away."""

    members: dict[int, Member]
    edges: tuple[Edge, ...]
    complete: bool


def around(database: Database, task_id: int, most: int) -> Graph:
    """The task with its ancestors and its descendants, at most ``most`` of them, the nearest
    first. Relatives of relatives (what else a child runs after) are not among them."""
    with database.read() as connection:
        found = {task_id}
        up: set[int] = {task_id}
        down: set[int] = {task_id}
        complete = True
        while (up or down) and complete:
            up = _step(connection, up, TaskDependency.task_id, TaskDependency.parent_id) - found
            down = _step(connection, down, TaskDependency.parent_id, TaskDependency.task_id) - found
            room = most - len(found)
            new = [*sorted(up), *sorted(down - up)]
            complete = len(new) <= room
            found |= set(new[:room])
        edges = connection.execute(
            select(TaskDependency.task_id, TaskDependency.parent_id, TaskDependency.need)
            .where(TaskDependency.task_id.in_(found), TaskDependency.parent_id.in_(found))
            .order_by(TaskDependency.task_id, TaskDependency.parent_id)
        ).all()
        members = connection.execute(
            select(Task.id, Task.name, Task.enabled, Task.broken, Task.tag).where(
                Task.id.in_(found)
            )
        ).all()
    return Graph({row.id: Member(*row) for row in members}, _existing(edges, members), complete)


def _step(connection: Connection, wanted: Iterable[int], own: Any, other: Any) -> set[int]:
    if not wanted:
        return set()
    return set(connection.execute(select(other).where(own.in_(sorted(wanted)))).scalars())


def _existing(edges: Iterable[Any], members: Iterable[Any]) -> tuple[Edge, ...]:
    """A task may have been deleted between two of the statements."""
    there = {row.id for row in members}
    return tuple(
        Edge(row.task_id, row.parent_id, row.need)
        for row in edges
        if {row.task_id, row.parent_id} <= there
    )
