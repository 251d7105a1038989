"""Changing many tasks in the panel: what it hits is shown first, then all of it happens or none."""

from __future__ import annotations

import re

import pytest

from gocron.db import task_bulk
from gocron.db.models import AuditLog, Run, Task
from gocron.db.task_bulk import Action
from tests.helpers.panel import form_values, words_of
from tests.helpers.rows import insert_tasks, rows


def asked(visitor, **arguments):
    """The page that asks, and what its form would send."""
    answer = visitor.client.get("/tasks/bulk/", query_string=arguments)
    assert answer.status_code == 200
    page = answer.text.replace('<form class="card narrow"', '<form id="bulk-form" class="card"')
    return words_of(answer.text), form_values(page, "bulk-form")


def test_a_preview_names_the_tasks_and_says_what_happens(panel, visitor):
    ids = [panel.create_task(name=f"task {number:02}", tag="x") for number in range(25)]
    panel.create_task(name="other")
    words, _form = asked(visitor, action="disable", rowid=ids)
    assert "Disable 25 tasks?" in words
    assert "task 19" in words
    assert "task 20" not in words
    assert "and 5 more" in words
    assert "do not fire any more" in words
    words, _form = asked(visitor, action="enable", all="1", tag="x")
    assert "Enable 25 tasks?" in words
    assert "Tag x" in words
    assert "For 25 of them nothing changes" in words
    assert all(row.enabled for row in rows(panel.database, Task))


@pytest.mark.parametrize("every", [False, True])
def test_what_was_asked_about_is_done(panel, visitor, every):
    ids = [panel.create_task(name=f"task {number}", tag="x") for number in range(3)]
    panel.create_task(name="other")
    chosen = {"all": "1", "tag": "x"} if every else {"rowid": ids}

    def do(action, **more):
        _words, form = asked(visitor, action=action, **chosen)
        answer = visitor.post("/tasks/bulk/", form | more)
        assert answer.location == "/tasks/", words_of(answer.text)
        return visitor.text("/tasks/")

    assert "3 tasks were disabled" in do("disable")
    assert [row.enabled for row in rows(panel.database, Task)] == [False, False, False, True]
    assert "3 tasks were enabled" in do("enable")
    assert "3 runs were queued" in do("run")
    assert [run.task_id for run in rows(panel.database, Run)] == ids
    assert "3 tasks have a new tag" in do("tag", new_tag=" y ")
    assert [row.tag for row in rows(panel.database, Task)] == ["y", "y", "y", ""]
    chosen = {"all": "1", "tag": "y"} if every else {"rowid": ids}
    assert "3 tasks were deleted" in do("delete")
    assert [row.name for row in rows(panel.database, Task)] == ["other"]
    done = [line.action for line in rows(panel.database, AuditLog)]
    for action in ("task.disable", "task.enable", "task.run", "task.edit", "task.delete"):
        assert done.count(action) == 3, action


def test_if_one_cannot_be_changed_none_is(panel, visitor):
    good = panel.create_task(name="a good one", enabled=False)
    (bad,) = insert_tasks(
        panel.database, ["bad"], enabled=False, next_fire_at=None, require_calendars=["gone"]
    )
    _words, form = asked(visitor, action="enable", rowid=[good, bad.id])
    page = words_of(visitor.post("/tasks/bulk/", form).text)
    assert "Nothing was changed" in page
    assert "bad" in page
    assert not any(row.enabled for row in rows(panel.database, Task))
    assert all(line.action != "task.enable" for line in rows(panel.database, AuditLog))


def test_other_tasks_than_were_asked_about_are_not_hit(panel, visitor):
    panel.create_task(name="first", tag="x")
    _words, form = asked(visitor, action="delete", all="1", tag="x")
    panel.create_task(name="second", tag="x")
    page = words_of(visitor.post("/tasks/bulk/", form).text)
    assert "Other tasks fit by now" in page
    assert "second" in page
    assert len(rows(panel.database, Task)) == 2
    _words, form = asked(visitor, action="delete", all="1", tag="x")
    assert visitor.post("/tasks/bulk/", form).status_code == 302
    assert rows(panel.database, Task) == []


def test_tasks_that_need_parameters_are_not_run_together(quick_panel):
    visitor = quick_panel.administrator()
    parent = quick_panel.create_task(name="parent")
    needing = quick_panel.create_task(
        name="needing", spec="", depends_on={"parent": "strong"}, parameters=[{"name": "DAY"}]
    )
    words, form = asked(visitor, action="run", rowid=[parent, needing])
    assert "can only be run one by one: needing" in words
    page = words_of(visitor.post("/tasks/bulk/", form).text)
    assert "needing" in page
    assert rows(quick_panel.database, Run) == []


def test_there_is_a_limit_and_it_is_said(quick_panel, monkeypatch):
    monkeypatch.setitem(task_bulk.MOST, Action.DELETE, 2)
    visitor = quick_panel.administrator()
    insert_tasks(quick_panel.database, ["a", "b", "c"])
    page = visitor.text("/tasks/bulk/?action=delete&all=1")
    assert "At most 2 at once" in page
    form = {"action": "delete", "all": "1"}
    assert "At most 2 at once" in visitor.post("/tasks/bulk/", form).text
    assert len(rows(quick_panel.database, Task)) == 3


def test_a_tag_that_no_task_can_have_is_refused(quick_panel):
    visitor = quick_panel.administrator()
    task_id = quick_panel.create_task(tag="x")
    for tag in ("t" * 65, "a\tb"):
        form = {"action": "tag", "rowid": task_id, "new_tag": tag}
        assert "Nothing was changed" in words_of(visitor.post("/tasks/bulk/", form).text)
    assert rows(quick_panel.database, Task)[0].tag == "x"


def test_odd_requests_are_answered(quick_panel):
    visitor = quick_panel.administrator()
    assert visitor.get("/tasks/bulk/?action=launch").status_code == 400
    assert visitor.get("/tasks/bulk/").status_code == 400
    nothing = visitor.get("/tasks/bulk/?action=enable&rowid=x&rowid=&url=//evil.example")
    assert nothing.location == "/tasks/"
    assert "Choose at least one task" in visitor.text("/tasks/")
    page = visitor.get("/tasks/bulk/?action=enable&rowid=" + "9" * 18).text
    assert re.search(r'<button[^>]*id="do" disabled', page)
