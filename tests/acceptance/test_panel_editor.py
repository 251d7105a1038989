"""The form of a task: mistakes while typing, conflicts field by field, nothing saved twice."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from gocron.core.definition import define
from gocron.db import tasks
from gocron.db.models import AuditLog, Run, Task, TaskVersion
from tests.helpers.panel import BASIC_TASK, FORM_DEFAULTS, TESTER, form_values, words_of
from tests.helpers.rows import insert_task, row, rows


def check(visitor, task_id: int | None = None, **fields: object):
    address = "/tasks/check/" + (f"?id={task_id}" if task_id else "")
    return visitor.post(address, FORM_DEFAULTS | BASIC_TASK | fields).json


def untouched(visitor, task_id: int):
    return form_values(visitor.get(f"/tasks/edit/?id={task_id}").text)


def edit(panel, task_id: int, **fields: object) -> None:
    tasks.edit(panel.database, task_id, define(BASIC_TASK | fields), TESTER)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("spec", "61 * * * * *", "61"),
        ("timezone", "Europe/Berlim", "Europe/Berlin"),
        ("name", "n" * 129, "128"),
        ("timeout", "soon", "integer"),
        ("environment", "no equals sign", "line 1"),
        ("parameters", "1: text", "line 1"),
        ("retry_times", "11", "10"),
        ("group", "nowhere", "There is no group 'nowhere'"),
        ("exclude_calendars", "nowhere", "There is no calendar 'nowhere'"),
        ("starts_at", "soon", "must be"),
        ("success_pattern", "(", "regular expression"),
    ],
)
def test_mistakes_are_told_without_saving(quick_panel, field, typed, said):
    answer = check(quick_panel.administrator(), **{field: typed})
    assert list(answer["mistakes"]) == [field]
    assert said.lower() in answer["mistakes"][field][0].lower()
    assert rows(quick_panel.database, Task) == []


def test_what_is_right_has_no_mistakes_and_is_not_saved(panel, visitor):
    assert check(visitor) == {"mistakes": {}, "general": []}
    assert rows(panel.database, Task) == []
    task_id = panel.create_task()
    assert "taken" in check(visitor)["mistakes"]["name"][0]
    assert check(visitor, task_id, command="other") == {"mistakes": {}, "general": []}
    assert row(panel.database, Task, task_id).command == BASIC_TASK["command"]
    assert [one.action for one in rows(panel.database, AuditLog)][-1] == "task.create"


def test_dependencies_are_checked_against_the_tasks_there_are(panel, visitor):
    load = panel.create_task(name="load")
    panel.create_task(name="report", spec="", depends_on=["load"])
    missing = check(visitor, spec="", depends_on="lod")
    assert "There is no task 'lod'" in missing["mistakes"]["depends_on"][0]
    cycle = check(visitor, load, name="load", spec="", depends_on="report")
    assert "wait for each other" in cycle["mistakes"]["depends_on"][0]


def test_the_check_asks_for_a_login_and_a_token(panel, visitor):
    assert visitor.client.post("/tasks/check/", data=BASIC_TASK).status_code == 400
    assert panel.visitor().post("/tasks/check/", BASIC_TASK).status_code in (302, 401)
    assert visitor.get("/tasks/check/").status_code == 405


def test_a_conflict_shows_before_theirs_and_yours(panel, visitor):
    task_id = panel.create_task(remark="first", timeout=5)
    mine = untouched(visitor, task_id) | {"command": "mine", "timeout": "7"}
    edit(panel, task_id, command="theirs", remark="their remark", timeout=5)
    page = visitor.post(f"/tasks/edit/?id={task_id}", mine).text
    conflict = page.split('id="conflict"')[1].split("</table>")[0]
    words = words_of(conflict)
    assert "Command or URL both changed it tar cf - /etc theirs mine" in words
    assert "Remark first their remark first" in words
    assert "Time limit in seconds 5 5 7" in words
    chosen = re.findall(r'name="take-(\w+)" value="(\w+)" checked', conflict)
    assert chosen == [("command", "mine"), ("timeout", "mine"), ("remark", "theirs")] or dict(
        chosen
    ) == {"command": "mine", "timeout": "mine", "remark": "theirs"}


def test_a_conflict_is_settled_field_by_field(panel, visitor):
    task_id = panel.create_task(remark="first", environment={"A": "1"})
    mine = untouched(visitor, task_id) | {"command": "mine", "tag": "my tag"}
    edit(panel, task_id, command="theirs", remark="theirs", environment={"A": "2"}, jitter=9)
    page = visitor.post(f"/tasks/edit/?id={task_id}", mine).text
    sent = form_values(page) | {"over": "2", "take-command": "theirs"}
    assert visitor.post(f"/tasks/edit/?id={task_id}", sent).status_code == 302
    task = row(panel.database, Task, task_id)
    assert (task.command, task.remark, task.environment) == ("theirs", "theirs", {"A": "2"})
    assert (task.tag, task.jitter, task.revision) == ("my tag", 9, 3)


def test_a_conflict_on_top_of_a_conflict_saves_nothing(panel, visitor):
    task_id = panel.create_task()
    mine = untouched(visitor, task_id) | {"command": "mine"}
    edit(panel, task_id, command="theirs")
    page = visitor.post(f"/tasks/edit/?id={task_id}", mine).text
    sent = form_values(page) | {"over": "2"}
    edit(panel, task_id, command="theirs again")
    again = visitor.post(f"/tasks/edit/?id={task_id}", sent).text
    assert "theirs again" in words_of(again.split('id="conflict"')[1])
    assert form_values(again)["command"] == "mine"
    assert row(panel.database, Task, task_id).command == "theirs again"


def test_before_is_not_known_of_a_task_without_versions(panel, visitor):
    task_id = insert_task(panel.database, command="old").id
    mine = untouched(visitor, task_id) | {"command": "mine"}
    with panel.database.write() as connection:  # an older node, which keeps no versions
        connection.execute(update(Task).values(command="theirs", revision=2))
    page = visitor.post(f"/tasks/edit/?id={task_id}", mine).text
    assert "not known theirs mine" in words_of(page.split('id="conflict"')[1])


def test_a_form_that_is_sent_twice_changes_nothing_twice(panel, visitor):
    assert visitor.save_task().status_code == 302
    assert "taken" in words_of(visitor.save_task().text)
    (task,) = rows(panel.database, Task)
    sent = untouched(visitor, task.id) | {"command": "once"}
    assert visitor.post(f"/tasks/edit/?id={task.id}", sent).status_code == 302
    assert visitor.post(f"/tasks/edit/?id={task.id}", sent).status_code == 200
    assert row(panel.database, Task, task.id).revision == 2
    assert len(rows(panel.database, TaskVersion)) == 2
    trial = {"name": "tried", "try": "yes"}
    assert visitor.save_task(**trial).status_code == 302
    assert "taken" in words_of(visitor.save_task(**trial).text)
    assert len(rows(panel.database, Run)) == 1


def test_the_browser_is_told_which_of_its_forms_were_saved(quick_panel):
    visitor = quick_panel.administrator()
    page = visitor.get("/tasks/new/").text
    form_id = form_values(page)["form_id"]
    assert 'data-saved=""' in page
    wrong = visitor.save_task(form_id=form_id, spec="")
    assert form_values(wrong.text)["form_id"] == form_id
    assert f'data-saved="{form_id}"' not in visitor.get("/tasks/new/").text
    visitor.save_task(form_id=form_id)
    assert f'data-saved="{form_id}"' in visitor.get("/tasks/new/").text
    visitor.save_task(name="other", form_id='"><script>')
    assert f'data-saved="{form_id}"' in visitor.get("/tasks/new/").text
