"""Every definition that a task has had is kept, and can be restored."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, update

from gocron.core.definition import TaskDefinition, define
from gocron.db import calendars, task_versions, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Task, TaskVersion
from gocron.db.version_rows import FOUND
from gocron.errors import Conflict, NotFound
from tests.helpers.rows import insert_task, row, rows

ADA = Actor("Ada", "192.0.2.7", "node-1")
BOB = Actor("Bob")

RICH: dict[str, Any] = {
    "starts_at": "2026-12-24T18:00:00.000007+01:00",
    "environment": {"A": "1", "B": "ö\n"},
    "parameters": [{"name": "DAY", "default": "2026-01-01"}],
    "retry_times": 3,
    "retry_on": ["lost"],
    "misfire": "skip",
    "group": "",
}


def definition(name: str = "task", **fields: Any) -> TaskDefinition:
    return define({"name": name, "spec": "@daily", "command": "true"} | fields)


def history(database: Database, task_id: int) -> list[tuple[int, str, str]]:
    """(revision, action, by), oldest first."""
    page = task_versions.listing(database, task_id, 100)
    return [(one.revision, one.action, one.changed_by) for one in reversed(page.versions)]


def test_every_change_is_a_version(database):
    task_id = tasks.create(database, definition(**RICH), ADA)
    tasks.edit(database, task_id, definition(command="false"), BOB)
    tasks.set_enabled(database, [task_id], False, ADA)
    tasks.set_enabled(database, [task_id], False, ADA)
    tasks.set_enabled(database, [task_id], True, BOB)
    assert history(database, task_id) == [
        (1, "create", "Ada"),
        (2, "edit", "Bob"),
        (3, "disable", "Ada"),
        (4, "enable", "Bob"),
    ]
    page = task_versions.listing(database, task_id, 100)
    assert [one.current for one in page.versions] == [True, False, False, False]
    assert page.changed[4] == ("enabled",)
    assert set(page.changed[2] or ()) >= {"command", "starts_at", "parameters", "retry_on"}
    assert page.changed[1] is None
    assert rows(database, TaskVersion)[0].changed_at == row(database, Task, task_id).created_at


def test_what_was_stored_is_the_same_definition_again(database):
    wanted = definition(**RICH)
    task_id = tasks.create(database, wanted, ADA)
    assert define(task_versions.at(database, task_id, 1).definition) == wanted


def test_the_first_change_of_an_old_task_also_keeps_what_was_there(database):
    task_id = insert_task(database, command="old").id
    assert history(database, task_id) == [(1, FOUND, "")]
    assert rows(database, TaskVersion) == []
    tasks.set_enabled(database, [task_id], False, ADA)
    assert history(database, task_id) == [(1, FOUND, ""), (2, "disable", "Ada")]
    assert task_versions.at(database, task_id, 1).definition["enabled"] is True
    tasks.edit(database, task_id, definition(enabled=False), ADA)
    assert [one.revision for one in rows(database, TaskVersion)] == [1, 2, 3]


def test_a_change_that_an_older_node_made_is_kept_with_the_next_one(database):
    task_id = tasks.create(database, definition(), ADA)
    with database.write() as connection:
        connection.execute(update(Task).values(command="theirs", revision=2))
    tasks.edit(database, task_id, definition(command="mine"), BOB)
    assert history(database, task_id) == [(1, "create", "Ada"), (2, FOUND, ""), (3, "edit", "Bob")]
    assert task_versions.at(database, task_id, 2).definition["command"] == "theirs"


def test_moved_slots_are_no_version(database):
    calendars.save(database, "work", [], "", ADA)
    task_id = tasks.create(database, definition(exclude_calendars=["work"]), ADA)
    calendars.delete(database, "work", ADA, force=True)
    assert row(database, Task, task_id).revision == 2
    assert history(database, task_id) == [(1, "create", "Ada")]
    assert task_versions.at(database, task_id, 2).revision == 1


def test_a_renamed_parent_is_followed_without_a_version(database):
    parent = tasks.create(database, definition("load"), ADA)
    child = tasks.create(database, definition("report", spec="", depends_on=["load"]), ADA)
    tasks.edit(database, parent, definition("import"), ADA)
    (only,) = task_versions.listing(database, child, 10).versions
    assert (only.revision, only.current) == (1, True)
    assert only.definition["depends_on"] == {"import": "strong"}
    tasks.set_enabled(database, [child], False, ADA)
    assert history(database, child) == [(1, "create", "Ada"), (2, "disable", "Ada")]
    assert task_versions.at(database, child, 1).definition["depends_on"] == {"import": "strong"}


def test_an_import_keeps_the_first_version_of_each(database):
    tasks.create_many(
        database, [definition(f"task {n}", command=f"echo {n}") for n in range(2500)], ADA
    )
    found = rows(database, TaskVersion)
    assert len(found) == 2500
    assert {(one.revision, one.action, one.changed_by) for one in found} == {(1, "import", "Ada")}
    names = {one.id: one.name for one in rows(database, Task)}
    assert all(one.definition["name"] == names[one.task_id] for one in found)


def test_many_are_disabled_with_a_version_each(database):
    tasks.create_many(database, [definition(f"task {n}") for n in range(120)], ADA)
    ids = [one.id for one in rows(database, Task)]
    assert tasks.set_enabled(database, ids, False, BOB) == 120
    found = rows(database, TaskVersion, TaskVersion.revision == 2)
    assert [one.definition["enabled"] for one in found] == [False] * 120


def test_a_refused_change_is_no_version(database):
    task_id = tasks.create(database, definition(), ADA)
    with pytest.raises(Conflict):
        tasks.edit(database, task_id, definition(command="late"), ADA, expected_revision=7)
    assert history(database, task_id) == [(1, "create", "Ada")]


def test_who_deletes_a_task_deletes_its_versions(database):
    task_id = tasks.create(database, definition(), ADA)
    other = tasks.create(database, definition("other"), ADA)
    tasks.delete(database, [task_id], ADA)
    assert [one.task_id for one in rows(database, TaskVersion)] == [other]
    with pytest.raises(NotFound):
        task_versions.listing(database, task_id, 10)


def test_versions_are_listed_page_by_page(database):
    task_id = tasks.create(database, definition(command="echo 1"), ADA)
    for number in range(2, 8):
        tasks.edit(database, task_id, definition(command=f"echo {number}"), ADA)
    first = task_versions.listing(database, task_id, 3)
    assert [one.revision for one in first.versions] == [7, 6, 5]
    assert first.changed[5] == ("command",)
    second = task_versions.listing(database, task_id, 4, first.older)
    assert [one.revision for one in second.versions] == [4, 3, 2, 1]
    assert second.older is None
    for wrong in (0, 8):
        with pytest.raises(NotFound):
            task_versions.at(database, task_id, wrong)


def test_an_old_version_is_restored_as_an_edit(database):
    task_id = tasks.create(database, definition(**RICH), ADA)
    tasks.edit(database, task_id, definition("renamed", command="false"), ADA)
    tasks.set_enabled(database, [task_id], False, ADA)
    assert task_versions.restore(database, task_id, 1, BOB, 3) == 4
    found = row(database, Task, task_id)
    assert (found.name, found.command, found.revision) == ("task", "true", 4)
    assert found.enabled is False, "nothing begins to run by this"
    assert history(database, task_id)[-1] == (4, "rollback", "Bob")
    audited = rows(database, AuditLog)[-1]
    assert (audited.action, audited.target, audited.actor) == ("task.rollback", "task", "Bob")
    assert audited.detail["back_to"] == 1
    assert "command" in audited.detail["changed"]


def test_taking_back_respects_who_changed_it_meanwhile(database):
    task_id = tasks.create(database, definition(), ADA)
    tasks.edit(database, task_id, definition(command="theirs"), BOB)
    with pytest.raises(Conflict, match="somebody else"):
        task_versions.restore(database, task_id, 1, ADA, expected_revision=1)
    assert row(database, Task, task_id).command == "theirs"


def test_what_is_not_valid_any_more_is_not_restored(database):
    calendars.save(database, "work", [], "", ADA)
    task_id = tasks.create(database, definition(exclude_calendars=["work"]), ADA)
    tasks.edit(database, task_id, definition(), ADA)
    calendars.delete(database, "work", ADA)
    with pytest.raises(Conflict, match=r"version 1 does not fit any more.*calendar 'work'"):
        task_versions.restore(database, task_id, 1, ADA, 2)
    assert row(database, Task, task_id).revision == 2
    tasks.edit(database, task_id, definition("other name"), ADA)
    tasks.create(database, definition(), ADA)
    with pytest.raises(Conflict, match="taken by task"):
        task_versions.restore(database, task_id, 2, ADA, 3)


def test_a_run_of_one_revision_is_refused_once_there_is_another(database):
    task_id = tasks.create(database, definition(), ADA)
    assert tasks.run_now(database, task_id, ADA, expected_revision=1)
    tasks.edit(database, task_id, definition(command="other"), ADA)
    with pytest.raises(Conflict):
        tasks.run_now(database, task_id, ADA, expected_revision=1)


def test_versions_of_a_task_that_lost_them_begin_again(database):
    task_id = tasks.create(database, definition(), ADA)
    with database.write() as connection:
        connection.execute(delete(TaskVersion))
    tasks.edit(database, task_id, definition(command="new"), ADA)
    assert history(database, task_id) == [(1, FOUND, ""), (2, "edit", "Ada")]
