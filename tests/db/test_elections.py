"""``@reboot``: once for every election, under whoever won it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from gocron.core.definition import define
from gocron.core.identity import Identity
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import parse
from gocron.db import adoption, cluster, elections, runs, starts, tasks
from gocron.db.audit import Actor
from gocron.db.claims import Claimant, TermOver
from gocron.db.engine import Database
from gocron.db.models import Calendar, Leadership, Run, SchedulerLock, Task
from tests.helpers.databases import at_once, effort, full_scans, on_servers, statements_of
from tests.helpers.rows import (
    SECOND,
    begin_term,
    insert_node,
    insert_run,
    insert_task,
    now_of,
    row,
    rows,
)

TERM = 4
ADA = Actor("Ada")
HOUR = timedelta(hours=1)

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def on_election(spec: str, zone: str) -> bool:
    return parse(spec, zone).on_election


@pytest.fixture
def me(database: Database) -> Identity:
    return insert_node(database, "me")


@pytest.fixture
def began(database: Database) -> datetime:
    """When ``TERM`` began."""
    return begin(database, TERM)


@pytest.fixture
def leader(database: Database, me: Identity, began: datetime) -> Claimant:
    return Claimant(me.id, TERM)


def begin(database: Database, term: int) -> datetime:
    """Somebody has won an election a moment ago."""
    begin_term(database, term)
    moment = now_of(database)
    with database.write() as connection:
        connection.execute(
            insert(Leadership).values(
                term=term, locked_by="h:1", node_name="me", began_at=moment, end_reason=""
            )
        )
    return moment


def rebooting(database: Database, name: str = "boot", **fields: Any) -> int:
    """A task that wants a run at each election and was saved an hour ago."""
    values = {"spec": "@reboot", "updated_at": now_of(database) - HOUR} | fields
    task = insert_task(database, name, **values)
    with database.write() as connection:
        connection.execute(update(Task).where(Task.id == task.id).values(next_fire_at=None))
    return task.id


def queue(database: Database, leader: Claimant) -> int:
    return elections.queue_election_runs(database, leader, on_election)


def test_a_run_is_queued_for_the_moment_of_the_election(database, me, began, leader):
    task_id = rebooting(database, "boot", revision=3, followed=True)
    insert_task(database, "hourly", spec="0 0 * * * *", updated_at=began - HOUR)
    once = insert_task(database, "over", spec="@at 2020-01-01T00:00Z", updated_at=began - HOUR)
    child = insert_task(database, "child", spec="", updated_at=began - HOUR)
    with database.write() as connection:
        ids = [once.id, child.id]
        connection.execute(update(Task).where(Task.id.in_(ids)).values(next_fire_at=None))

    assert queue(database, leader) == 1

    (run,) = rows(database, Run)
    assert (run.task_id, run.task_name, run.revision) == (task_id, "boot", 3)
    assert (run.scheduled_at, run.trigger_kind) == (began, Trigger.ELECTION)
    assert (run.state, run.owner_id, run.term) == (RunState.QUEUED, me.id, TERM)
    assert (run.attempt, run.follow_up) == (0, True)
    assert abs(run.start_at - now_of(database)) < timedelta(seconds=5)


def test_it_begins_however_late_the_leader_gets_to_it(database, me, leader):
    rebooting(database, misfire="skip")
    queue(database, leader)
    works = runs.load(database, me.id, runs.queued_ids(database, me.id))
    assert [work.scheduled for work in works] == [False]
    decided = database.transact(
        lambda connection: starts.start(connection, database.dialect, me, works)
    )
    assert len(decided.started) == 1


def test_within_a_term_it_happens_once_also_after_a_restart_of_the_scheduler(database, leader):
    rebooting(database)
    assert queue(database, leader) == 1
    before = rows(database, Run)
    assert queue(database, leader) == 1
    assert rows(database, Run) == before


def test_two_that_queue_it_at_the_same_moment_queue_it_once(database, leader):
    for number in range(3):
        rebooting(database, f"boot {number}")
    at_once(*[partial(queue, database, leader)] * 3)
    assert len(rows(database, Run)) == 3


def test_under_the_next_term_it_happens_again(database, me, leader):
    rebooting(database)
    queue(database, leader)
    second = begin(database, TERM + 1)
    assert queue(database, Claimant(me.id, TERM + 1)) == 1
    assert [run.scheduled_at for run in rows(database, Run)][1] == second


def test_what_a_leader_queued_that_died_at_once_the_next_one_runs_too(database, leader):
    """An election is an election; the run of the one before is adopted."""
    rebooting(database)
    queue(database, leader)
    begin(database, TERM + 1)
    next_one = Claimant(insert_node(database, "next").id, TERM + 1)
    queue(database, next_one)
    (orphan,) = adoption.orphans(database, next_one)
    assert not orphan.scheduled
    assert adoption.adopt(database, next_one, [orphan.id], {}) == 1


@pytest.mark.parametrize("shown", [TERM + 1, None])
def test_under_a_term_that_is_over_nothing_is_queued(database, leader, shown):
    rebooting(database)
    begin_term(database, shown or 0)
    if shown is None:
        with database.write() as connection:
            connection.execute(delete(SchedulerLock))
    with pytest.raises(TermOver):
        queue(database, leader)
    assert rows(database, Run) == []


def test_a_task_that_is_disabled_or_was_saved_after_the_election_waits(database, began, leader):
    rebooting(database, "disabled", enabled=False)
    rebooting(database, "new", updated_at=began + SECOND)
    assert queue(database, leader) == 0
    assert rows(database, Run) == []


def test_a_task_that_is_saved_as_people_do_it_runs_at_the_next_election(database, me, leader):
    wanted = define({"name": "boot", "spec": "@reboot", "command": "true"})
    task_id = tasks.create(database, wanted, ADA)
    assert row(database, Task, task_id).next_fire_at is None
    assert queue(database, leader) == 0
    begin(database, TERM + 1)
    assert queue(database, Claimant(me.id, TERM + 1)) == 1
    tasks.set_enabled(database, [task_id], False, ADA)
    tasks.set_enabled(database, [task_id], True, ADA)
    assert [run.state for run in rows(database, Run)] == [RunState.CANCELLED]
    assert queue(database, Claimant(me.id, TERM + 1)) == 0


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"starts_at": -HOUR}, True),
        ({"starts_at": HOUR}, False),
        ({"ends_at": HOUR}, True),
        ({"ends_at": -HOUR}, False),
        ({"exclude_calendars": ["today"]}, False),
        ({"require_calendars": ["today"]}, True),
        ({"require_calendars": ["never"]}, False),
        ({"exclude_calendars": ["gone"]}, False),
    ],
)
def test_only_where_window_and_calendars_allow_the_moment_of_the_election(
    database, began, leader, fields, allowed
):
    days = {"today": [began.date().isoformat()], "never": ["1999-01-01"]}
    with database.write() as connection:
        for name, listed in days.items():
            connection.execute(
                insert(Calendar).values(
                    name=name, days=json.dumps(listed), day_count=1, updated_at=began
                )
            )
    values = {
        name: began + value if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }
    rebooting(database, **values)
    assert queue(database, leader) == allowed
    assert len(rows(database, Run)) == allowed


@pytest.mark.parametrize("change", ["disable", "delete", "edit"])
def test_a_task_that_is_changed_before_its_run_is_queued_has_none(
    database, leader, monkeypatch, change
):
    """Or it would fire although it is disabled, or wait for ever although it is gone."""
    task_id = rebooting(database)
    other = rebooting(database, "other")
    change_it: dict[str, Callable[[], object]] = {
        "disable": lambda: tasks.set_enabled(database, [task_id], False, ADA),
        "delete": lambda: tasks.delete(database, [task_id], ADA),
        "edit": lambda: tasks.edit(
            database,
            task_id,
            define({"name": "boot", "spec": "@daily", "command": "x"}),
            ADA,
        ),
    }
    transact = database.transact
    once = [change_it[change]]

    def changed_first(work: Any) -> Any:
        if once:
            once.pop()()
        return transact(work)

    monkeypatch.setattr(database, "transact", changed_first)
    assert queue(database, leader) == 1
    assert [run.task_id for run in rows(database, Run)] == [other]


def test_a_term_that_nobody_wrote_down_began_with_the_node(database):
    """As on SQLite before the history was kept."""
    started = now_of(database) - SECOND
    me = insert_node(database, "alone", started_at=started)
    begin_term(database, TERM)
    rebooting(database)
    assert queue(database, Claimant(me.id, TERM)) == 1
    assert [run.scheduled_at for run in rows(database, Run)] == [started]


def test_a_node_that_nobody_knows_queues_nothing(database):
    begin_term(database, TERM)
    rebooting(database)
    assert queue(database, Claimant(4711, TERM)) == 0


@only_sqlite
def test_a_single_node_queues_it_at_each_of_its_starts(database):
    rebooting(database)
    me = insert_node(database, "alone", started_at=now_of(database))
    for start in (1, 2, 3):
        term = cluster.lead_alone(database, f"host:{start}", "alone")
        assert queue(database, Claimant(me.id, term)) == 1
        assert queue(database, Claimant(me.id, term)) == 1
        assert len(rows(database, Run)) == start


def test_a_slot_of_a_manual_run_is_nothing_to_an_election(database, began, leader):
    task_id = rebooting(database)
    insert_run(database, task_id=task_id, scheduled_at=began - SECOND, state=RunState.SUCCESS)
    assert queue(database, leader) == 1


@on_servers
def test_finding_them_does_not_read_all_tasks(big_database):
    values = {"term": 77, "locked_by": "h:1", "node_name": "me", "began_at": now_of(big_database)}
    with big_database.write() as connection:
        connection.execute(insert(Leadership).values(**values, end_reason=""))
    with statements_of(big_database) as sent:
        assert queue(big_database, Claimant(1, 77)) == 0
    about_tasks = [one for one in sent if "FROM task" in one[0]]
    assert about_tasks
    for statement in about_tasks:
        assert "task" not in full_scans(big_database, statement)
        assert effort(big_database, statement) < 100
