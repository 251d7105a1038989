"""A change of a task holds from its commit on, and no slot vanishes with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, delete, text, update

from gocron.core.definition import TaskDefinition, define
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import parse
from gocron.db import runs, starts, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Run, Task
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.databases import at_once, on_servers
from tests.helpers.rows import (
    SECOND,
    insert_node,
    insert_queued,
    insert_run,
    insert_task,
    insert_tasks,
    now_of,
    row,
    rows,
)

ADA = Actor("Ada", "192.0.2.7", "node-1")
EVERY_SECOND = "* * * * * *"
SECRET = "hunter2-hunter2"


def definition(name: str = "task", **fields: Any) -> TaskDefinition:
    return define({"name": name, "spec": EVERY_SECOND, "command": "true"} | fields)


def next_slot(database: Database, spec: str = EVERY_SECOND, zone: str = "UTC") -> datetime:
    slot = parse(spec, zone).next_after(now_of(database))
    assert slot is not None
    return slot


def stored(task: Row[Any]) -> dict[str, Any]:
    """What the columns say, by the names of the definition."""
    columns = {"group": "concurrency_group"}
    return {name: getattr(task, columns.get(name, name)) for name in TaskDefinition.model_fields}


def audits(database: Database) -> list[tuple[str, str]]:
    return [(line.action, line.target) for line in rows(database, AuditLog)]


# creating ---------------------------------------------------------------------------------------


def test_a_new_task_has_its_cursor_at_the_first_slot_to_come(database):
    wanted = definition(
        "nightly",
        spec="0 30 4 * * *",
        timezone="Asia/Kathmandu",
        environment={"A": "ü"},
        http_headers={"X": "y"},
        tag="t",
        timeout=5,
    )

    task_id = tasks.create(database, wanted, ADA)

    task = row(database, Task, task_id)
    assert task.next_fire_at == next_slot(database, "0 30 4 * * *", "Asia/Kathmandu")
    assert (task.enabled, task.revision) == (True, 1)
    assert task.created_at == task.updated_at
    assert abs(task.created_at - now_of(database)) < timedelta(seconds=5)
    assert stored(task) == wanted.model_dump()


def test_a_task_that_is_created_disabled_has_no_cursor(database):
    task_id = tasks.create(database, definition(enabled=False), ADA)
    assert row(database, Task, task_id).next_fire_at is None


def test_who_created_a_task_from_where_is_written_down(database):
    tasks.create(database, definition("nightly"), ADA)
    (line,) = rows(database, AuditLog)
    assert (line.actor, line.address, line.node_name) == ("Ada", "192.0.2.7", "node-1")
    assert (line.action, line.target) == ("task.create", "nightly")
    assert abs(line.at - now_of(database)) < timedelta(seconds=5)


def test_a_name_is_given_once(database):
    tasks.create(database, definition("nightly"), ADA)
    with pytest.raises(InvalidTask, match="'nightly' is taken") as refused:
        tasks.create(database, definition("nightly"), ADA)
    assert refused.value.field == "name"
    tasks.create(database, definition("Nightly"), ADA)
    assert len(audits(database)) == 2


def test_a_name_is_given_once_to_those_who_ask_at_the_same_moment(database):
    def try_to_create() -> str:
        try:
            tasks.create(database, definition("nightly"), ADA)
        except InvalidTask as error:
            return error.field
        return "created"

    for _round in range(10):
        assert sorted(at_once(*[try_to_create] * 4)) == ["created", "name", "name", "name"]
        with database.write() as connection:
            connection.execute(delete(Task))


def test_many_tasks_are_created_or_none(database):
    tasks.create(database, definition("b"), ADA)
    with pytest.raises(InvalidTask, match=r"'b'.* taken"):
        tasks.create_many(database, [definition(name) for name in "abc"], ADA)
    assert [task.name for task in rows(database, Task)] == ["b"]

    assert tasks.create_many(database, [definition(f"t{n}") for n in range(1500)], ADA) == 1500

    assert len(rows(database, Task)) == 1501
    assert audits(database)[-1] == ("task.import", "1500 tasks")
    assert all(task.next_fire_at is not None for task in rows(database, Task))


def test_of_two_imports_of_the_same_tasks_at_the_same_moment_one_is_refused(database):
    def try_to_import() -> str:
        try:
            tasks.create_many(database, [definition(name) for name in "abc"], ADA)
        except InvalidTask as error:
            return error.field
        return "created"

    assert sorted(at_once(try_to_import, try_to_import)) == ["created", "name"]
    assert len(rows(database, Task)) == 3


# editing ----------------------------------------------------------------------------------------


def test_an_edit_replaces_the_definition_and_computes_the_cursor_anew(database):
    task_id = tasks.create(database, definition("old", spec="0 0 4 * * *"), ADA)
    created = row(database, Task, task_id)
    wanted = definition("new", spec="0 0 5 * * *", timezone="Europe/Berlin", command="false")

    tasks.edit(database, task_id, wanted, ADA, expected_revision=1)

    task = row(database, Task, task_id)
    assert stored(task) == wanted.model_dump()
    assert task.next_fire_at == next_slot(database, "0 0 5 * * *", "Europe/Berlin")
    assert (task.revision, task.created_at) == (2, created.created_at)
    assert task.updated_at > created.updated_at


def test_an_edit_of_what_somebody_else_changed_meanwhile_is_a_conflict(database):
    task_id = tasks.create(database, definition(), ADA)
    tasks.edit(database, task_id, definition(command="first"), ADA, expected_revision=1)
    before = rows(database, Task)

    with pytest.raises(Conflict, match="changed by somebody else"):
        tasks.edit(database, task_id, definition(command="second"), ADA, expected_revision=1)

    assert rows(database, Task) == before
    assert [action for action, _target in audits(database)] == ["task.create", "task.edit"]


def test_of_two_edits_at_the_same_moment_one_is_a_conflict(database):
    task_id = tasks.create(database, definition(), ADA)

    def try_to_edit(command: str) -> str:
        try:
            tasks.edit(database, task_id, definition(command=command), ADA, revision)
        except Conflict:
            return "conflict"
        return command

    for revision in range(1, 11):
        outcome = at_once(lambda: try_to_edit("a"), lambda: try_to_edit("b"))
        task = row(database, Task, task_id)
        assert sorted(outcome) == sorted(["conflict", task.command])
        assert task.revision == revision + 1


def test_an_edit_of_a_task_that_is_gone_says_so(database):
    with pytest.raises(NotFound, match="no task 4711"):
        tasks.edit(database, 4711, definition(), ADA)


def test_an_edit_may_not_take_the_name_of_another_task_but_keep_its_own(database):
    first = tasks.create(database, definition("first"), ADA)
    second = tasks.create(database, definition("second"), ADA)
    with pytest.raises(InvalidTask, match="taken") as refused:
        tasks.edit(database, second, definition("first"), ADA)
    assert refused.value.field == "name"
    tasks.edit(database, first, definition("first", command="false"), ADA)


def test_two_tasks_that_are_renamed_alike_at_the_same_moment_do_not_both_get_the_name(database):
    ids = [tasks.create(database, definition(name), ADA) for name in ("first", "second")]

    def try_to_rename(task_id: int) -> str:
        try:
            tasks.edit(database, task_id, definition("same"), ADA)
        except InvalidTask as error:
            return error.field
        return "renamed"

    outcome = at_once(lambda: try_to_rename(ids[0]), lambda: try_to_rename(ids[1]))
    assert sorted(outcome) == ["name", "renamed"]


def test_an_edit_withdraws_what_was_queued_for_slots_to_come_and_nothing_else(database):
    now = now_of(database)
    task = insert_task(database, next_fire_at=now + timedelta(minutes=2))
    other = insert_task(database, "other")
    mine: dict[str, Any] = {"task_id": task.id}
    soon, past = now + timedelta(minutes=1), now - timedelta(minutes=1)
    withdrawn = insert_run(database, scheduled_at=soon, **mine)
    kept = [
        insert_run(database, scheduled_at=past, **mine),
        insert_run(database, scheduled_at=past, start_at=soon, attempt=1, **mine),
        insert_run(database, scheduled_at=soon + SECOND, trigger=Trigger.MANUAL, **mine),
        insert_run(database, scheduled_at=soon + 2 * SECOND, state=RunState.RUNNING, **mine),
        insert_run(database, scheduled_at=soon, task_id=other.id),
    ]

    tasks.edit(database, task.id, definition(command="new"), ADA)

    left = [run.id for run in rows(database, Run)]
    assert withdrawn not in left
    assert left == kept


def test_slots_that_were_due_before_an_edit_and_had_no_row_are_recorded_as_missed(database):
    now = now_of(database)
    first = now.replace(microsecond=0) - timedelta(seconds=90)
    task = insert_task(database, next_fire_at=first)

    tasks.edit(database, task.id, definition(spec="0 0 4 1 1 *"), ADA)

    (missed,) = rows(database, Run)
    edited = row(database, Task, task.id).updated_at.replace(microsecond=0)
    assert (missed.state, missed.owner_id, missed.task_id) == (RunState.MISSED, None, task.id)
    assert (missed.scheduled_at, missed.missed_until) == (first, edited)
    assert missed.missed_count == (edited - first) // SECOND + 1
    assert "the task was changed" in missed.reason
    assert missed.finished_at is not None


def test_slots_that_are_still_to_come_are_not_recorded_as_missed(database):
    task_id = tasks.create(database, definition(spec="0 0 4 1 1 *"), ADA)
    tasks.edit(database, task_id, definition(spec="0 0 5 1 1 *"), ADA)
    assert rows(database, Run) == []


def test_the_cursor_passes_over_slots_that_have_a_row_already(database):
    """A runner whose clock is a hair ahead has begun the next slot when its task is edited."""
    now = now_of(database)
    task = insert_task(database, next_fire_at=now + timedelta(hours=1))
    slots = parse("0 0 4 1 1 *", "UTC").between(now, now + timedelta(days=2000), 4)
    for slot in slots[:2]:
        insert_run(database, task_id=task.id, scheduled_at=slot, state=RunState.RUNNING)

    tasks.edit(database, task.id, definition(spec="0 0 4 1 1 *"), ADA)

    assert row(database, Task, task.id).next_fire_at == slots[2]


def test_what_changed_is_written_down_by_name_and_never_by_value(database):
    task_id = tasks.create(database, definition(environment={"TOKEN": SECRET}), ADA)
    changed = definition(
        "renamed",
        environment={"TOKEN": SECRET + "!"},
        command=f"curl -u me:{SECRET} x",
        http_headers={"Authorization": SECRET},
        http_body=SECRET,
        timeout=7,
    )
    tasks.edit(database, task_id, changed, ADA)
    tasks.run_now(database, task_id, ADA)

    lines = rows(database, AuditLog)

    assert lines[1].detail == {
        "changed": ["name", "command", "environment", "http_headers", "http_body", "timeout"]
    }
    assert SECRET not in repr(lines)


# enabling and disabling -------------------------------------------------------------------------


def test_enabling_sets_the_cursor_to_the_first_slot_to_come_and_records_nothing(database):
    task_id = tasks.create(database, definition(spec="0 0 4 * * *", enabled=False), ADA)

    assert tasks.set_enabled(database, [task_id], True, ADA) == 1

    task = row(database, Task, task_id)
    assert (task.enabled, task.revision) == (True, 2)
    assert task.next_fire_at == next_slot(database, "0 0 4 * * *")
    assert rows(database, Run) == []
    assert audits(database)[-1] == ("task.enable", "task")


def test_disabling_takes_the_cursor_away_and_what_was_queued_ahead(database):
    now = now_of(database)
    task = insert_task(database, next_fire_at=now + timedelta(minutes=2))
    insert_run(database, task_id=task.id, scheduled_at=now + timedelta(minutes=1))

    assert tasks.set_enabled(database, [task.id], False, ADA) == 1

    disabled = row(database, Task, task.id)
    assert (disabled.enabled, disabled.next_fire_at, disabled.revision) == (False, None, 2)
    assert rows(database, Run) == []
    assert audits(database) == [("task.disable", "task")]


@pytest.mark.parametrize("how", ["disable", "edit"])
def test_a_disabled_task_does_not_fire_any_more_although_a_slot_was_due(database, how):
    """Queued for a slot that has passed, but not begun: it would start after the commit."""
    me = insert_node(database)
    now = now_of(database)
    task = insert_task(database, next_fire_at=now + timedelta(minutes=2))
    waiting = insert_run(
        database, task_id=task.id, owner_id=me.id, term=0, scheduled_at=now - SECOND
    )
    manual = insert_run(
        database,
        task_id=task.id,
        owner_id=me.id,
        term=0,
        scheduled_at=now - 2 * SECOND,
        trigger=Trigger.MANUAL,
    )
    works = runs.load(database, me.id, [waiting, manual])

    if how == "disable":
        tasks.set_enabled(database, [task.id], False, ADA)
    else:
        tasks.edit(database, task.id, definition(enabled=False), ADA)

    works += runs.load(database, me.id, [waiting, manual])
    started = database.transact(
        lambda connection: starts.start(connection, database.dialect, me, works)
    ).started
    assert [work.id for work in started] == [manual]
    cancelled = row(database, Run, waiting)
    assert (cancelled.state, cancelled.reason) == (
        RunState.CANCELLED,
        "the task was disabled before this run began",
    )
    assert cancelled.finished_at is not None


def test_a_slot_that_was_due_when_the_task_was_disabled_is_recorded_as_missed(database):
    slot = now_of(database).replace(microsecond=0)
    task = insert_task(database, next_fire_at=slot - 2 * SECOND)
    tasks.set_enabled(database, [task.id], False, ADA)
    (missed,) = rows(database, Run)
    assert missed.missed_count >= 3
    assert "the task was disabled" in missed.reason


def test_what_is_so_already_or_gone_is_passed_over(database):
    on, off = insert_tasks(database, ["on", "off"])
    with database.write() as connection:
        connection.execute(update(Task).where(Task.id == off.id).values(enabled=False))
    assert tasks.set_enabled(database, [on.id, off.id, on.id, 4711], True, ADA) == 1
    assert row(database, Task, on.id).revision == 1
    assert tasks.set_enabled(database, [], True, ADA) == 0


def test_hundreds_of_tasks_are_disabled_enabled_and_deleted(database):
    found = insert_tasks(database, [f"t{n}" for n in range(120)])
    ids = [task.id for task in found]
    assert tasks.set_enabled(database, ids, False, ADA) == 120
    assert not any(task.enabled for task in rows(database, Task))
    assert tasks.set_enabled(database, ids, True, ADA) == 120
    assert tasks.delete(database, ids, ADA) == 120
    assert rows(database, Task) == []
    assert len(audits(database)) == 360


# deleting ---------------------------------------------------------------------------------------


def test_deleting_keeps_the_history_and_cancels_what_has_not_begun(database):
    now = now_of(database)
    task = insert_task(database, "nightly", next_fire_at=now + timedelta(minutes=2))
    mine: dict[str, Any] = {"task_id": task.id, "task_name": "nightly"}
    past = now - timedelta(hours=1)
    ended = insert_run(database, scheduled_at=past, state=RunState.SUCCESS, **mine)
    going = insert_run(database, scheduled_at=past + SECOND, state=RunState.RUNNING, **mine)
    waiting = insert_run(database, scheduled_at=now - SECOND, **mine)
    manual = insert_run(database, scheduled_at=now, trigger=Trigger.MANUAL, **mine)
    insert_run(database, scheduled_at=now + timedelta(minutes=1), **mine)

    assert tasks.delete(database, [task.id, 4711], ADA) == 1

    assert rows(database, Task) == []
    left = {run.id: run for run in rows(database, Run)}
    assert {run_id: run.state for run_id, run in left.items()} == {
        ended: RunState.SUCCESS,
        going: RunState.RUNNING,
        waiting: RunState.CANCELLED,
        manual: RunState.CANCELLED,
    }
    assert left[manual].reason == "the task was deleted before this run began"
    assert {run.task_name for run in left.values()} == {"nightly"}
    assert audits(database) == [("task.delete", "nightly")]


def test_slots_that_were_due_when_the_task_was_deleted_are_recorded_as_missed(database):
    task = insert_task(database, next_fire_at=now_of(database).replace(microsecond=0) - SECOND)
    tasks.delete(database, [task.id], ADA)
    (missed,) = rows(database, Run)
    assert (missed.state, missed.missed_count >= 2) == (RunState.MISSED, True)


def test_the_number_of_a_deleted_task_is_never_given_out_again(database):
    """Its history would become that of another task."""
    task_id = tasks.create(database, definition("first"), ADA)
    tasks.delete(database, [task_id], ADA)
    assert tasks.create(database, definition("second"), ADA) > task_id


# run now ----------------------------------------------------------------------------------------


def test_run_now_queues_a_run_that_nobody_owns_yet(database):
    task_id = tasks.create(database, definition("nightly", enabled=False), ADA)

    run_id = tasks.run_now(database, task_id, ADA)

    run = row(database, Run, run_id)
    assert (run.task_id, run.task_name, run.revision) == (task_id, "nightly", 1)
    assert (run.state, run.owner_id, run.term) == (RunState.QUEUED, None, None)
    assert (run.trigger_kind, run.triggered_by) == (Trigger.MANUAL, "Ada")
    assert run.start_at == run.scheduled_at
    assert abs(run.scheduled_at - now_of(database)) < timedelta(seconds=5)
    assert rows(database, AuditLog)[-1].detail == {"run": run_id}


def test_run_now_of_a_task_that_is_gone_says_so(database):
    with pytest.raises(NotFound, match="no task 4711"):
        tasks.run_now(database, 4711, ADA)


def test_run_now_again_and_again_makes_as_many_runs(database):
    task_id = tasks.create(database, definition(), ADA)

    def hurry() -> list[int]:
        return [tasks.run_now(database, task_id, ADA) for _time in range(10)]

    made = [run_id for ids in at_once(*[hurry] * 4) for run_id in ids]

    assert len(set(made)) == 40
    assert len(rows(database, Run)) == 40


def test_run_now_in_the_very_instant_of_a_slot_leaves_the_slot_alone(database, monkeypatch):
    task_id = tasks.create(database, definition(), ADA)
    instant = datetime(2031, 1, 1, 4, 0, 0, 0, UTC)
    slot = insert_run(database, task_id=task_id, scheduled_at=instant)
    monkeypatch.setattr(type(database.dialect), "now", lambda *_arguments: instant)

    manual = [tasks.run_now(database, task_id, ADA) for _time in range(3)]

    moments = [row(database, Run, run_id).scheduled_at for run_id in manual]
    assert len({instant, *moments}) == 4
    assert max(moments) - instant < timedelta(milliseconds=1)
    assert row(database, Run, slot).trigger_kind == Trigger.SCHEDULE


def test_no_run_is_left_queued_for_a_task_that_is_deleted_at_the_same_moment(database):
    for number in range(20):
        task_id = tasks.create(database, definition(f"t{number}"), ADA)

        def try_to_run(task_id: int = task_id) -> int:
            try:
                return tasks.run_now(database, task_id, ADA)
            except NotFound:
                return 0

        def remove(task_id: int = task_id) -> int:
            return tasks.delete(database, [task_id], ADA)

        at_once(try_to_run, remove)
    assert {run.state for run in rows(database, Run)} <= {RunState.CANCELLED, RunState.MISSED}


# what others do meanwhile -----------------------------------------------------------------------


@on_servers
@pytest.mark.parametrize("change", ["edit", "disable", "delete", "run_now"])
def test_a_change_of_one_task_does_not_wait_for_the_starts_of_others(database, change):
    """The rows of other tasks that a runner has locked are none of its business."""
    me = insert_node(database)
    now = now_of(database)
    busy, changed = insert_tasks(
        database,
        ["busy", "changed"],
        overlap="parallel",
        next_fire_at=now + timedelta(minutes=2),
    )
    works = runs.load(database, me.id, insert_queued(database, busy.id, 200, me.id, term=0))
    for number in range(200):
        at = now - timedelta(seconds=number)
        insert_run(database, task_id=changed.id, scheduled_at=at, state=RunState.SUCCESS)
    withdrawn = insert_run(
        database, task_id=changed.id, scheduled_at=now + timedelta(minutes=1), owner_id=me.id
    )
    if database.dialect.name == "mysql":
        with database.engine.connect() as connection:
            connection.execute(text("ANALYZE TABLE run"))
    do: dict[str, Callable[[], Any]] = {
        "edit": lambda: tasks.edit(database, changed.id, definition("changed"), ADA),
        "disable": lambda: tasks.set_enabled(database, [changed.id], False, ADA),
        "delete": lambda: tasks.delete(database, [changed.id], ADA),
        "run_now": lambda: tasks.run_now(database, changed.id, ADA),
    }
    with database.write() as starting:
        assert len(starts.start(starting, database.dialect, me, works).started) == 200
        thread = threading.Thread(target=do[change], daemon=True)
        thread.start()
        thread.join(3.0)
        waited = thread.is_alive()
    thread.join()
    assert not waited
    if change != "run_now":
        assert withdrawn not in {run.id for run in rows(database, Run)}
