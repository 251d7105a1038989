"""Changing tasks. Every change holds from its commit on, whatever node it was made on.

The same transaction that changes a definition withdraws the runs that were queued ahead under the
old one, computes the cursor anew and raises ``revision``; a claim that was planned before finds
that nothing matches any more. Slots that were due and had no row yet are recorded as missed, so
nothing vanishes with an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from gocron.core.definition import TaskDefinition
from gocron.core.parameters import Parameter, values_for
from gocron.core.states import BY_ITSELF, RunState, Trigger
from gocron.db import audit, calendars, references, run_requests, task_rows, version_rows
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Run, Task
from gocron.db.naming import table
from gocron.db.run_requests import RunRequest
from gocron.db.version_rows import Change
from gocron.errors import Conflict, InvalidSchedule, InvalidTask, NotFound
from gocron.sayings import said, say

INSERT_PAGE = 1000

CHANGE_PAGE = 50
"""Tasks that are changed in one transaction, and locked as long as it takes: 50 to 100 ms."""

MICROSECOND = timedelta(microseconds=1)

Changed = TypeVar("Changed")


class NamesTaken(InvalidTask):
    """Other tasks have these names already."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        listed: str = ", ".join(repr(name) for name in self.names[:5])
        if len(names) > 5:
            listed = say("%(names)s and %(more)s more", names=listed, more=len(names) - 5)
        words = say("%(names)s taken by another task; names are unique", names=listed)
        super().__init__("name", words)


def create(database: Database, definition: TaskDefinition, actor: Actor) -> int:
    """A new task; its id. Raises ``InvalidTask`` if the name is taken."""

    def work(connection: Connection) -> int:
        _require_free_name(connection, definition.name, None)
        days = references.require(connection, [definition])
        now = database.dialect.now(connection)
        cursor = task_rows.first_slot(definition, days, now) if definition.enabled else None
        values = task_rows.columns_of(definition, cursor, now)
        key = connection.execute(insert(Task).values(**values)).inserted_primary_key
        assert key is not None
        if definition.depends_on:
            references.store(connection, {definition.name: definition.depends_on})
        references.confirm(connection, [definition], days)
        task_id = int(key[0])
        version_rows.record(connection, [Change(task_id, 1, values)], "create", actor, now)
        audit.record(connection, database.dialect, actor, "task.create", definition.name)
        return task_id

    with _names_may_be_taken(database, [definition.name]):
        return database.transact(work)


def create_many(database: Database, definitions: Sequence[TaskDefinition], actor: Actor) -> int:
    """All of them or none; how many. Raises ``NamesTaken``."""
    names = [definition.name for definition in definitions]
    with database.read() as connection:
        now = database.dialect.now(connection)
        days = calendars.everything(connection)
    # Seconds of work with many tasks: done before anything is locked.
    cursors = [
        task_rows.first_slot(definition, days, now)
        if definition.enabled and days.keys() >= {*task_rows.names_of_calendars(definition)}
        else None
        for definition in definitions
    ]

    def work(connection: Connection) -> int:
        taken = _taken(connection, names)
        if taken:
            raise NamesTaken(taken)
        references.require(connection, definitions)
        for start in range(0, len(definitions), INSERT_PAGE):
            page = slice(start, start + INSERT_PAGE)
            rows = [
                task_rows.columns_of(definition, cursor, now)
                for definition, cursor in zip(definitions[page], cursors[page], strict=True)
            ]
            connection.execute(insert(Task), [task_rows.by_column(values) for values in rows])
            ids = references.ids_of(connection, names[page])
            new = [Change(ids[values["name"]], 1, values) for values in rows]
            version_rows.record(connection, new, "import", actor, now)
        references.store(connection, {d.name: d.depends_on for d in definitions if d.depends_on})
        references.confirm(connection, definitions, days)
        audit.record(
            connection, database.dialect, actor, "task.import", f"{len(definitions)} tasks"
        )
        return len(definitions)

    with _names_may_be_taken(database, names):
        return database.transact(work)


def check(database: Database, definition: TaskDefinition, task_id: int | None) -> None:
    """Raise the ``InvalidTask`` that saving this definition would raise now, as a new task or as
    that of ``task_id``; nothing is saved."""
    with database.read() as connection:
        _require_free_name(connection, definition.name, task_id)
        references.look(connection, [definition])


