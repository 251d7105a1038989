"""The list of tasks in the panel: what it is narrowed to, its rows, its switches."""

from __future__ import annotations

import re
from datetime import timedelta

from gocron.core.states import RunState
from gocron.db import pauses, task_list
from gocron.db.models import Task
from tests.helpers.panel import TESTER, words_of
from tests.helpers.rows import FAR, insert_run, insert_tasks, rows
from tests.helpers.rows import row as stored

HOSTILE = "<script>alert(1)</script>"


def names_in(page: str) -> list[str]:
    return re.findall(r'<tr data-task="([^"]*)"', page)


def listed(visitor, arguments: str) -> list[str]:
    answer = visitor.get(f"/tasks/?{arguments}")
    assert answer.status_code == 200
    return names_in(answer.text)


def test_every_condition_narrows_the_list_and_they_go_together(panel, visitor):
    panel.create_task(name="alpha", tag="night", command="rsync -a /srv")
    panel.create_task(name="beta", tag="night, day", enabled=False)
    panel.create_task(name="gamma", protocol="http", command="https://example.org/")
    (broken,) = insert_tasks(panel.database, ["delta"], broken="its calendar is gone", tag="day")
    assert listed(visitor, "") == ["alpha", "beta", "delta", "gamma"]
    assert listed(visitor, "enabled=0") == ["beta"]
    assert listed(visitor, "enabled=1&kind=shell") == ["alpha", "delta"]
    assert listed(visitor, "kind=http") == ["gamma"]
    assert listed(visitor, "tag=night") == ["alpha"]
    assert listed(visitor, "tag=night,+day") == ["beta"]
    assert listed(visitor, "broken=1") == ["delta"]
    assert listed(visitor, "search=RSYNC") == ["alpha"]
    assert listed(visitor, "search=night") == ["alpha", "beta"]
    assert listed(visitor, "search=night&enabled=0") == ["beta"]
    assert listed(visitor, "search=%25") == []
    assert listed(visitor, "enabled=perhaps&kind=x&last=x&broken=2") == listed(visitor, "")
    assert "its calendar is gone" in visitor.text("/tasks/?broken=1")
    assert broken.id


def test_a_list_is_narrowed_to_what_became_of_the_newest_runs(panel, visitor):
    ids = {name: panel.create_task(name=name) for name in ("a", "b", "c", "d", "e")}

    def ran(name, *states):
        for number, state in enumerate(states):
            slot = FAR + timedelta(seconds=number)
            insert_run(panel.database, task_id=ids[name], state=state, scheduled_at=slot)

    ran("a", RunState.SUCCESS, RunState.FAILED, RunState.QUEUED)
    ran("b", RunState.FAILED, RunState.SUCCESS)
    ran("c", RunState.LOST, RunState.RUNNING)
    ran("d", RunState.TIMEOUT)
    ran("e", RunState.QUEUED)
    assert listed(visitor, "last=failed") == ["a", "d"]
    assert listed(visitor, "last=failed&sort=0&desc=1") == ["d", "a"]
    assert listed(visitor, "last=succeeded") == ["b"]
    assert listed(visitor, "last=running") == ["c"]
    assert listed(visitor, "last=never") == ["e"]
    assert listed(visitor, "last=failed&search=D") == ["d"]


def test_a_pause_shows_which_tasks_it_is_about(panel, visitor):
    panel.create_task(name="a", tag="x")
    panel.create_task(name="b", tag="y")
    assert listed(visitor, "paused=1") == []
    pauses.pause(panel.database, "x", "new disks", None, TESTER)
    assert listed(visitor, "paused=1") == ["a"]
    pauses.pause(panel.database, "", "all off", None, TESTER)
    assert listed(visitor, "paused=1") == ["a", "b"]


def test_active_conditions_are_shown_each_with_a_way_out(quick_panel):
    visitor = quick_panel.administrator()
    quick_panel.create_task(name="a", tag=HOSTILE[:64])
    page = visitor.get(f"/tasks/?enabled=1&tag={HOSTILE}&last=never&sort=0&desc=1").text
    assert HOSTILE not in page
    chips = dict(
        re.findall(r'class="badge bg-blue-lt chip" href="([^"]*)"[^>]*><span>([^<]*)', page)
    )
    assert [words_of(words) for words in chips.values()] == [
        "Enabled",
        f"Tag {HOSTILE}",
        "Never ran",
    ]
    without_enabled = next(iter(chips))
    assert "enabled" not in without_enabled
    assert "last=never" in without_enabled
    assert "sort=0" in without_enabled
    assert "Clear all" in page


