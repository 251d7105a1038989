"""A change of a calendar holds from its commit on for every task that names it: what was due is
settled under the old days, what is to come is computed under the new ones."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from gocron.core.definition import TaskDefinition, define
from gocron.core.states import RunState
from gocron.db import calendars, references, tasks
from gocron.db.audit import Actor
from gocron.db.calendars import Shelf
from gocron.db.claims import Claimant, claim
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Calendar, Run, Task
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.databases import at_once, on_servers, statements_of
from tests.helpers.rows import (
    SECOND,
    begin_term,
    due_of,
    insert_run,
    insert_task,
    insert_tasks,
    next_slot_of,
    now_of,
    row,
    rows,
)

ADA = Actor("Ada", "192.0.2.7", "node-1")
DAY = timedelta(days=1)
XMAS = [date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)]


def definition(name: str = "task", **fields: Any) -> TaskDefinition:
    return define({"name": name, "spec": "0 0 4 * * *", "command": "true"} | fields)


def save(database: Database, name: str, days: Iterable[date] = XMAS, remark: str = "") -> int:
    return calendars.save(database, name, days, remark, ADA)


def today_of(database: Database) -> date:
    return now_of(database).date()


def days_around(database: Database) -> list[date]:
    """More than any test lasts."""
    return [today_of(database) + n * DAY for n in range(-2, 30)]


def four_o_clock(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def next_four(database: Database) -> datetime:
    now = now_of(database)
    slot = four_o_clock(now.date())
    return slot if slot > now else slot + DAY


def audits(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    return [(line.action, line.target, line.detail) for line in rows(database, AuditLog)]


# what there is ----------------------------------------------------------------------------------


def test_a_calendar_is_listed_with_its_first_and_last_day_and_who_uses_it(database):
    save(database, "holidays", reversed(XMAS * 2), "of the company")
    save(database, "a freeze", [date(2027, 1, 1)])
    save(database, "empty", [])
    tasks.create(database, definition("a", exclude_calendars=["holidays"]), ADA)
    tasks.create(database, definition("b", require_calendars=["holidays", "a freeze"]), ADA)
    tasks.create(database, definition("c"), ADA)

    freeze, empty, holidays = calendars.listing(database)

    assert (freeze.name, empty.name) == ("a freeze", "empty")
    assert (freeze.first_day, freeze.last_day, freeze.used_by) == (*[date(2027, 1, 1)] * 2, 1)
    assert (empty.day_count, empty.first_day, empty.last_day, empty.used_by) == (0, None, None, 0)
    assert (holidays.first_day, holidays.last_day) == (XMAS[0], XMAS[2])
    assert (holidays.day_count, holidays.remark, holidays.used_by) == (3, "of the company", 2)
    assert abs(holidays.updated_at - now_of(database)) < timedelta(seconds=30)
    assert calendars.days_of(database, "holidays") == frozenset(XMAS)
    assert calendars.find(database, "holidays") == holidays
    assert calendars.days_of(database, "empty") == frozenset()


def test_a_calendar_that_there_is_not_is_answered_with_one_of_nearly_that_name(database):
    save(database, "holidays")
    for look in (calendars.days_of, calendars.find, partial(calendars.delete, actor=ADA)):
        with pytest.raises(NotFound, match=r"no calendar 'holiday'; did you mean holidays\?"):
            look(database, "holiday")


def test_a_name_is_a_part_of_no_other(database):
    """The names stand in a list, in JSON: "day" is not in ["holiday"]."""
    for name in ("day", "holiday", 'a "quoted" \\ name', "ä%_"):
        save(database, name)
    tasks.create(database, definition(exclude_calendars=["holiday", "ä%_"]), ADA)
    used = {facts.name: facts.used_by for facts in calendars.listing(database)}
    assert used == {"day": 0, "holiday": 1, 'a "quoted" \\ name': 0, "ä%_": 1}
    calendars.delete(database, "day", ADA)


# saving -----------------------------------------------------------------------------------------


def test_saving_again_replaces_the_days_and_raises_the_revision(database):
    key = save(database, "holidays", XMAS, "old")
    assert calendars.save(database, " holidays ", XMAS[:1], None, ADA) == key
    (calendar,) = rows(database, Calendar)
    assert (calendar.revision, calendar.day_count, calendar.remark) == (2, 1, "old")
    assert calendars.days_of(database, "holidays") == {XMAS[0]}
    assert audits(database) == [
        ("calendar.save", "holidays", {"days": 3, "tasks": 0}),
        ("calendar.save", "holidays", {"days": 1, "tasks": 0}),
    ]


def test_a_leader_sees_new_days_at_its_next_look(database):
    shelf = Shelf()
    save(database, "holidays", XMAS)
    assert shelf.take(database, ["holidays"]) == {"holidays": frozenset(XMAS)}
    save(database, "holidays", XMAS[:1])
    assert shelf.take(database, ["holidays"]) == {"holidays": frozenset(XMAS[:1])}
    calendars.delete(database, "holidays", ADA)
    assert shelf.take(database, ["holidays"]) == {}
    save(database, "holidays", XMAS[1:])
    assert shelf.take(database, ["holidays"]) == {"holidays": frozenset(XMAS[1:])}


@pytest.mark.parametrize(
    ("field", "name", "remark", "words"),
    [
        ("name", " \t ", "", "found nothing"),
        ("name", "x" * 129, "", "at most 128 characters"),
        ("name", "a,b", "", "comma"),
        ("name", "two\nlines", "", "one line"),
        ("name", "a\x9b31mb", "", "control characters"),
        ("name", "half \ud83d pair", "", "control characters"),
        ("name", "nul\0", "", "control characters"),
        ("remark", "fine", "x" * 513, "at most 512 characters"),
        ("remark", "fine", "a\u2028b", "one line"),
    ],
)
def test_a_wrong_name_or_remark_is_refused_by_its_field(database, field, name, remark, words):
    with pytest.raises(InvalidTask, match=words) as refused:
        save(database, name, XMAS, remark)
    assert refused.value.field == field
    assert rows(database, Calendar) == []


def test_twenty_thousand_days_are_the_most(database):
    days = [date(1990, 1, 1) + n * DAY for n in range(20_001)]
    with pytest.raises(InvalidTask, match="at most 20000 days, found 20001") as refused:
        save(database, "too many", days)
    assert refused.value.field == "days"
    save(database, "😀" * 128, days[1:], "ß" * 512)
    (facts,) = calendars.listing(database)
    assert (facts.day_count, facts.first_day, facts.last_day) == (20_000, days[1], days[-1])
    assert calendars.days_of(database, "😀" * 128) == frozenset(days[1:])


def test_those_who_create_the_same_calendar_at_the_same_moment_get_the_same_one(database):
    for number in range(5):
        name = f"holidays {number}"
        made = at_once(*[partial(save, database, name, XMAS[:n]) for n in range(4)])
        assert len(set(made)) == 1
        assert calendars.find(database, name).day_count in range(4)
        assert row(database, Calendar, made[0]).revision == 4


# the tasks that name it -------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["exclude_calendars", "require_calendars"])
def test_the_cursor_of_a_task_follows_the_new_days(database, field):
    soon = next_four(database)
    excludes = field == "exclude_calendars"
    kept = [soon.date() + 3 * DAY]
    free, blocked = ([], [soon.date() + n * DAY for n in range(3)])
    if not excludes:
        free, blocked = [soon.date(), *kept], kept
    save(database, "c", free)
    names: dict[str, Any] = {field: ["c"]}
    task_id = tasks.create(database, definition(**names), ADA)
    other = tasks.create(database, definition("other"), ADA)
    assert row(database, Task, task_id).next_fire_at == soon

    save(database, "c", blocked)

    task = row(database, Task, task_id)
    assert (task.next_fire_at, task.revision, task.broken) == (soon + 3 * DAY, 2, "")
    assert row(database, Task, other).revision == 1
    assert audits(database)[-1] == ("calendar.save", "c", {"days": len(blocked), "tasks": 1})

    save(database, "c", free)
    assert row(database, Task, task_id).next_fire_at == soon


def test_a_disabled_task_stays_without_a_cursor(database):
    save(database, "c", [])
    task_id = tasks.create(database, definition(enabled=False, exclude_calendars=["c"]), ADA)
    save(database, "c", XMAS)
    task = row(database, Task, task_id)
    assert (task.next_fire_at, task.revision, task.enabled) == (None, 2, False)


def test_what_was_queued_for_slots_to_come_is_withdrawn_and_nothing_else(database):
    now = now_of(database)
    save(database, "c", [])
    task = insert_task(database, next_fire_at=now + timedelta(minutes=2), exclude_calendars=["c"])
    other = insert_task(database, "other", next_fire_at=now + timedelta(minutes=2))
    soon = now + timedelta(minutes=1)
    insert_run(database, task_id=task.id, scheduled_at=soon)
    kept = [
        insert_run(database, task_id=task.id, scheduled_at=now - SECOND),
        insert_run(database, task_id=task.id, scheduled_at=soon + SECOND, state=RunState.RUNNING),
        insert_run(database, task_id=other.id, scheduled_at=soon),
    ]
    save(database, "c", days_around(database))
    assert [run.id for run in rows(database, Run)] == kept


def test_what_was_due_is_settled_under_the_old_days(database):
    """They had slots when these were due; that nobody came to claim them has to be written down,
    although the new days know nothing of them."""
    save(database, "c", [])
    first = now_of(database).replace(microsecond=0) - timedelta(seconds=90)
    task = insert_task(database, next_fire_at=first, exclude_calendars=["c"])

    save(database, "c", days_around(database))

    (missed,) = rows(database, Run)
    assert (missed.state, missed.task_id) == (RunState.MISSED, task.id)
    assert missed.scheduled_at == first
    assert missed.missed_count == (missed.missed_until - first) // SECOND + 1 >= 90
    assert "the calendar 'c' was changed" in missed.reason
    assert row(database, Task, task.id).next_fire_at > now_of(database) + 25 * DAY


def test_days_that_had_no_slots_until_now_leave_nothing_missed(database):
    save(database, "c", days_around(database))
    task = insert_task(
        database, next_fire_at=now_of(database) - timedelta(seconds=90), exclude_calendars=["c"]
    )
    save(database, "c", [])
    assert rows(database, Run) == []
    cursor = row(database, Task, task.id).next_fire_at
    assert abs(cursor - now_of(database)) < timedelta(seconds=30)


def test_the_same_days_again_disturb_no_task(database):
    """A file that is imported every night."""
    save(database, "c", XMAS)
    due = insert_task(
        database, next_fire_at=now_of(database) - 90 * SECOND, exclude_calendars=["c"]
    )
    before = row(database, Task, due.id)

    save(database, "c", reversed(XMAS), "another remark")

    assert row(database, Task, due.id) == before
    assert rows(database, Run) == []
    assert calendars.find(database, "c").remark == "another remark"


def test_a_claim_that_was_planned_before_the_days_were_changed_writes_nothing(database):
    begin_term(database, 3)
    save(database, "c", [])
    changed, other = insert_tasks(database, ["changed", "other"])
    with database.write() as connection:
        named = update(Task).where(Task.id == changed.id)
        connection.execute(named.values(require_calendars=["c"]))
    plans = [next_slot_of(replace(task, require_calendars=("c",))) for task in (changed, other)]

    # A day that leaves the cursor where it is: only the revision tells.
    save(database, "c", [changed.next_fire_at.date()])

    with database.write() as connection:
        connection.execute(named.values(next_fire_at=changed.next_fire_at))
    assert claim(database, Claimant(7, 3), plans) == 1
    assert {run.task_id for run in rows(database, Run)} == {other.id}
    again = due_of(row(database, Task, changed.id))
    assert claim(database, Claimant(7, 3), [next_slot_of(again)]) == 1


def test_a_claim_and_a_change_at_the_same_moment_never_leave_a_slot_of_a_day_that_is_excluded(
    database,
):
    begin_term(database, 3)
    for number in range(10):
        name = f"c{number}"
        save(database, name, [])
        made = insert_tasks(
            database, [f"{number} {n}" for n in range(20)], exclude_calendars=[name]
        )
        plans = [next_slot_of(task) for task in made]
        at_once(
            partial(claim, database, Claimant(7, 3), plans),
            partial(save, database, name, [made[0].next_fire_at.date()]),
        )
    assert rows(database, Run) == []
    assert {task.revision for task in rows(database, Task)} == {2}


@on_servers
def test_a_task_that_is_just_beginning_to_name_it_is_not_overlooked(database):
    """Who saves a task holds the days that it was given a cursor by; who changes them waits, and
    then sees the task."""
    save(database, "c", [])
    task_id = tasks.create(database, definition(), ADA)
    before = row(database, Task, task_id).next_fire_at
    wanted = [definition(exclude_calendars=["c"])]
    changing = threading.Thread(target=save, args=(database, "c", [before.date()]), daemon=True)
    with database.write() as editing:
        references.confirm(editing, wanted, references.require(editing, wanted))
        changing.start()
        changing.join(0.5)
        assert changing.is_alive()
        editing.execute(update(Task).where(Task.id == task_id).values(exclude_calendars=["c"]))
    changing.join(10)
    task = row(database, Task, task_id)
    assert (task.next_fire_at, task.revision) == (before + DAY, 2)


def test_a_task_that_is_saved_while_the_days_are_changed_goes_by_the_new_ones_or_is_refused(
    database,
):
    soon = next_four(database)

    def try_to_create(name: str) -> None:
        with suppress(InvalidTask):
            tasks.create(database, definition(name, exclude_calendars=[name]), ADA)

    for number in range(20):
        name = f"c{number}"
        save(database, name, [])
        at_once(partial(try_to_create, name), partial(save, database, name, [soon.date()]))
    made = rows(database, Task)
    assert {task.next_fire_at for task in made} <= {soon + DAY}
    assert {facts.used_by for facts in calendars.listing(database)} <= {0, 1}


def test_a_task_that_stops_naming_it_while_the_days_are_changed_is_left_alone(database):
    soon = next_four(database)

    for number in range(10):
        name = f"c{number}"
        save(database, name, [])
        task_id = tasks.create(database, definition(name, exclude_calendars=[name]), ADA)
        at_once(
            partial(tasks.edit, database, task_id, definition(name), ADA),
            partial(save, database, name, [soon.date()]),
        )
        assert row(database, Task, task_id).next_fire_at == soon


@on_servers
def test_two_who_change_calendars_of_the_same_tasks_do_not_wait_for_each_other_for_ever(database):
    for name in "ab":
        save(database, name, [])
    for number in range(20):
        tasks.create(database, definition(str(number), exclude_calendars=["a", "b"]), ADA)
    for number in range(1, 4):
        days = XMAS[:number]
        at_once(partial(save, database, "a", days), partial(save, database, "b", days))
    assert {task.revision for task in rows(database, Task)} == {7}


def test_days_are_read_once_for_a_list_of_calendars_that_many_tasks_name(database):
    """The list shows the ends of each calendar, not thousands of days."""
    days = [date(1990, 1, 1) + n * DAY for n in range(20_000)]
    save(database, "c", days)
    insert_tasks(database, [str(n) for n in range(300)], exclude_calendars=["c"])
    with statements_of(database) as sent:
        assert calendars.listing(database)[0].used_by == 300
    assert len([sql for sql, _values in sent if "SELECT" in sql]) == 2


# deleting ---------------------------------------------------------------------------------------


def test_a_calendar_that_no_task_names_is_deleted(database):
    save(database, "c")
    assert calendars.delete(database, "c", ADA) == 0
    assert calendars.listing(database) == []
    assert audits(database)[-1] == ("calendar.delete", "c", {"tasks": 0})


def test_a_calendar_that_tasks_name_is_not_deleted_and_five_of_them_are_told(database):
    save(database, "c")
    for number in range(7):
        field = "exclude_calendars" if number % 2 else "require_calendars"
        names: dict[str, Any] = {field: ["c"]}
        tasks.create(database, definition(f"t{number}", **names), ADA)
    before = rows(database, Task)
    told = "'t0', 't1', 't2', 't3', 't4' … name it; change these tasks first"
    with pytest.raises(Conflict, match=told):
        calendars.delete(database, "c", ADA)
    assert rows(database, Task) == before
    assert len(calendars.listing(database)) == 1


def test_by_force_the_tasks_are_broken_until_the_calendar_is_there_again(database):
    save(database, "c", [])
    now = now_of(database)
    first = now.replace(microsecond=0) - timedelta(seconds=90)
    due = insert_task(database, "due", next_fire_at=first, exclude_calendars=["c"])
    calm = tasks.create(database, definition("calm", exclude_calendars=["c"]), ADA)
    insert_run(database, task_id=calm, scheduled_at=now + timedelta(minutes=1))

    assert calendars.delete(database, "c", ADA, force=True) == 2

    (missed,) = rows(database, Run)
    assert (missed.task_id, missed.state) == (due.id, RunState.MISSED)
    assert "the calendar 'c' was deleted" in missed.reason
    broken = rows(database, Task)
    assert {task.broken for task in broken} == {"the calendar 'c' does not exist (any more)"}
    assert {task.revision for task in broken} == {2}

    save(database, "c", [])

    mended = rows(database, Task)
    assert {task.broken for task in mended} == {""}
    # Slots since then were nobody's to tell; they are late now, none of them is forgotten.
    assert [task.next_fire_at for task in mended] == [task.next_fire_at for task in broken]
    assert all(task.next_fire_at >= now for task in mended)