def edit(
    database: Database,
    task_id: int,
    definition: TaskDefinition,
    actor: Actor,
    expected_revision: int | None = None,
    *,
    back_to: int | None = None,
) -> int:
    """Replace a definition; the task's new revision. ``back_to``: it is what the task was at that
    revision. Raises ``NotFound``, ``InvalidTask``, or ``Conflict`` if somebody else changed the
    task since ``expected_revision``."""
    action = "edit" if back_to is None else "rollback"

    def work(connection: Connection) -> int:
        dialect = database.dialect
        named = connection.execute(select(Task.name).where(Task.id == task_id)).scalar_one_or_none()
        references.hold(connection, [definition], renamed=named != definition.name)
        old = task_rows.lock(connection, task_id)
        if old is None:
            raise NotFound(say("there is no task %(task_id)s (any more)", task_id=task_id))
        _require_revision(old, expected_revision)
        _require_free_name(connection, definition.name, task_id)
        if definition.name != old.name:
            references.rename(connection, task_id, old.name, definition.name)
        days = references.require(connection, [definition])
        now = dialect.now(connection)
        values = task_rows.columns_of(definition, None, now)
        del values["created_at"]
        values["revision"] = old.revision + 1
        values["followed"] |= references.has_children(connection, task_id)
        why = say("the task was changed") if definition.enabled else say("the task was disabled")
        task_rows.settle_and_withdraw(connection, dialect, old, now, why)
        if definition.enabled:
            values["next_fire_at"] = task_rows.cursor(connection, task_id, definition, days, now)
        else:
            task_rows.cancel_waiting(connection, dialect, task_id, why, BY_ITSELF)
        connection.execute(update(Task).where(Task.id == task_id).values(**values))
        if definition.depends_on or old.depends_on:
            references.store(connection, {definition.name: definition.depends_on})
        references.confirm(connection, [definition], days)
        revision: int = values["revision"]
        new = Change(task_id, revision, values, old)
        version_rows.record(connection, [new], action, actor, now)
        detail: dict[str, object] = {"changed": _difference(old, values)}
        if back_to is not None:
            detail["back_to"] = back_to
        audit.record(connection, dialect, actor, f"task.{action}", definition.name, detail)
        return revision

    with _names_may_be_taken(database, [definition.name]):
        return database.transact(work)


def set_enabled(database: Database, task_ids: Sequence[int], enabled: bool, actor: Actor) -> int:
    """Enable or disable; how many changed. Tasks that do not exist any more are passed over."""
    dialect = database.dialect
    action = "enable" if enabled else "disable"

    def work(connection: Connection, old: Row[Any]) -> Change | None:
        if bool(old.enabled) == enabled:
            return None
        now = dialect.now(connection)
        values: dict[str, Any] = {
            "enabled": enabled,
            "next_fire_at": None,
            "revision": old.revision + 1,
            "updated_at": now,
            "broken": "",
        }
        if enabled:
            try:
                days = calendars.named(connection, task_rows.names_of_calendars(old))
                values["next_fire_at"] = task_rows.cursor(connection, old.id, old, days, now)
            except InvalidSchedule as error:
                raise Conflict(
                    say(
                        "task %(name)s cannot be enabled: %(why)s",
                        name=repr(old.name),
                        why=said(error),
                    )
                ) from error
        else:
            why = say("the task was disabled")
            task_rows.settle_and_withdraw(connection, dialect, old, now, why)
            task_rows.cancel_waiting(connection, dialect, old.id, why, BY_ITSELF)
        connection.execute(update(Task).where(Task.id == old.id).values(**values))
        audit.record(connection, dialect, actor, f"task.{action}", old.name)
        return Change(old.id, old.revision + 1, {**old._mapping, **values}, old)

    def note(connection: Connection, changes: Sequence[Change]) -> None:
        now = dialect.now(connection)
        version_rows.record(connection, changes, action, actor, now)

    return _page_by_page(database, sorted(set(task_ids)), work, note)


def delete(database: Database, task_ids: Sequence[int], actor: Actor) -> int:
    """Delete tasks; how many there were. Their history of runs stays; running runs go on. Raises
    ``Conflict`` if others depend on one that are not deleted with it."""
    dialect = database.dialect
    together = set(task_ids)
    with database.read() as connection:
        references.require_no_children(connection, together)
        in_order = references.children_first(connection, together)

    def work(connection: Connection, old: Row[Any]) -> bool:
        references.require_no_children(connection, together)
        references.forget(connection, old.id)
        now = dialect.now(connection)
        task_rows.settle_and_withdraw(connection, dialect, old, now, say("the task was deleted"))
        task_rows.cancel_waiting(
            connection, dialect, old.id, say("the task was deleted"), tuple(Trigger)
        )
        connection.execute(text(f"DELETE FROM {table('task')} WHERE id = :id"), {"id": old.id})
        version_rows.forget(connection, old.id)
        audit.record(connection, dialect, actor, "task.delete", old.name)
        return True

    return _page_by_page(database, in_order, work)