def test_links_of_an_earlier_version_still_narrow_the_list(quick_panel):
    quick_panel.create_task(name="a", tag="x")
    quick_panel.create_task(name="b", enabled=False)
    visitor = quick_panel.administrator()
    assert listed(visitor, "flt0_enabled_equals=0") == ["b"]
    assert listed(visitor, "flt2_tag_equals=x") == ["a"]
    assert listed(visitor, "flt1_protocol_equals=http") == []


def test_a_list_is_sorted_by_next_slot_with_those_that_have_none_last(panel, visitor):
    insert_tasks(panel.database, ["off"], enabled=False, next_fire_at=None)
    insert_tasks(panel.database, ["later"], next_fire_at=FAR + timedelta(days=1))
    insert_tasks(panel.database, ["sooner"], next_fire_at=FAR)
    assert listed(visitor, "sort=4") == ["sooner", "later", "off"]
    assert listed(visitor, "sort=4&desc=1") == ["later", "sooner", "off"]
    assert listed(visitor, "sort=77") == ["later", "off", "sooner"]
    assert listed(visitor, "sort=2") == ["later", "off", "sooner"]


def test_what_cannot_be_counted_quickly_is_not_counted(panel, visitor, monkeypatch):
    monkeypatch.setattr(task_list, "COUNTED", 50)
    insert_tasks(panel.database, [f"job {number:03}" for number in range(75)])
    first = visitor.get("/tasks/").text
    assert "50+ tasks, page 1" in words_of(first)
    assert 'rel="next"' in first
    assert names_in(visitor.get("/tasks/?page=3").text)[0] == "job 060"
    last = visitor.get("/tasks/?page=3").text
    assert len(names_in(last)) == 15
    assert 'rel="next"' not in last
    assert listed(visitor, "page=3&sort=4")[-1] == "job 074"
    beyond = visitor.text("/tasks/?page=4&enabled=1")
    assert "There is no such page" in beyond
    assert "To the first page" in beyond


def test_a_row_shows_the_last_runs_in_words_and_bars(panel, visitor):
    task_id = panel.create_task(command="x" * 5000)
    for number in range(25):
        insert_run(
            panel.database,
            task_id=task_id,
            state=RunState.FAILED if number == 24 else RunState.SUCCESS,
            scheduled_at=FAR + timedelta(seconds=number),
            started_at=FAR,
            finished_at=FAR + timedelta(seconds=number),
        )
    page = visitor.get("/tasks/").text
    assert "Last 20 runs: 19 success, 1 failed; newest: failed" in page
    assert page.count('<rect class="spark-success"') == 19
    assert page.count('<rect class="spark-failed"') == 1
    assert 'title="At 02:30 every day, Europe/Berlin time"' in page
    assert "x" * 160 in page
    assert "x" * 161 not in page


def test_a_switch_answers_a_script_with_what_the_row_shows_then(panel, visitor):
    task_id = panel.create_task()

    def act(action):
        return visitor.client.post(
            "/tasks/action/",
            data={"csrf_token": visitor.token(), "action": action, "rowid": task_id},
            headers={"Accept": "application/json"},
        )

    answer = act("disable")
    assert answer.status_code == 200
    assert (answer.json["enabled"], answer.json["said"]) == (False, "1 task was disabled.")
    assert "02:30" not in answer.json["next"]
    assert not stored(panel.database, Task, task_id).enabled
    assert "02:30" in act("enable").json["next"]
    assert "1 task was" not in visitor.text("/tasks/")  # said once, to the script


def test_a_switch_that_cannot_be_turned_says_why(quick_panel):
    visitor = quick_panel.administrator()
    (task,) = insert_tasks(
        quick_panel.database, ["a"], enabled=False, exclude_calendars=["gone"], next_fire_at=None
    )
    answer = visitor.client.post(
        "/tasks/action/",
        data={"csrf_token": visitor.token(), "action": "enable", "rowid": task.id},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 409
    assert "gone" in answer.json["said"]
    assert answer.json["enabled"] is False
    assert not rows(quick_panel.database, Task)[0].enabled
