"""One slot, one row: the transaction that everything else leans on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, text, update

from gocron.clock import DatabaseClock
from gocron.core.firing import DueTask, Plan, PlannedRun
from gocron.core.states import RunState, Trigger
from gocron.db import claims
from gocron.db.claims import PAGE, Claimant, TermOver, claim, due
from gocron.db.engine import Database
from gocron.db.models import Run, SchedulerLock, Task
from tests.helpers.databases import (
    at_once,
    effort,
    full_scans,
    on_servers,
    settings_for,
    statements_of,
)
from tests.helpers.rows import (
    FAR,
    SECOND,
    begin_term,
    due_of,
    insert_run,
    insert_task,
    insert_tasks,
    next_slot_of,
    now_of,
    planned,
    row,
    rows,
    scalar,
)

ME = Claimant(node_id=7, term=3)
OTHER = Claimant(node_id=8, term=3)

AWKWARD = [
    "Grüße 'aus' \"Köln\"",
    "\\back\\slash\\n %s %(x)s :name ::text {} $1 ?",
    "emoji 😀 and CJK 𠮷野家",
    "; DROP TABLE run; -- /* */ `x`",
    "a\u2028b\u00a0c\ufeff",
    "\u0130\u0131\u017f\u212a ß \u01c6",
    "😀" * 128,
]


@pytest.fixture
def database(database: Database) -> Database:
    """Under term 3, which is that of the claimants."""
    begin_term(database, ME.term)
    return database


# claiming ---------------------------------------------------------------------------------------


def test_a_claimed_slot_is_a_queued_row_of_its_claimant_and_the_cursor_moves_on(database):
    task = insert_task(database, "nightly")

    assert claim(database, ME, [next_slot_of(task)]) == 1

    (run,) = rows(database, Run)
    assert (run.task_id, run.task_name, run.scheduled_at) == (task.id, "nightly", FAR)
    assert (run.state, run.owner_id, run.term) == (RunState.QUEUED, ME.node_id, ME.term)
    assert (run.start_at, run.attempt, run.trigger_kind) == (FAR, 0, Trigger.SCHEDULE)
    assert (run.revision, run.reason, run.output_bytes) == (task.revision, "", 0)
    assert run.started_at is run.finished_at is run.missed_until is run.missed_count is None
    assert abs(run.created_at - now_of(database)) < timedelta(seconds=5)
    assert row(database, Task, task.id).next_fire_at == FAR + SECOND


def test_two_claimants_with_the_same_plans_write_each_slot_once(database):
    for number in range(5):
        tasks = insert_tasks(database, [f"{number}-{n}" for n in range(200)])
        forwards = [next_slot_of(task) for task in tasks]

        moved = at_once(
            partial(claim, database, ME, forwards),
            partial(claim, database, OTHER, forwards[::-1]),
        )

        assert sum(moved) == len(tasks)
    assert len(rows(database, Run)) == 5 * 200
    assert {task.next_fire_at for task in rows(database, Task)} == {FAR + SECOND}


def test_a_claim_that_is_repeated_finds_nothing_to_do(database):
    plans = [next_slot_of(task) for task in insert_tasks(database, ["a", "b"])]
    assert claim(database, ME, plans) == 2
    before = rows(database, Run)

    assert claim(database, ME, plans) == 0

    assert rows(database, Run) == before


def test_a_claim_under_a_term_that_is_over_writes_nothing(database):
    task = insert_task(database)
    begin_term(database, ME.term + 1)

    with pytest.raises(TermOver, match="term 3 is over, the lock row shows 4"):
        claim(database, ME, [next_slot_of(task)])

    assert rows(database, Run) == []
    assert row(database, Task, task.id).next_fire_at == FAR


def test_a_claim_without_a_lock_row_writes_nothing(database):
    task = insert_task(database)
    with database.write() as connection:
        connection.execute(delete(SchedulerLock))

    with pytest.raises(TermOver):
        claim(database, ME, [next_slot_of(task)])

    assert rows(database, Run) == []


CHANGES: dict[str, Callable[[int], Any]] = {
    "edited": lambda task: update(Task).where(Task.id == task).values(revision=2),
    "disabled": lambda task: update(Task).where(Task.id == task).values(enabled=False),
    "deleted": lambda task: delete(Task).where(Task.id == task),
    "claimed": lambda task: (
        update(Task).where(Task.id == task).values(next_fire_at=FAR + timedelta(microseconds=1))
    ),
    "without slots": lambda task: update(Task).where(Task.id == task).values(next_fire_at=None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_of_a_task_changed_since_it_was_read_nothing_is_written_and_of_the_others_all(
    database, change
):
    first, changed, last = insert_tasks(database, ["first", "changed", "last"])
    plans = [next_slot_of(task) for task in (first, changed, last)]
    with database.write() as connection:
        connection.execute(CHANGES[change](changed.id))
    before = rows(database, Task, Task.id == changed.id)

    assert claim(database, ME, plans) == 2

    assert [run.task_id for run in rows(database, Run)] == [first.id, last.id]
    assert rows(database, Task, Task.id == changed.id) == before
    assert row(database, Task, first.id).next_fire_at == FAR + SECOND
    assert row(database, Task, last.id).next_fire_at == FAR + SECOND


@on_servers
def test_a_claim_waits_for_an_edit_that_is_under_way_and_respects_it(database):
    edited, other = insert_tasks(database, ["edited", "other"])
    plans = [next_slot_of(edited), next_slot_of(other)]
    editor = database.engine.connect()
    editor.execute(CHANGES["edited"](edited.id))

    def edit_a_moment_later() -> int:
        time.sleep(0.2)
        editor.commit()
        return 0

    moved, _ = at_once(lambda: claim(database, ME, plans), edit_a_moment_later)
    editor.close()

    assert moved == 1
    assert [run.task_id for run in rows(database, Run)] == [other.id]


def test_a_task_without_a_further_slot_is_left_without_a_cursor(database):
    once, often = insert_tasks(database, ["once", "often"])

    claim(database, ME, [Plan(once, planned(once, FAR), None), next_slot_of(often)])

    assert row(database, Task, once.id).next_fire_at is None
    assert row(database, Task, often.id).next_fire_at == FAR + SECOND
    assert len(rows(database, Run)) == 2


def test_a_thousand_tasks_are_claimed_at_once(database):
    tasks = insert_tasks(database, [f"task {n}" for n in range(PAGE)])

    assert claim(database, ME, [next_slot_of(task) for task in tasks]) == PAGE

    assert {run.task_id for run in rows(database, Run)} == {task.id for task in tasks}
    assert {task.next_fire_at for task in rows(database, Task)} == {FAR + SECOND}


def test_a_range_of_missed_slots_is_one_row_that_nobody_owns(database):
    task = insert_task(database)
    newest = FAR + timedelta(hours=1)
    missed = PlannedRun(
        task.id, task.name, 1, FAR, RunState.MISSED, "3600 slots missed: why", newest - SECOND, 3600
    )

    claim(database, ME, [Plan(task, (missed, *planned(task, newest)), newest + SECOND)])

    range_row, on_time = rows(database, Run)
    assert (range_row.state, range_row.reason) == (RunState.MISSED, "3600 slots missed: why")
    assert (range_row.scheduled_at, range_row.missed_until) == (FAR, newest - SECOND)
    assert (range_row.missed_count, range_row.owner_id) == (3600, None)
    assert abs(range_row.finished_at - now_of(database)) < timedelta(seconds=5)
    assert (on_time.state, on_time.owner_id) == (RunState.QUEUED, ME.node_id)


def test_a_row_that_is_there_already_stays_as_it_is(database):
    task = insert_task(database)
    there = insert_run(
        database, task_id=task.id, state=RunState.SUCCESS, owner_id=5, revision=9, output_bytes=44
    )
    before = row(database, Run, there)

    assert claim(database, ME, [Plan(task, planned(task, FAR, FAR + SECOND), None)]) == 1

    assert row(database, Run, there) == before
    (new,) = rows(database, Run, Run.id != there)
    assert new.scheduled_at == FAR + SECOND


@pytest.mark.parametrize("name", AWKWARD)
def test_a_name_survives_whatever_it_is_made_of(database, name):
    task = insert_task(database, name)
    assert due(database, DatabaseClock(), 10**9, None)[0].name == name

    claim(database, ME, [next_slot_of(task)])

    assert rows(database, Run)[0].task_name == name


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3"])
@pytest.mark.parametrize("engine", ["mysql"], indirect=True)
def test_a_name_survives_in_a_database_of_another_character_set(server, home, charset):
    from gocron.db import migrate

    name = server.create_database()
    server.execute_as_admin(f"ALTER DATABASE `{name}` CHARACTER SET {charset}")
    other = Database(settings_for(server.environment(name), home))
    try:
        migrate.upgrade(other)
        begin_term(other, ME.term)
        tasks = insert_tasks(other, AWKWARD)
        claim(other, ME, [next_slot_of(task) for task in tasks])
        assert {run.task_name for run in rows(other, Run)} == set(AWKWARD)
    finally:
        other.close()
        server.drop_database(name)


def test_microseconds_and_instants_survive_whatever_zone_they_are_given_in(database):
    slot = datetime(2031, 5, 17, 10, 0, 0, 123_456, ZoneInfo("Asia/Kathmandu"))
    following = datetime(2031, 10, 26, 2, 30, 0, 7, ZoneInfo("Europe/Berlin")).replace(fold=1)
    task = insert_task(database, next_fire_at=slot)
    task = dataclasses.replace(task, next_fire_at=slot)
    missed = PlannedRun(task.id, "task", 1, slot, RunState.MISSED, "", following, 2)

    claim(database, ME, [Plan(task, (missed,), following)])

    (run,) = rows(database, Run)
    assert run.scheduled_at == datetime(2031, 5, 17, 4, 15, 0, 123_456, UTC)
    assert run.missed_until == datetime(2031, 10, 26, 1, 30, 0, 7, UTC)
    assert row(database, Task, task.id).next_fire_at == following.astimezone(UTC)
    written = scalar(database, f"SELECT {as_utc_text(database, 'scheduled_at')} FROM run")
    assert str(written).startswith("2031-05-17 04:15:00.123456")


def as_utc_text(database: Database, column: str) -> str:
    if database.dialect.name == "postgresql":
        return f"CAST({column} AT TIME ZONE 'UTC' AS text)"
    return f"CAST({column} AS CHAR)"


def test_a_claim_that_fails_half_way_leaves_the_cursor_where_it_was(database, monkeypatch):
    task = insert_task(database)

    def fail(*_arguments: object) -> None:
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(claims, "insert_rows", fail)
    with pytest.raises(RuntimeError):
        claim(database, ME, [next_slot_of(task)])

    assert row(database, Task, task.id).next_fire_at == FAR
    assert rows(database, Run) == []


def test_nothing_to_claim_is_no_error(database):
    assert claim(database, ME, []) == 0


# reading what is due ----------------------------------------------------------------------------


def all_due(database: Database, ahead_s: float = 10**9) -> list[list[DueTask]]:
    """Page by page, as the scheduler reads them."""
    clock = DatabaseClock()
    pages: list[list[DueTask]] = []
    after = None
    while True:
        page = due(database, clock, ahead_s, after)
        pages.append(page)
        if len(page) < PAGE:
            return pages
        after = (page[-1].next_fire_at, page[-1].id)


def test_due_are_enabled_tasks_up_to_the_horizon_oldest_first(database):
    now = now_of(database)
    insert_task(database, "soon", next_fire_at=now + timedelta(seconds=5))
    insert_task(database, "late", next_fire_at=now - timedelta(days=400))
    insert_task(database, "just", next_fire_at=now)
    insert_task(database, "far", next_fire_at=now + timedelta(seconds=60))
    insert_task(database, "off", next_fire_at=now, enabled=False)
    insert_task(database, "never", next_fire_at=None)

    (page,) = all_due(database, 20)

    assert [task.name for task in page] == ["late", "just", "soon"]


def test_a_due_task_carries_what_planning_needs(database):
    inserted = insert_task(
        database, "t", spec="0 0 4 * * *", timezone="Europe/Berlin", revision=6, next_fire_at=FAR
    )
    assert all_due(database) == [[inserted]]
    assert (inserted.spec, inserted.timezone, inserted.revision) == (
        "0 0 4 * * *",
        "Europe/Berlin",
        6,
    )


def test_pages_are_complete_and_in_order_although_thousands_share_one_cursor(database):
    earlier = insert_tasks(database, [f"e{n}" for n in range(300)], next_fire_at=FAR - SECOND)
    shared = insert_tasks(database, [f"s{n}" for n in range(2 * PAGE + 300)], next_fire_at=FAR)
    later = insert_tasks(database, [f"l{n}" for n in range(3)], next_fire_at=FAR + SECOND)

    pages = all_due(database)

    assert [len(page) for page in pages] == [PAGE, PAGE, 603]
    assert [task.id for page in pages for task in page] == [
        task.id for task in [*earlier, *shared, *later]
    ]


def test_the_last_page_may_be_full(database):
    insert_tasks(database, [f"s{n}" for n in range(PAGE)])
    assert [len(page) for page in all_due(database)] == [PAGE, 0]


def test_reading_what_is_due_sets_the_clock(database):
    clock = DatabaseClock()
    due(database, clock, 1.0, None)
    assert abs(clock.now() - now_of(database)) < timedelta(seconds=0.2)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)


def test_what_was_due_can_be_claimed_as_it_was_read(database):
    insert_tasks(database, ["a", "b"], next_fire_at=now_of(database) - SECOND)
    ((a, b),) = all_due(database, 0)
    assert claim(database, ME, [next_slot_of(a), next_slot_of(b)]) == 2


# what it costs ----------------------------------------------------------------------------------


@on_servers
def test_reading_and_claiming_touch_what_is_due_and_not_the_table(big_database):
    now = now_of(big_database)
    clock = DatabaseClock()
    with statements_of(big_database) as sent:
        first = due(big_database, clock, 1.5, None)
        due(big_database, clock, 1.5, (first[-1].next_fire_at, first[-1].id))
        claim(big_database, Claimant(1, 0), [next_slot_of(task) for task in first[:10]])
    assert len(first) == PAGE
    assert first[0].next_fire_at < now

    reading = [one for one in sent if "ORDER BY next_fire_at" in one[0]]
    assert len(reading) == 2
    for statement in reading:
        assert full_scans(big_database, statement) == []
        assert effort(big_database, statement) < 2.5 * PAGE
    claiming = [one for one in sent if " task t" in one[0] or one[0].startswith("UPDATE")]
    assert len(claiming) == 2
    for statement in claiming:
        assert "task" not in full_scans(big_database, statement)
        assert effort(big_database, statement) < 500


@on_servers
def test_nothing_due_is_found_out_at_once_among_a_hundred_thousand_tasks(big_database):
    with statements_of(big_database) as sent:
        assert due(big_database, DatabaseClock(), -(10**8), None) == []
    (statement,) = (one for one in sent if "ORDER BY next_fire_at" in one[0])
    assert effort(big_database, statement) < 10


def test_due_of_reads_rows_as_due_does(database):
    """The other tests of this file lean on it."""
    insert_task(database)
    assert [due_of(task) for task in rows(database, Task)] == all_due(database)[0]
    with database.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM task")).scalar_one() == 1
