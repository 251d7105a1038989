"""What became of a task's runs, by day and by duration; and its graph and its audit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gocron.core.daylight import stretch_at
from gocron.core.definition import define
from gocron.core.states import RunState
from gocron.db import task_audit, task_graph, task_history, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from tests.helpers.rows import insert_run, insert_runs, now_of

ADA = Actor("Ada", "192.0.2.7", "node-1")


def ended(
    slot: datetime, state: str = "success", seconds: float = 1.0, **more: Any
) -> dict[str, Any]:
    began = {"started_at": slot, "finished_at": slot + timedelta(seconds=seconds)}
    return {"task_id": 1, "scheduled_at": slot, "state": state, **began, **more}


def midnight(database: Database, days: int) -> datetime:
    """UTC, so many days ago."""
    today = now_of(database).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)


def test_runs_are_counted_by_day_and_state(database):
    day = midnight(database, 3)
    insert_runs(
        database,
        [
            ended(day),
            ended(day + timedelta(hours=23, minutes=59)),
            ended(day + timedelta(hours=1), "failed"),
            ended(day + timedelta(hours=24), "timeout"),
            ended(day, "failed", task_id=2),
            ended(day - timedelta(days=400)),
        ],
    )
    insert_run(database, **ended(day + timedelta(hours=2), "missed", missed_count=5))
    counted = task_history.days(database, 1, "UTC", 10)
    assert counted.complete
    found = counted.days
    assert [one.day for one in found] == [(midnight(database, 9 - n)).date() for n in range(10)]
    assert found[-4].counts == {RunState.SUCCESS: 2, RunState.FAILED: 1, RunState.MISSED: 5}
    assert (found[-4].good, found[-4].bad, found[-4].idle) == (2, 1, 5)
    assert (found[-3].good, found[-3].bad) == (0, 1)
    assert sum(sum(one.counts.values()) for one in found) == 9


def test_only_the_newest_runs_are_counted(database, monkeypatch):
    day = midnight(database, 3)
    insert_runs(database, [ended(day + timedelta(hours=n)) for n in range(30)])
    monkeypatch.setattr(task_history, "MOST_COUNTED", 10)
    counted = task_history.days(database, 1, "UTC", 10)
    assert not counted.complete
    # Of 24 and 6 a day the newest: all of the second day, four of the first.
    assert [one.good for one in counted.days][-4:] == [4, 6, 0, 0]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_days_are_those_of_the_zone(database, zone):
    slots = [midnight(database, 200) + timedelta(hours=7 * n + 0.2) for n in range(680)]
    slots = [slot for slot in slots if slot < now_of(database)]
    insert_runs(database, [ended(slot) for slot in slots])

    def day_of(slot: datetime) -> Any:
        offset = stretch_at(zone, int(slot.timestamp())).offset
        return (slot + timedelta(seconds=offset)).date()

    found = task_history.days(database, 1, zone, 182).days
    assert found[-1].day == day_of(now_of(database))
    for one in found:
        assert one.good == sum(1 for slot in slots if day_of(slot) == one.day), one.day


def test_durations_are_those_of_the_last_runs_that_ran(database):
    day = midnight(database, 2)
    runs = [ended(day + timedelta(minutes=n), seconds=n) for n in range(1, 11)]
    insert_runs(database, runs)
    skipped = {"task_id": 1, "state": "skipped"}
    later = day + timedelta(hours=1)
    insert_runs(
        database, [skipped | {"scheduled_at": later + timedelta(minutes=n)} for n in range(5)]
    )
    found = task_history.durations(database, 1, 5)
    assert [round(one.seconds) for one in found.runs] == [6, 7, 8, 9, 10]
    assert found.median_s == pytest.approx(8)
    assert found.p95_s == pytest.approx(9.8)
    assert task_history.durations(database, 2, 5) == task_history.Durations((), None, None)


def test_the_last_failures_are_found_by_the_days_that_have_some(database):
    first = midnight(database, 50)
    insert_runs(database, [ended(first + timedelta(days=n), "failed") for n in range(3)])
    insert_runs(database, [ended(first + timedelta(days=n)) for n in range(3, 40)])
    days = task_history.days(database, 1, "Asia/Tokyo", 100).days
    found = task_history.last_failures(database, 1, days, 2)
    assert [run.scheduled_at for run in found] == [
        first + timedelta(days=2),
        first + timedelta(days=1),
    ]
    assert (
        task_history.last_failures(database, 2, task_history.days(database, 2, "UTC", 9).days, 2)
        == ()
    )


def chain(database: Database, parents: dict[str, list[str]]) -> dict[str, int]:
    """Task -> id."""
    found = {}
    for name, above in parents.items():
        more: dict[str, Any] = {"depends_on": above} if above else {"spec": "@daily"}
        found[name] = tasks.create(database, define({"name": name, "command": "true"} | more), ADA)
    return found


def test_the_graph_has_all_levels_and_no_strangers(database):
    ids = chain(
        database,
        {"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "x": [], "y": ["x", "c"], "z": []},
    )
    found = task_graph.around(database, ids["c"], 50)
    assert {one.name for one in found.members.values()} == {"a", "b", "c", "d", "y"}
    edges = {
        (found.members[edge.parent_id].name, found.members[edge.task_id].name)
        for edge in found.edges
    }
    assert edges == {("a", "b"), ("b", "c"), ("c", "d"), ("c", "y")}
    assert found.complete
    alone = task_graph.around(database, ids["z"], 50)
    assert (list(alone.members), alone.edges) == ([ids["z"]], ())


def test_a_graph_that_is_too_big_has_the_nearest(database):
    ids = chain(database, {"a": []} | {f"b{n}": ["a"] for n in range(9)} | {"c": ["b0"]})
    found = task_graph.around(database, ids["a"], 6)
    assert len(found.members) == 6
    assert not found.complete
    assert "c" not in {one.name for one in found.members.values()}


def test_what_was_done_to_a_task_is_told_newest_first(database):
    ids = chain(database, {"a": [], "b": ["a"]})
    tasks.set_enabled(database, [ids["a"]], False, Actor("Bob"))
    run_id = tasks.run_now(database, ids["a"], ADA)
    found = task_audit.of_task(database, "a", 10)
    assert [(one.action, one.actor) for one in found] == [
        ("task.run", "Ada"),
        ("task.disable", "Bob"),
        ("task.create", "Ada"),
    ]
    assert found[0].detail == {"run": run_id}
    assert found[0].address == "192.0.2.7"
    assert len(task_audit.of_task(database, "a", 2)) == 2