def run_now(
    database: Database,
    task_id: int,
    actor: Actor,
    given: Mapping[str, object] | None = None,
    expected_revision: int | None = None,
    *,
    request: RunRequest | None = None,
) -> int:
    """Queue a run outside the schedule; its id. The leader starts it within half a second.
    ``given`` are values for the task's parameters. A ``request`` that was answered before is
    answered with the same run. Raises ``NotFound``, ``InvalidTask``, and ``Conflict`` if somebody
    else changed the task since ``expected_revision``."""

    def work(connection: Connection) -> int:
        dialect = database.dialect
        task = task_rows.lock(connection, task_id)  # so that it is not deleted meanwhile
        if task is None:
            raise NotFound(say("there is no task %(task_id)s (any more)", task_id=task_id))
        if request is not None:
            before = run_requests.answered(connection, task_id, request)
            if before is not None:
                return before
        _require_revision(task, expected_revision)
        declared = [Parameter.model_validate(parameter) for parameter in task.parameters]
        values = values_for(declared, given or {})
        now = dialect.now(connection)
        moment = _between_slots(connection, task_id, now)
        key = connection.execute(
            insert(Run).values(
                task_id=task.id,
                task_name=task.name,
                scheduled_at=moment,
                start_at=moment,
                attempt=0,
                trigger=Trigger.MANUAL,
                triggered_by=actor.name[:64],
                state=RunState.QUEUED,
                reason="",
                revision=task.revision,
                created_at=now,
                output_bytes=0,
                stop_requested_by="",
                follow_up=task.followed,
                parameters=values or None,
            )
        ).inserted_primary_key
        assert key is not None
        if request is not None:
            run_requests.remember(connection, database, task_id, request, key[0])
        audit.record(connection, dialect, actor, "task.run", task.name, {"run": key[0]})
        return int(key[0])

    return database.transact(work)


def _between_slots(connection: Connection, task_id: int, now: datetime) -> datetime:
    """A moment that no slot has (those are whole seconds) and no other manual run either."""
    moment = now if now.microsecond else now + MICROSECOND
    since = select(Run.scheduled_at).where(Run.task_id == task_id, Run.scheduled_at >= now)
    taken = set(connection.execute(since).scalars())
    while moment in taken:
        moment += MICROSECOND
    return moment


def _page_by_page(
    database: Database,
    wanted: Sequence[int],
    change: Callable[[Connection, Row[Any]], Changed | None],
    note: Callable[[Connection, Sequence[Changed]], None] | None = None,
) -> int:
    """Apply ``change`` to the tasks that exist, in this order; how many it changed. ``note`` is
    given what it answered for those. Not all in one transaction: a claim that needs one of them
    would have to wait for the last."""

    def work(connection: Connection, page: Sequence[int]) -> int:
        locked = (task_rows.lock(connection, task_id) for task_id in page)
        answers = [change(connection, task) for task in locked if task is not None]
        changed = [answer for answer in answers if answer]
        if changed and note is not None:
            note(connection, changed)
        return len(changed)

    return sum(
        database.transact(partial(work, page=wanted[start : start + CHANGE_PAGE]))
        for start in range(0, len(wanted), CHANGE_PAGE)
    )


@contextmanager
def _names_may_be_taken(database: Database, names: Sequence[str]) -> Iterator[None]:
    """By somebody who writes between our look and our own writing."""
    try:
        yield
    except IntegrityError as error:
        with database.read() as connection:
            taken = _taken(connection, names)
        raise NamesTaken(taken or names) from error


def _taken(connection: Connection, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that tasks have already, in the order given."""
    found: set[str] = set()
    for start in range(0, len(names), INSERT_PAGE):
        page = names[start : start + INSERT_PAGE]
        found.update(connection.execute(select(Task.name).where(Task.name.in_(page))).scalars())
    return [name for name in names if name in found]


def _require_free_name(connection: Connection, name: str, own_id: int | None) -> None:
    found = connection.execute(select(Task.id).where(Task.name == name)).scalar_one_or_none()
    if found is not None and found != own_id:
        raise InvalidTask(
            "name",
            say(
                "%(name)s is taken by task %(found)s; names are unique",
                name=repr(name),
                found=found,
            ),
        )


def _require_revision(task: Row[Any], expected: int | None) -> None:
    if expected is not None and task.revision != expected:
        raise Conflict(
            say(
                "task %(name)s was changed by somebody else in the meantime; load it "
                "again, then repeat your change",
                name=repr(task.name),
            )
        )


UNREMARKABLE = frozenset({"next_fire_at", "revision", "updated_at", "followed", "broken"})


def _difference(old: Row[Any], new: dict[str, Any]) -> list[str]:
    """Names of the fields that changed (not their values: they may hold secrets)."""
    return [
        field
        for field, value in new.items()
        if field not in UNREMARKABLE and getattr(old, field) != value
    ]
