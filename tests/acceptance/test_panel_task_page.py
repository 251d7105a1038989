"""The page of a task: everything about it, its versions, and restoring one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import insert

from gocron.core.definition import define
from gocron.db import calendars, pauses, tasks
from gocron.db.models import Run, Task, TaskDependency
from tests.helpers.panel import BASIC_TASK, TESTER, USER, words_of
from tests.helpers.rows import insert_run, insert_tasks, now_of, row, rows

HOSTILE = '<script>alert("1")</script>'

TABS = ("overview", "history", "runs", "dependencies", "versions", "audit")


def tab(visitor, task_id: int, name: str) -> str:
    return str(visitor.get(f"/tasks/details/?id={task_id}&tab={name}").text)


def edit(panel, task_id: int, **fields: object) -> None:
    tasks.edit(panel.database, task_id, define(BASIC_TASK | fields), TESTER)


def run_ago(
    panel, task_id: int, days: float, state: str, seconds: float = 5, **more: object
) -> int:
    slot = now_of(panel.database) - timedelta(days=days)
    times = {"started_at": slot, "finished_at": slot + timedelta(seconds=seconds)}
    return insert_run(
        panel.database, task_id=task_id, scheduled_at=slot, state=state, **{**times, **more}
    )


def test_the_overview_says_when_and_how_in_words(panel, visitor):
    task_id = panel.create_task(overlap="queue", jitter=60, tag="nightly", remark="ask Ada")
    page = visitor.text(f"/tasks/details/?id={task_id}")
    assert "At 02:30 every day, Europe/Berlin time." in page
    assert "Let one wait for its end" in page
    assert "begins up to 1 min later" in page
    assert "recorded as lost, not run again" in page
    assert "tar cf - /etc" in page
    assert "ask Ada" in page
    assert "It has not run yet." in page
    html = visitor.get(f"/tasks/details/?id={task_id}").text
    slots = re.search(r'<ol class="slots".*?</ol>', html, re.S)
    assert slots is not None
    assert slots[0].count("<li>") == 10
    assert words_of(html.split('id="remarkable"')[1].split('id="what"')[0]).count("Overlap") == 1


def test_what_stops_a_task_is_said_on_top(panel, visitor):
    calendars.save(panel.database, "freeze", [], "", TESTER)
    broken = panel.create_task(exclude_calendars=["freeze"], tag="t")
    calendars.delete(panel.database, "freeze", TESTER, force=True)
    pauses.pause(panel.database, "t", "new disks", None, TESTER)
    disabled = panel.create_task(name="off", enabled=False)
    for name in TABS:
        page = words_of(tab(visitor, broken, name))
        assert "This task is broken and does not run" in page, name
        assert "The tag “t” is paused: new disks" in page, name
        assert "This task is disabled" in words_of(tab(visitor, disabled, name)), name
    assert "is paused" not in words_of(tab(visitor, disabled, "overview"))


def test_the_history_counts_days_and_shows_durations(panel, visitor):
    task_id = panel.create_task()
    assert "No run of it has ended yet." in words_of(tab(visitor, task_id, "history"))
    for number in range(9):
        run_ago(panel, task_id, 1 + number, "success", seconds=4)
    failed = run_ago(panel, task_id, 20, "failed", seconds=40, reason="exit code 3")
    run_ago(panel, task_id, 30, "missed", started_at=None, missed_count=12)
    page = tab(visitor, task_id, "history")
    words = words_of(page)
    assert "Success 90.0 %" in words
    assert "Did not run 12" in words
    assert "Median duration 4.00 s" in words
    assert "exit code 3" in words
    assert page.count('class="day-good" x=') == 9
    assert page.count('class="day-most" x=') == 1
    assert page.count('<rect class="day-') >= 182
    assert f'href="/runs/{failed}/"' in page.split('id="durations"')[1]
    assert page.count("bar-good") == 9


def test_the_last_runs_are_listed_with_a_way_to_all(panel, visitor):
    task_id = panel.create_task()
    assert "No runs yet" in words_of(tab(visitor, task_id, "runs"))
    for number in range(25):
        run_ago(panel, task_id, number + 1, "success")
    page = tab(visitor, task_id, "runs")
    assert page.split('id="runs"')[1].count("<tr>") == 21
    assert f'href="/runs/?task={task_id}"' in page


def test_dependencies_are_drawn_and_listed_over_all_levels(panel, visitor):
    alone = panel.create_task()
    assert "It depends on nothing" in words_of(tab(visitor, alone, "dependencies"))
    load = panel.create_task(name="load")
    check = panel.create_task(name=HOSTILE, spec="", depends_on=["load"])
    report = panel.create_task(
        name="report", spec="", depends_on={"load": "strong", HOSTILE: "weak"}
    )
    for task_id in (load, check, report):
        page = tab(visitor, task_id, "dependencies")
        for other in (load, check, report):
            assert f'data-node="{other}"' in page
        assert page.count('class="edge edge-strong"') == 2
        assert page.count('class="edge edge-weak"') == 1
        assert HOSTILE not in page
    assert "load, " in words_of(tab(visitor, report, "dependencies"))
    assert "(any end)" in words_of(tab(visitor, report, "dependencies"))


def test_versions_are_listed_and_compared(panel, visitor):
    task_id = panel.create_task(command="one\ntwo\nthree")
    edit(panel, task_id, command="one\n2\nthree", timeout=30)
    page = words_of(tab(visitor, task_id, "versions"))
    assert "edited timeout, command" in page or "edited command, timeout" in page
    assert "tester" in page
    compared = tab(visitor, task_id, "versions&old=1&new=2")
    assert "Time limit in seconds 0 30" in words_of(compared)
    assert re.search(r'line-gone">- two', compared)
    assert re.search(r'line-new">\+ 2', compared)
    assert "They are the same." in words_of(tab(visitor, task_id, "versions&old=2&new=2"))
    assert visitor.get(f"/tasks/details/?id={task_id}&tab=versions&old=1&new=9").status_code == 404


def test_a_version_is_restored_after_it_was_asked_about(panel, visitor):
    task_id = panel.create_task(command="echo old")
    edit(panel, task_id, command="echo new")
    address = f"/tasks/rollback/?id={task_id}&revision=1"
    page = visitor.text(address)
    assert "Restore version 1?" in page
    assert "echo new echo old" in page
    assert row(panel.database, Task, task_id).command == "echo new"
    answer = visitor.post(address, {"seen": "2"})
    assert answer.location == f"/tasks/details/?id={task_id}&tab=versions"
    assert row(panel.database, Task, task_id).command == "echo old"
    assert "restored" in words_of(tab(visitor, task_id, "versions"))
    assert "to version 1" in words_of(tab(visitor, task_id, "audit"))
    # The form is sent once more, by a double click or from a stale page.
    assert "somebody else" in words_of(visitor.post(address, {"seen": "2"}).text)
    assert row(panel.database, Task, task_id).revision == 3
    assert "already what it was" in visitor.text(address)


def test_a_version_that_does_not_fit_any_more_is_refused_with_the_reason(panel, visitor):
    calendars.save(panel.database, "freeze", [], "", TESTER)
    task_id = panel.create_task(exclude_calendars=["freeze"])
    edit(panel, task_id)
    calendars.delete(panel.database, "freeze", TESTER)
    page = visitor.post(f"/tasks/rollback/?id={task_id}&revision=1", {"seen": "2"}).text
    assert "It was not restored" in words_of(page)
    assert "there is no calendar 'freeze'" in words_of(page)
    assert row(panel.database, Task, task_id).revision == 2


def test_a_task_is_enabled_and_disabled_from_its_page(panel, visitor):
    task_id = panel.create_task()
    here = f"/tasks/details/?id={task_id}"
    answer = visitor.post("/tasks/enable/", {"id": task_id, "enabled": "no", "url": here})
    assert answer.location == here
    assert row(panel.database, Task, task_id).enabled is False
    assert "is disabled." in visitor.text(here)
    stale = {"id": task_id, "enabled": "yes", "revision": "1"}
    assert visitor.post("/tasks/enable/", stale).location == here
    assert row(panel.database, Task, task_id).enabled is False
    assert "Somebody changed the task meanwhile" in visitor.text(here)
    visitor.post("/tasks/enable/", stale | {"revision": "2"})
    assert row(panel.database, Task, task_id).enabled is True
    assert visitor.get(f"/tasks/enable/?id={task_id}").status_code == 405


def test_text_of_others_is_never_markup_on_any_part(panel, visitor):
    fields = {
        "name": HOSTILE, "tag": HOSTILE, "remark": HOSTILE, "command": HOSTILE,
        "environment": {"A": HOSTILE},
    }  # fmt: skip
    task_id = panel.create_task(**fields)
    child = panel.create_task(name="child", spec="", depends_on=[HOSTILE])
    edit(
        panel,
        task_id,
        **fields | {"command": HOSTILE + "\n\N{RIGHT-TO-LEFT OVERRIDE}", "remark": "ø" * 9000},
    )
    run_ago(panel, task_id, 1, "failed", reason=HOSTILE)
    pauses.pause(panel.database, HOSTILE, HOSTILE, None, TESTER)
    for name in (*TABS, "versions&old=1&new=2", "nonsense"):
        for one in (task_id, child):
            answer = visitor.get(f"/tasks/details/?id={one}&tab={name}")
            assert answer.status_code in (200, 404), name
            assert "<script>alert" not in answer.text, name
    assert "<script>alert" not in visitor.get(f"/tasks/rollback/?id={task_id}&revision=1").text


@pytest.mark.parametrize(
    "address",
    ["/tasks/details/", "/tasks/details/?id=x", "/tasks/details/?id=99", "/tasks/try/?id=99",
     "/tasks/rollback/?id=99&revision=1", "/tasks/try/tail/", "/tasks/try/tail/?run=99"],
)  # fmt: skip
def test_what_is_not_there_is_missing(quick_panel, address):
    assert quick_panel.administrator().get(address).status_code == 404


def test_a_task_is_saved_disabled_and_tried_once(panel, visitor):
    answer = visitor.save_task(**{"try": "yes"})
    (task,) = rows(panel.database, Task)
    (run,) = rows(panel.database, Run)
    assert task.enabled is False
    assert (run.trigger_kind, run.revision, run.triggered_by) == ("manual", task.revision, USER)
    assert answer.location == f"/tasks/try/?id={task.id}&run={run.id}"
    page = visitor.get(answer.location).text
    assert "The task is saved and disabled." in words_of(page)
    tail = visitor.get(f"/tasks/try/tail/?run={run.id}&after=-1").json
    assert (tail["state"], tail["ended"], tail["text"]) == ("queued", False, "")
    # Somebody changes it: what was tried is not what would be enabled.
    edit(panel, task.id, command="other", enabled=False)
    page = visitor.text(answer.location)
    assert "what was tried is not what is saved now" in page
    assert "Enable it" not in page
    assert visitor.post(f"/tasks/try/?id={task.id}&revision=1").location == (
        f"/tasks/details/?id={task.id}"
    )
    assert len(rows(panel.database, Run)) == 1


def test_a_trial_of_a_task_that_is_edited_disables_it(panel, visitor):
    task_id = panel.create_task()
    fields = {"revision": "1", "command": "echo tried", "try": "yes"}
    answer = visitor.save_task(f"/tasks/edit/?id={task_id}", **fields)
    assert answer.location.startswith(f"/tasks/try/?id={task_id}&run=")
    task = row(panel.database, Task, task_id)
    assert (task.enabled, task.command, task.revision) == (False, "echo tried", 2)


def test_a_trial_that_needs_parameters_asks_for_them(panel, visitor):
    panel.create_task(name="load")
    answer = visitor.save_task(spec="", depends_on="load", parameters="DAY", **{"try": "yes"})
    task = rows(panel.database, Task)[-1]
    assert answer.location == f"/tasks/start/?id={task.id}"
    assert "DAY" in visitor.text(answer.location)


def test_the_page_of_a_task_with_many_relatives_says_that_there_are_more(panel, visitor):
    parent = panel.create_task(name="parent")
    insert_tasks(panel.database, [f"child {n}" for n in range(90)])
    edges = [
        {"task_id": one.id, "parent_id": parent, "need": "strong"}
        for one in rows(panel.database, Task)
        if one.id != parent
    ]
    with panel.database.write() as connection:
        connection.execute(insert(TaskDependency), edges)
    page = tab(visitor, parent, "dependencies")
    assert page.count("data-node=") == 80
    assert "There are more tasks" in words_of(page)
