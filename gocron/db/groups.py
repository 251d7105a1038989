"""Concurrency groups: how many runs of all their tasks may go on at once, on all nodes together.
``starts`` is what keeps to it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, insert, or_, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from gocron.allowed import found
from gocron.core.states import RunState
from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import ConcurrencyGroup, Run, Task
from gocron.db.names import listed, one_line, unknown
from gocron.errors import Conflict, InvalidTask
from gocron.sayings import say, say_n

LONGEST_NAME = 64
LONGEST_REMARK = 512
MOST_RUNNING = 10_000


@dataclass(frozen=True)
class GroupFacts:
    """A group; ``running`` and ``waiting`` are runs of its ``tasks`` at this moment."""

    id: int
    name: str
    max_running: int
    remark: str
    tasks: int
    running: int
    waiting: int


def listing(database: Database) -> list[GroupFacts]:
    """All groups, by name."""
    with database.read() as connection:
        groups = connection.execute(
            select(
                ConcurrencyGroup.id,
                ConcurrencyGroup.name,
                ConcurrencyGroup.max_running,
                ConcurrencyGroup.remark,
            ).order_by(ConcurrencyGroup.name)
        ).all()
        tasks = _tasks(connection)
        runs = _runs(connection)
    return [
        GroupFacts(
            group.id,
            group.name,
            group.max_running,
            group.remark,
            tasks.get(group.name, 0),
            runs.get((group.name, RunState.RUNNING), 0),
            runs.get((group.name, RunState.QUEUED), 0),
        )
        for group in groups
    ]


def _tasks(connection: Connection) -> dict[str, int]:
    counted = select(Task.group.label("name"), func.count().label("n")).where(Task.group != "")
    return {row.name: row.n for row in connection.execute(counted.group_by(Task.group))}


def _runs(connection: Connection) -> dict[tuple[str, str], int]:
    """(Group, state) -> how many; of those that are queued only the ones that were told to wait."""
    held = and_(Run.state == RunState.QUEUED, Run.held_at.is_not(None))
    counted = (
        select(Task.group.label("name"), Run.state.label("state"), func.count().label("n"))
        .join(Task, Task.id == Run.task_id)
        .where(or_(Run.state == RunState.RUNNING, held), Task.group != "")
        .group_by(Task.group, Run.state)
    )
    return {(row.name, row.state): row.n for row in connection.execute(counted)}


def save(
    database: Database,
    name: str,
    max_running: int,
    remark: str | None,
    actor: Actor,
    *,
    new: bool = False,
) -> int:
    """Create a group or change its limit; its id. ``remark`` None: as it was. Runs that are going
    on go on, also if they are more than are allowed now. Raises ``InvalidTask`` with the field at
    fault, and ``Conflict`` if it has to be ``new`` and is not."""
    name = one_line("name", name, LONGEST_NAME)
    if isinstance(max_running, bool) or not 1 <= max_running <= MOST_RUNNING:
        problem = say(
            "must be a whole number from 1 to %(most)s, found %(found)s",
            most=MOST_RUNNING,
            found=found(max_running),
        )
        raise InvalidTask("max_running", problem)
    values: dict[str, object] = {"max_running": max_running}
    if remark is not None:
        values["remark"] = one_line("remark", remark, LONGEST_REMARK, needed=False)

    def work(connection: Connection) -> int:
        key = _lock(connection, name)
        if new and key is not None:
            raise Conflict(say("there is already a group %(name)s", name=repr(name)))
        if key is None:
            made = connection.execute(insert(ConcurrencyGroup).values(name=name, **values))
            assert made.inserted_primary_key is not None
            key = int(made.inserted_primary_key[0])
        else:
            mine = update(ConcurrencyGroup).where(ConcurrencyGroup.id == key)
            connection.execute(mine.values(**values))
        detail: dict[str, object] = {"max_running": max_running}
        audit.record(connection, database.dialect, actor, "group.save", name, detail)
        return key

    try:
        return database.transact(work)
    except IntegrityError:  # somebody has just created it
        return database.transact(work)


def delete(database: Database, name: str, actor: Actor) -> None:
    """Delete a group. Raises ``NotFound``, and ``Conflict`` if tasks name it."""

    def work(connection: Connection) -> None:
        key = _lock(connection, name)
        if key is None:
            known = connection.execute(select(ConcurrencyGroup.name)).scalars()
            raise unknown("group", name, known)
        members = connection.execute(
            select(Task.name).where(Task.group == name).order_by(Task.name).limit(6)
        )
        if names := list(members.scalars()):
            raise Conflict(
                say_n(
                    "group %(group)s cannot be deleted: %(tasks)s belongs to it; change these "
                    "tasks first",
                    "group %(group)s cannot be deleted: %(tasks)s belong to it; change these "
                    "tasks first",
                    len(names),
                    group=repr(name),
                    tasks=listed(names),
                )
            )
        connection.execute(sql_delete(ConcurrencyGroup).where(ConcurrencyGroup.id == key))
        audit.record(connection, database.dialect, actor, "group.delete", name)

    database.transact(work)


def _lock(connection: Connection, name: str) -> int | None:
    """The id of the group, if there is one; nobody starts runs of it meanwhile."""
    wanted = select(ConcurrencyGroup.id).where(ConcurrencyGroup.name == name).with_for_update()
    return connection.execute(wanted).scalar_one_or_none()
