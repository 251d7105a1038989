"""How many runs of a group may go on at once, and what is going on in it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from gocron.core.definition import define
from gocron.core.states import RunState
from gocron.db import groups, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, ConcurrencyGroup, Task
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.databases import at_once
from tests.helpers.rows import FAR, SECOND, insert_run, insert_task, row, rows

ADA = Actor("Ada", "192.0.2.7", "node-1")


def audits(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    return [(line.action, line.target, line.detail) for line in rows(database, AuditLog)]


def stored(database: Database) -> tuple[object, ...]:
    (group,) = rows(database, ConcurrencyGroup)
    return (group.id, group.name, group.max_running, group.remark)


def test_a_group_is_listed_with_what_is_going_on_in_it(database):
    groups.save(database, "reports", 2, "slow ones", ADA)
    groups.save(database, "empty", 1, "", ADA)
    report = insert_task(database, "report", group="reports")
    insert_task(database, "idle", group="reports", enabled=False)
    alone = insert_task(database, "alone")
    states: list[dict[str, Any]] = [
        {"state": RunState.RUNNING},
        {"state": RunState.RUNNING},
        {"state": RunState.QUEUED, "held_at": FAR},
        {"state": RunState.QUEUED},
        {"state": RunState.SUCCESS, "held_at": FAR},
    ]
    for number, fields in enumerate(states):
        for task in (report, alone):
            insert_run(database, task_id=task.id, scheduled_at=FAR + number * SECOND, **fields)

    empty, reports = groups.listing(database)

    assert (empty.name, empty.tasks, empty.running, empty.waiting) == ("empty", 0, 0, 0)
    assert (reports.name, reports.max_running, reports.remark) == ("reports", 2, "slow ones")
    assert (reports.tasks, reports.running, reports.waiting) == (2, 2, 1)


def test_saving_again_changes_the_limit_and_keeps_what_is_not_given(database):
    key = groups.save(database, "reports", 2, "slow ones", ADA)
    assert groups.save(database, " reports ", 10_000, None, ADA) == key
    assert stored(database) == (key, "reports", 10_000, "slow ones")
    groups.save(database, "reports", 1, "", ADA)
    assert stored(database) == (key, "reports", 1, "")
    assert audits(database)[:2] == [
        ("group.save", "reports", {"max_running": 2}),
        ("group.save", "reports", {"max_running": 10_000}),
    ]


@pytest.mark.parametrize(
    ("field", "name", "limit", "remark", "words"),
    [
        ("name", "  ", 1, "", "found nothing"),
        ("name", "x" * 65, 1, "", "at most 64 characters"),
        ("name", "a\tb", 1, "", "one line"),
        ("max_running", "a", 0, "", "from 1 to 10000, found 0"),
        ("max_running", "a", 10_001, "", "found 10001"),
        ("max_running", "a", -1, "", "found -1"),
        ("max_running", "a", True, "", "found true"),
        ("max_running", "a", 10**400, "", "far larger"),
        ("remark", "a", 1, "x" * 513, "at most 512 characters"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(database, field, name, limit, remark, words):
    with pytest.raises(InvalidTask, match=words) as refused:
        groups.save(database, name, limit, remark, ADA)
    assert refused.value.field == field
    assert rows(database, ConcurrencyGroup) == []


def test_those_who_create_the_same_group_at_the_same_moment_get_the_same_one(database):
    for number in range(5):
        name = f"group {number}"
        made = at_once(*[partial(groups.save, database, name, n, "", ADA) for n in range(1, 5)])
        assert len(set(made)) == 1


def test_a_group_that_tasks_belong_to_is_not_deleted(database):
    groups.save(database, "reports", 2, "", ADA)
    definition = define({"name": "report", "spec": "@daily", "command": "true", "group": "reports"})
    task_id = tasks.create(database, definition, ADA)
    with pytest.raises(Conflict, match="'report' belongs to it"):
        groups.delete(database, "reports", ADA)
    assert row(database, Task, task_id).concurrency_group == "reports"

    tasks.delete(database, [task_id], ADA)
    groups.delete(database, "reports", ADA)

    assert groups.listing(database) == []
    assert audits(database)[-1] == ("group.delete", "reports", {})


def test_a_group_that_there_is_not_is_answered_with_one_of_nearly_that_name(database):
    groups.save(database, "reports", 2, "", ADA)
    with pytest.raises(NotFound, match=r"no group 'report'; did you mean reports\?"):
        groups.delete(database, "report", ADA)
    with pytest.raises(NotFound, match="gocron group list"):
        groups.delete(database, "something else", ADA)


def test_tasks_that_are_imported_belong_to_their_group(database):
    groups.save(database, "reports", 2, "", ADA)
    fields = {"spec": "@daily", "command": "true", "group": "reports"}
    tasks.create_many(database, [define({"name": name} | fields) for name in "ab"], ADA)
    assert groups.listing(database)[0].tasks == 2
