"""The first page: right figures, what needs attention, and the same again as JSON."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.helpers.panel import Panel, Visitor, words_of
from tests.helpers.rows import insert_run, insert_task, now_of

JSON = {"Accept": "application/json"}
HOSTILE = "<script>alert(1)</script>'\"&\u202e" + "x" * 80
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def ended(panel: Panel, state: str, ago: timedelta, **fields) -> int:
    at = now_of(panel.database) - ago
    times = {"scheduled_at": at, "created_at": at, "finished_at": at}
    started = {} if state in ("missed", "skipped") else {"started_at": at}
    return insert_run(panel.database, state=state, **times, **started, **fields)


def card(page: str, name: str) -> str:
    found = re.search(rf'id="{name}">(.*?)<div class="col-12', page, re.S)
    assert found, name
    return words_of(found[1])


def test_an_empty_installation_is_welcomed_with_what_to_do(panel, visitor):
    text = visitor.text("/")
    for words in ("Create the first task", "Watch it run", "Add a second node"):
        assert words in text
    assert visitor.get("/overview", headers=JSON).json["empty"]
    assert "chart.js" not in visitor.get("/").text
    panel.create_task()
    panel.look_anew()
    assert "Create the first task" not in visitor.text("/")
    assert not visitor.get("/overview", headers=JSON).json["empty"]


def test_the_figures_are_those_of_the_last_day(panel, visitor):
    panel.create_task()
    for number, state in enumerate(("success",) * 6 + ("failed", "timeout", "lost", "skipped")):
        ended(panel, state, number * HOUR, task_id=1 + number)
    ended(panel, "missed", HOUR, task_id=50, missed_count=30, missed_until=now_of(panel.database))
    ended(panel, "failed", 26 * HOUR, task_id=51)
    insert_run(panel.database, task_id=60, state="running", started_at=now_of(panel.database))
    insert_run(panel.database, task_id=61, state="queued")
    text = visitor.text("/")
    for words in (
        "Running now 1 1 wait",
        "Success, 24 h 66.6 % 6 succeeded",
        "Failures, 24 h 3 ",
        "Not run, 24 h 31 30 missed, 1 skipped",
        "Tasks enabled 1 on 1 node",
        "Lateness, last hour < 0.01 s",
    ):
        assert words in text, words
    answer = visitor.get("/overview", headers=JSON).json
    assert answer["complete"]
    sums = {
        chart: {s["state"]: sum(s["counts"]) for s in answer["charts"][chart]["stacks"]}
        for chart in ("day", "week")
    }
    assert sums["day"] == {
        "success": 6,
        "failed": 1,
        "timeout": 1,
        "lost": 1,
        "skipped": 1,
        "missed": 30,
        "cancelled": 0,
    }
    assert sums["week"] == sums["day"] | {"failed": 2}
    assert len(answer["charts"]["day"]["labels"]) == 25


def test_what_failed_is_listed_newest_first_with_its_reason(panel, visitor):
    ended(panel, "failed", 25 * HOUR, task_name="too old", reason="because 4", task_id=4)
    old = ended(panel, "failed", 2 * HOUR, task_name="first", reason="because 1")
    new = ended(panel, "timeout", HOUR, task_name="second", reason="because 2", task_id=2)
    ended(panel, "success", HOUR, task_name="third", reason="because 3", task_id=3)
    page = visitor.get("/").text
    failures = card(page, "failures")
    assert failures.index("second because 2") < failures.index("first because 1")
    assert "because 3" not in failures
    assert "too old" not in page
    assert f'href="/runs/{old}/"' in page
    assert f'href="/runs/{new}/"' in page


def test_tasks_that_fail_most_and_take_longest_are_told(panel, visitor):
    for hours in (4, 3, 2):  # as in life: what is older has the lower id
        ended(panel, "failed", hours * HOUR, task_id=7, task_name="often")
    ended(panel, "lost", HOUR, task_id=8, task_name="once")
    slot = now_of(panel.database) - HOUR
    long = {"scheduled_at": slot, "created_at": slot, "started_at": slot}
    insert_run(
        panel.database,
        task_id=9,
        task_name="slow",
        state="success",
        finished_at=slot + 83 * MINUTE / 60,
        **long,
    )
    insert_run(panel.database, task_id=10, task_name="going", state="running", **long)
    page = visitor.get("/").text
    assert "often 3 failures once 1 failure" in card(page, "failing")
    assert re.search(r"running going 1 h .*24 h slow 1 min 23 s", card(page, "longest"))


def test_what_should_have_run_and_did_not_is_told(panel, visitor):
    now = now_of(panel.database)
    insert_task(panel.database, "overdue task", next_fire_at=now - HOUR, enabled=True)
    insert_task(panel.database, "broken task", next_fire_at=None, broken="its calendar is gone")
    insert_task(panel.database, "in time", next_fire_at=now - timedelta(seconds=5))
    insert_task(panel.database, "switched off", next_fire_at=now - HOUR, enabled=False)
    ended(
        panel, "missed", HOUR, task_id=90, task_name="missing", missed_count=12, reason="no leader"
    )
    ended(panel, "skipped", HOUR, task_id=91, task_name="skipping", reason="still going")
    text = card(visitor.get("/").text, "not-run")
    assert "overdue overdue task" in text
    assert "broken broken task its calendar is gone" in text
    assert "in time" not in text
    assert "switched off" not in text
    assert "missed missing no leader 12 slots skipped skipping still going 1 slot" in text


def test_the_next_hour_is_shown_minute_by_minute(panel, visitor):
    now = now_of(panel.database)
    soon = now.replace(second=0, microsecond=0) + 5 * MINUTE
    insert_task(panel.database, "each ten", spec="0 */10 * * * *", next_fire_at=soon)
    insert_task(panel.database, "once", spec="@yearly", next_fire_at=soon)
    insert_task(panel.database, "far", spec="@yearly", next_fire_at=now + 3 * HOUR)
    page = visitor.get("/").text
    marks = re.findall(r'class="mark mark-(\d)" aria-label="([^"]*)"', page)
    assert marks[0] == ("2", f"{soon:%H:%M}: each ten, once")
    assert 6 <= len(marks) <= 7
    assert all(mark == ("1", f"{mark[1][:4]}0: each ten") for mark in marks[1:])
    assert "far" in card(page, "next")


def test_hostile_names_and_reasons_harm_nothing(quick_panel):
    visitor: Visitor = quick_panel.administrator()
    insert_task(
        quick_panel.database,
        HOSTILE,
        next_fire_at=now_of(quick_panel.database) + MINUTE,
        broken=HOSTILE,
    )
    for number, state in enumerate(("failed", "missed", "success", "running")):
        ended(quick_panel, state, number * MINUTE, task_id=1, task_name=HOSTILE, reason=HOSTILE)
    answer: Any = visitor.get("/overview", headers=JSON).json
    parts = answer["parts"].values()
    for page in (visitor.get("/").text, "".join(parts)):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert not re.search(r"\s(style|on\w+)=", page)


def test_nobody_else_is_told(quick_panel):
    assert quick_panel.visitor().get("/overview", headers=JSON).status_code == 401


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_hours_are_those_of_the_installation(quick_panel, zone, monkeypatch):
    monkeypatch.setattr("admin.overview.home_zone", lambda: ZoneInfo(zone))
    ended(quick_panel, "success", HOUR)
    charts = quick_panel.administrator().get("/overview", headers=JSON).json["charts"]
    assert all(label.endswith(":00") for label in charts["day"]["labels"])
