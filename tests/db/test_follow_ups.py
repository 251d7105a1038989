"""After a run has ended comes what was promised: once, whoever leads, and whenever he dies."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Row, delete, insert, text, update

from gocron.core.identity import Identity
from gocron.core.states import RunState, Trigger
from gocron.db import adoption, follow_ups, runs, starts, tasks
from gocron.db.audit import Actor
from gocron.db.claims import Claimant, TermOver
from gocron.db.engine import Database
from gocron.db.follow_ups import PAGE, look_after
from gocron.db.models import Run, SchedulerLock, Task, TaskDependency
from gocron.db.runs import End
from tests.helpers.databases import (
    at_once,
    effort,
    full_scans,
    on_servers,
    statements_of,
)
from tests.helpers.rows import (
    FAR,
    SECOND,
    begin_term,
    insert_node,
    insert_run,
    insert_runs,
    insert_task,
    insert_tasks,
    now_of,
    rows,
)

TERM = 4
ADA = Actor("Ada")
ENDED_AT = datetime(2031, 5, 17, 12, 30, 0, 250_001, UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(database: Database) -> Database:
    """Under the term of ``leader``."""
    begin_term(database, TERM)
    return database


@pytest.fixture
def me(database: Database) -> Identity:
    return insert_node(database, "me")


@pytest.fixture
def leader(me: Identity) -> Claimant:
    return Claimant(me.id, TERM)


def ended(
    database: Database, task_id: int, state: RunState = RunState.FAILED, **fields: Any
) -> int:
    """A run whose end nobody has looked after yet."""
    values: dict[str, Any] = {"follow_up": True, "finished_at": ENDED_AT} | fields
    return insert_run(database, task_id=task_id, state=state, **values)


def child_of(database: Database, name: str, *needs: tuple[int, str], **fields: Any) -> int:
    """A task that depends on others: (parent, need)."""
    task = insert_task(database, name, spec="", **{"next_fire_at": FAR} | fields)
    with database.write() as connection:
        connection.execute(update(Task).where(Task.id == task.id).values(next_fire_at=None))
        for parent, need in needs:
            connection.execute(
                insert(TaskDependency).values(task_id=task.id, parent_id=parent, need=need)
            )
    return task.id


def runs_of(database: Database, task_id: int) -> list[Row[Any]]:
    return sorted(rows(database, Run, Run.task_id == task_id), key=lambda run: run.attempt)


def waiting_ends(database: Database) -> list[int]:
    """Ends that nobody has looked after."""
    found = rows(database, Run, Run.follow_up)
    return [run.id for run in found if RunState(run.state).ended]


def start_and_end(
    database: Database, me: Identity, run_id: int, state: RunState = RunState.SUCCESS
) -> None:
    """What a node does with a run, from adoption to end."""
    adoption.adopt(database, Claimant(me.id, TERM), [run_id], {})
    works = runs.load(database, me.id, [run_id])
    started = database.transact(
        lambda connection: starts.start(connection, database.dialect, me, works)
    ).started
    assert [work.id for work in started] == [run_id]
    runs.finish(database, me.id, [End(run_id, state, "", 0, ENDED_AT, 0)])


# retries ----------------------------------------------------------------------------------------


def test_a_run_that_failed_is_tried_again_after_the_interval(database, leader):
    task = insert_task(database, "nightly", retry_times=2, retry_interval=40, followed=True).id
    first = ended(
        database,
        task,
        task_name="nightly",
        trigger=Trigger.MANUAL,
        triggered_by="Ada",
        parameters={"DAY": "monday"},
    )

    assert look_after(database, leader) == 1

    before, retry = runs_of(database, task)
    assert (before.id, before.follow_up) == (first, False)
    assert (retry.attempt, retry.state, retry.owner_id, retry.term) == (1, "queued", None, None)
    assert (retry.scheduled_at, retry.start_at) == (FAR, ENDED_AT + timedelta(seconds=40))
    assert (retry.trigger_kind, retry.triggered_by) == (Trigger.MANUAL, "Ada")
    assert (retry.task_name, retry.revision, retry.follow_up) == ("nightly", 1, True)
    assert retry.finished_at is retry.started_at is None
    assert abs(retry.created_at - now_of(database)) < timedelta(seconds=5)
    assert database.dialect.read_json(retry.parameters) == {"DAY": "monday"}


def test_without_an_interval_it_is_tried_again_after_gocrons_one_two_three_minutes(
    database, leader
):
    task = insert_task(database, retry_times=3, followed=True).id
    ended(database, task)
    for attempt in (1, 2, 3):
        assert look_after(database, leader) == 1
        retry = runs_of(database, task)[-1]
        assert (retry.attempt, retry.start_at) == (attempt, ENDED_AT + attempt * MINUTE)
        with database.write() as connection:
            values = {"state": RunState.FAILED, "finished_at": ENDED_AT}
            connection.execute(update(Run).where(Run.id == retry.id).values(**values))
    assert look_after(database, leader) == 1
    assert len(runs_of(database, task)) == 4
    assert waiting_ends(database) == []


@pytest.mark.parametrize(
    ("state", "fields", "again"),
    [
        (RunState.FAILED, {}, True),
        (RunState.TIMEOUT, {}, True),
        (RunState.SUCCESS, {}, False),
        (RunState.CANCELLED, {}, False),
        (RunState.SKIPPED, {}, False),
        (RunState.LOST, {}, False),
        (RunState.LOST, {"retry_on": ["lost"]}, True),
        (RunState.TIMEOUT, {"retry_on": ["failed"]}, False),
        (RunState.FAILED, {"retry_on": []}, False),
        (RunState.FAILED, {"enabled": False}, False),
    ],
)
def test_only_the_ends_that_the_task_names_are_tried_again(database, leader, state, fields, again):
    task = insert_task(database, retry_times=1, followed=True, **fields).id
    ended(database, task, state)
    assert look_after(database, leader) == 1
    assert len(runs_of(database, task)) == 1 + again
    assert waiting_ends(database) == []


def test_a_run_that_was_lost_with_its_node_begins_again_at_once_if_the_task_wants_that(
    database, me, leader
):
    rerun = insert_task(database, "rerun", on_lost="rerun", followed=True).id
    fail = insert_task(database, "fail", followed=True).id
    dead = insert_node(database, "dead")
    for task_id in (rerun, fail):
        insert_run(
            database, task_id=task_id, state=RunState.RUNNING, owner_id=dead.id, follow_up=True
        )
    assert look_after(database, leader) == 0
    adoption.mark_lost(database, dead.id, "no sign of life")

    assert look_after(database, leader) == 2

    again = runs_of(database, rerun)[1]
    assert (again.attempt, again.state) == (1, RunState.QUEUED)
    assert abs(again.start_at - now_of(database)) < timedelta(seconds=5)
    assert len(runs_of(database, fail)) == 1


def test_a_retry_that_waits_for_its_time_is_no_slot_that_came_too_late(database, me, leader):
    """A leader that takes it over an hour later has it begin."""
    task = insert_task(database, retry_times=1, misfire="skip", followed=True).id
    ended(database, task, finished_at=now_of(database) - timedelta(hours=1))
    look_after(database, leader)
    (waiting,) = adoption.orphans(database, leader)
    assert not waiting.scheduled
    start_and_end(database, me, waiting.id)
    assert look_after(database, leader) == 1
    assert [run.state for run in runs_of(database, task)] == ["failed", "success"]


def test_a_child_runs_after_the_last_attempt_and_not_before(database, me, leader):
    parent = insert_task(database, "parent", retry_times=1, followed=True).id
    child = child_of(database, "child", (parent, "strong"))
    ended(database, parent, finished_at=now_of(database) - MINUTE)
    look_after(database, leader)
    assert runs_of(database, child) == []
    start_and_end(database, me, runs_of(database, parent)[1].id)
    look_after(database, leader)
    assert [run.state for run in runs_of(database, child)] == [RunState.QUEUED]


# children ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "state", "expected"),
    [
        ("strong", RunState.SUCCESS, RunState.QUEUED),
        ("strong", RunState.FAILED, RunState.SKIPPED),
        ("strong", RunState.SKIPPED, RunState.SKIPPED),
        ("weak", RunState.SUCCESS, RunState.QUEUED),
        ("weak", RunState.FAILED, RunState.QUEUED),
        ("weak", RunState.LOST, RunState.QUEUED),
        ("weak", RunState.CANCELLED, RunState.QUEUED),
    ],
)
def test_a_child_runs_after_its_parent_or_it_is_said_why_not(
    database, leader, need, state, expected
):
    parent = insert_task(database, "parent", followed=True).id
    child = child_of(database, "child", (parent, need), revision=3)
    before = ended(database, parent, state, task_name="parent")

    assert look_after(database, leader) == 1

    (run,) = runs_of(database, child)
    assert (run.state, run.trigger_kind, run.attempt) == (expected, Trigger.DEPENDENCY, 0)
    assert (run.scheduled_at, run.revision, run.task_name) == (FAR, 3, "child")
    assert database.dialect.read_json(run.parents) == [
        {"run": before, "task": "parent", "state": str(state)}
    ]
    assert abs(run.start_at - now_of(database)) < timedelta(seconds=5)
    if expected is RunState.SKIPPED:
        assert run.reason == f"'parent', which it depends on, ended {state}"
        assert abs(run.finished_at - now_of(database)) < timedelta(seconds=5)
    else:
        assert (run.reason, run.finished_at) == ("", None)


def test_a_child_of_several_runs_once_after_all_of_them(database, leader):
    parents = [task.id for task in insert_tasks(database, "abc", followed=True)]
    child = child_of(database, "child", *((parent, "strong") for parent in parents))
    for number, parent in enumerate(parents):
        assert runs_of(database, child) == []
        ended(database, parent, RunState.SUCCESS)
        assert look_after(database, leader) == 1, number
    (run,) = runs_of(database, child)
    assert run.state == RunState.QUEUED
    assert len(database.dialect.read_json(run.parents)) == 3


def test_parents_that_end_in_the_same_moment_have_their_child_run_once(database, leader):
    parents = [task.id for task in insert_tasks(database, "abc", followed=True)]
    child = child_of(database, "child", *((parent, "strong") for parent in parents))
    for parent in parents:
        ended(database, parent, RunState.SUCCESS)
    assert look_after(database, leader) == 3
    assert [run.state for run in runs_of(database, child)] == [RunState.QUEUED]


def test_a_parent_of_another_slot_is_no_parent(database, leader):
    a, b = (task.id for task in insert_tasks(database, "ab", followed=True))
    child = child_of(database, "child", (a, "strong"), (b, "strong"))
    ended(database, a, RunState.SUCCESS)
    ended(database, b, RunState.SUCCESS, scheduled_at=FAR + SECOND)
    look_after(database, leader)
    assert runs_of(database, child) == []


def test_a_chain_runs_down_to_its_end_and_an_end_above_is_known_below(database, me, leader):
    top = insert_task(database, "top", followed=True).id
    middle = child_of(database, "middle", (top, "strong"), followed=True)
    bottom = child_of(database, "bottom", (middle, "strong"))
    last = child_of(database, "last", (bottom, "weak"))
    ended(database, top, RunState.FAILED)
    with database.write() as connection:
        connection.execute(update(Task).where(Task.id == bottom).values(followed=True))

    while look_after(database, leader):
        pass

    assert [run.state for run in runs_of(database, middle)] == [RunState.SKIPPED]
    assert [run.state for run in runs_of(database, bottom)] == [RunState.SKIPPED]
    (run,) = runs_of(database, last)
    assert run.state == RunState.QUEUED
    start_and_end(database, me, run.id)
    assert look_after(database, leader) == 0


def test_a_child_that_is_disabled_is_skipped_and_what_comes_after_it_sees_that(database, leader):
    parent = insert_task(database, "parent", followed=True).id
    child = child_of(database, "child", (parent, "strong"), enabled=False, followed=True)
    grandchild = child_of(database, "grandchild", (child, "strong"))
    ended(database, parent, RunState.SUCCESS)
    while look_after(database, leader):
        pass
    (run,) = runs_of(database, child)
    assert (run.state, run.reason) == (RunState.SKIPPED, "the task is disabled")
    assert [run.state for run in runs_of(database, grandchild)] == [RunState.SKIPPED]


def test_a_child_is_given_the_values_of_its_parent_as_far_as_it_knows_them(database, leader):
    declared = [{"name": "DAY", "type": "text", "default": None}]
    parent = insert_task(database, "parent", followed=True, parameters=declared).id
    child = child_of(
        database,
        "child",
        (parent, "strong"),
        parameters=[*declared, {"name": "MODE", "type": "text", "default": "fast"}],
    )
    ended(database, parent, RunState.SUCCESS, parameters={"DAY": "monday", "X": 1})
    look_after(database, leader)
    (run,) = runs_of(database, child)
    assert database.dialect.read_json(run.parameters) == {"DAY": "monday", "MODE": "fast"}


def test_what_only_a_newer_version_understands_keeps_nobody_from_being_looked_after(
    database, leader
):
    parent = insert_task(database, "parent", followed=True).id
    other = insert_task(database, "other", followed=True).id
    child = child_of(
        database,
        "child",
        (parent, "strong"),
        parameters=[{"name": "WHERE", "type": "place on earth"}],
    )
    patient = child_of(database, "patient", (parent, "strong"), (other, "strong"))
    ended(database, parent, RunState.SUCCESS)
    insert_run(database, task_id=other, state="dreaming")
    assert look_after(database, leader) == 1
    assert [run.state for run in runs_of(database, child)] == [RunState.QUEUED]
    assert runs_of(database, patient) == []


# once, whoever looks ----------------------------------------------------------------------------


def scene(database: Database) -> tuple[int, int, list[int]]:
    """(task that failed and is retried, child, ends)"""
    failed = insert_task(database, "failed", retry_times=1, followed=True).id
    parent = insert_task(database, "parent", followed=True).id
    child = child_of(database, "child", (parent, "strong"))
    ends = []
    for number in range(5):
        at = FAR + number * SECOND
        ends.append(ended(database, failed, scheduled_at=at))
        ends.append(ended(database, parent, RunState.SUCCESS, scheduled_at=at))
    return failed, child, ends


def test_nothing_is_looked_after_twice(database, leader):
    failed, child, ends = scene(database)
    assert look_after(database, leader) == len(ends)
    before = rows(database, Run)
    assert look_after(database, leader) == 0
    assert rows(database, Run) == before
    assert (len(runs_of(database, failed)), len(runs_of(database, child))) == (10, 5)


@pytest.mark.parametrize("shown", [TERM - 1, TERM + 1, None])
def test_under_a_term_that_is_over_nothing_is_looked_after(database, leader, shown):
    scene(database)
    begin_term(database, shown or 0)
    if shown is None:
        with database.write() as connection:
            connection.execute(delete(SchedulerLock))
    before = rows(database, Run)
    with pytest.raises(TermOver):
        look_after(database, leader)
    assert rows(database, Run) == before


@on_servers
def test_two_leaders_at_the_same_moment_write_everything_once(database, leader):
    """The one before has passed the check of its term when the next one begins."""
    for _round in range(10):
        failed, child, ends = scene(database)
        counts = at_once(*[partial(look_after, database, leader)] * 3)
        assert sorted(counts)[-1] == len(ends)
        assert set(counts) <= {0, len(ends)}
        assert len(runs_of(database, failed)) == 10
        assert len(runs_of(database, child)) == 5
        with database.write() as connection:
            for model in (Run, Task, TaskDependency):
                connection.execute(delete(model))


@on_servers
def test_what_one_leader_is_just_writing_the_next_one_does_not_write_again(
    database, leader, monkeypatch
):
    """The first is held up before its COMMIT; meanwhile the second reads, decides, and waits."""
    failed, _child, ends = scene(database)
    insert_next = follow_ups.insert_next
    in_between, go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> None:
        monkeypatch.setattr(follow_ups, "insert_next", insert_next)
        insert_next(*arguments)
        in_between.set()
        go_on.wait(10)

    monkeypatch.setattr(follow_ups, "insert_next", slowly)
    looked: dict[str, int] = {}

    def look(name: str) -> None:
        looked[name] = look_after(database, leader)

    first = threading.Thread(target=look, args=("first",))
    first.start()
    in_between.wait(10)
    second = threading.Thread(target=look, args=("second",))
    second.start()
    second.join(0.3)
    go_on.set()
    first.join()
    second.join()
    assert looked == {"first": len(ends), "second": 0}
    assert len(runs_of(database, failed)) == 10


def test_what_another_leader_has_looked_after_since_it_was_read_is_left_alone(
    database, leader, monkeypatch
):
    failed, child, ends = scene(database)
    read = follow_ups._look_around
    others: list[int] = []

    def overtaken(*arguments: Any) -> Any:
        found = read(*arguments)
        monkeypatch.setattr(follow_ups, "_look_around", read)
        others.append(look_after(database, leader))
        for run in (*runs_of(database, failed), *runs_of(database, child)):
            if run.state == RunState.QUEUED:  # it is gone again: somebody clears the history
                with database.write() as connection:
                    connection.execute(delete(Run).where(Run.id == run.id))
        return found

    monkeypatch.setattr(follow_ups, "_look_around", overtaken)
    assert look_after(database, leader) == 0
    assert others == [len(ends)]
    assert RunState.QUEUED not in {run.state for run in rows(database, Run)}


STEPS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "require_term": lambda patch: patch.setattr(follow_ups, "require_term", die),
    "update_by_id": lambda patch: patch.setattr(follow_ups, "update_by_id", die),
    "insert_next": lambda patch: patch.setattr(follow_ups, "insert_next", die),
}


class Died(Exception):
    """kill -9, as far as the database can tell."""


def die(*_arguments: object, **_options: object) -> None:
    raise Died


@pytest.mark.parametrize("step", STEPS)
def test_when_the_leader_dies_between_two_steps_the_next_one_finds_everything(
    database, me, leader, step
):
    failed, child, ends = scene(database)
    before = rows(database, Run)
    with pytest.MonkeyPatch.context() as patch:
        STEPS[step](patch)
        with pytest.raises(Died):
            look_after(database, leader)
    assert rows(database, Run) == before
    begin_term(database, TERM + 1)
    assert look_after(database, Claimant(me.id, TERM + 1)) == len(ends)
    assert (len(runs_of(database, failed)), len(runs_of(database, child))) == (10, 5)


def test_an_end_that_was_written_late_is_looked_after_late(database, me, leader):
    """The database was away; the node kept the result on its disk."""
    task = insert_task(database, retry_times=1, followed=True).id
    run = insert_run(database, task_id=task, state=RunState.RUNNING, owner_id=me.id, follow_up=True)
    assert look_after(database, leader) == 0
    runs.finish(database, me.id, [End(run, RunState.FAILED, "", 1, ENDED_AT, 0)])
    assert look_after(database, leader) == 1
    runs.finish(database, me.id, [End(run, RunState.FAILED, "", 1, ENDED_AT, 0)])
    assert look_after(database, leader) == 0
    assert len(runs_of(database, task)) == 2


def test_a_run_that_was_given_up_and_whose_end_comes_after_all_is_followed_once(
    database, me, leader
):
    task = insert_task(database, on_lost="rerun", followed=True).id
    run = insert_run(database, task_id=task, state=RunState.RUNNING, owner_id=me.id, follow_up=True)
    adoption.mark_lost(database, me.id, "gone")
    look_after(database, leader)
    runs.finish(database, me.id, [End(run, RunState.SUCCESS, "", 0, ENDED_AT, 0)])
    assert look_after(database, leader) == 0
    assert [found.state for found in runs_of(database, task)] == ["lost", "queued"]


def test_a_child_of_a_run_that_was_written_off_is_said_not_to_run(database, leader):
    parent = insert_task(database, "parent", retry_times=1, followed=True).id
    child = child_of(database, "child", (parent, "weak"))
    late = insert_run(database, task_id=parent, follow_up=True)
    adoption.adopt(database, leader, [], {late: "too late"})
    assert look_after(database, leader) == 1
    assert [run.state for run in runs_of(database, child)] == [RunState.SKIPPED]


def test_a_child_does_not_wait_for_a_slot_that_its_other_parent_missed_with_others(
    database, leader
):
    parents = [insert_task(database, name, followed=True).id for name in ("one", "two")]
    child = child_of(database, "child", *((parent, "strong") for parent in parents))
    good = ended(database, parents[0], RunState.SUCCESS)
    slot = next(run for run in runs_of(database, parents[0]) if run.id == good).scheduled_at
    insert_run(
        database,
        task_id=parents[1],
        scheduled_at=slot - timedelta(minutes=5),
        state=RunState.MISSED,
        missed_until=slot + timedelta(minutes=5),
        missed_count=11,
    )
    assert look_after(database, leader) == 1
    assert [run.state for run in runs_of(database, child)] == [RunState.SKIPPED]


# while tasks are changed ------------------------------------------------------------------------


def test_of_a_task_that_was_deleted_nothing_comes_any_more(database, leader):
    task = insert_task(database, retry_times=1, followed=True).id
    ended(database, task)
    tasks.delete(database, [task], ADA)
    assert look_after(database, leader) == 1
    assert [run.state for run in runs_of(database, task)] == [RunState.FAILED]
    assert waiting_ends(database) == []


@pytest.mark.parametrize("whose", ["child", "itself"])
@pytest.mark.parametrize("how", ["disable", "delete", "edit"])
def test_a_task_that_is_changed_while_its_next_run_is_decided_about_is_looked_at_again(
    database, leader, monkeypatch, how, whose
):
    """Or a task that is disabled would fire after all, and a run of one that is gone wait for
    ever."""
    if whose == "child":
        parent = insert_task(database, "parent", followed=True).id
        task = child_of(database, "child", (parent, "strong"))
        ended(database, parent, RunState.SUCCESS)
    else:
        task = insert_task(database, "itself", retry_times=1, followed=True).id
        ended(database, task)
    bystander = insert_task(database, "bystander", retry_times=1, followed=True).id
    ended(database, bystander)

    def change() -> None:
        if how == "disable":
            tasks.set_enabled(database, [task], False, ADA)
        elif how == "delete":
            tasks.delete(database, [task], ADA)
        else:
            with database.write() as connection:
                connection.execute(update(Task).where(Task.id == task).values(revision=2))

    read = follow_ups._look_around
    once = [change]

    def read_and_change(*arguments: Any) -> Any:
        found = read(*arguments)
        if once:
            once.pop()()
        return found

    monkeypatch.setattr(follow_ups, "_look_around", read_and_change)

    assert look_after(database, leader) == 1
    assert len(runs_of(database, bystander)) == 2
    assert [run.state for run in runs_of(database, task) if run.state == "queued"] == []
    assert look_after(database, leader) == 1
    new = [run for run in runs_of(database, task) if run.state != RunState.FAILED]
    if how == "edit":
        assert [(run.state, run.revision) for run in new] == [(RunState.QUEUED, 2)]
    elif how == "disable" and whose == "child":
        assert [(run.state, run.reason) for run in new] == [
            (RunState.SKIPPED, "the task is disabled")
        ]
    else:
        assert new == []
    assert waiting_ends(database) == []


@on_servers
def test_a_task_that_somebody_is_changing_does_not_keep_the_others_waiting(database, leader):
    busy, free = (
        task.id for task in insert_tasks(database, ["busy", "free"], retry_times=1, followed=True)
    )
    ended(database, busy)
    ended(database, free)
    with database.write() as editor:
        editor.execute(text(f"SELECT 1 FROM task WHERE id = {busy}{database.dialect.for_update}"))
        began = time.monotonic()
        assert look_after(database, leader) == 1
        assert time.monotonic() - began < 1.0
    assert (len(runs_of(database, busy)), len(runs_of(database, free))) == (1, 2)
    assert look_after(database, leader) == 1
    assert len(runs_of(database, busy)) == 2


@on_servers
def test_no_run_is_left_queued_for_a_task_that_is_deleted_or_disabled_at_the_same_moment(
    database, leader
):
    for number in range(20):
        task = insert_task(database, f"t{number}", retry_times=1, followed=True).id
        ended(database, task)
        if number % 2:
            change = partial(tasks.delete, database, [task], ADA)
        else:
            change = partial(tasks.set_enabled, database, [task], False, ADA)
        at_once(partial(look_after, database, leader), change)
        look_after(database, leader)
        assert "queued" not in [run.state for run in runs_of(database, task)]


# many at once -----------------------------------------------------------------------------------


def test_a_full_page_is_followed_by_the_rest(database, leader):
    task = insert_task(database, retry_times=1, followed=True).id
    many_ended(database, [task], PAGE + 3)
    assert look_after(database, leader) == PAGE
    assert look_after(database, leader) == 3
    assert look_after(database, leader) == 0
    attempts = Counter(run.attempt for run in runs_of(database, task))
    assert attempts == {0: PAGE + 3, 1: PAGE + 3}


def many_ended(database: Database, task_ids: Sequence[int], count: int) -> None:
    values = {"state": RunState.FAILED, "follow_up": True, "finished_at": ENDED_AT}
    insert_runs(
        database,
        (
            values | {"task_id": task_id, "scheduled_at": FAR + n * SECOND}
            for task_id in task_ids
            for n in range(count)
        ),
    )


def test_a_page_of_ends_with_three_children_each_is_a_handful_of_statements(database, leader):
    """Among thousands of other tasks that depend on each other."""
    parents = insert_tasks(database, [f"p{n}" for n in range(PAGE)], followed=True)
    children = insert_tasks(database, [f"c{n}" for n in range(3 * PAGE)], spec="")
    strangers = [task.id for task in insert_tasks(database, [f"s{n}" for n in range(2_000)])]
    pairs = [(child.id, parents[n // 3].id) for n, child in enumerate(children)]
    pairs += [(child, parent) for parent, child in pairwise(strangers)]
    with database.write() as connection:
        connection.execute(
            insert(TaskDependency),
            [{"task_id": child, "parent_id": parent, "need": "weak"} for child, parent in pairs],
        )
    many_ended(database, [parent.id for parent in parents], 1)

    with statements_of(database) as sent:
        assert look_after(database, leader) == PAGE

    assert len([sql for sql, _values in sent if not sql.startswith("SET")]) <= 14
    new = rows(database, Run, Run.trigger == Trigger.DEPENDENCY)
    assert Counter(run.task_id for run in new) == {child.id: 1 for child in children}
    (loaded,) = (values for sql, values in sent if "t.retry_times" in sql)
    assert len(str(loaded)) < 100_000


@on_servers
def test_looking_for_ends_does_not_read_the_history(big_database):
    with statements_of(big_database) as sent:
        assert look_after(big_database, Claimant(1, 0)) == 0
    about_runs = [one for one in sent if " run" in one[0]]
    assert len(about_runs) == 1
    for statement in about_runs:
        assert "run" not in full_scans(big_database, statement)
        assert effort(big_database, statement) < 200
