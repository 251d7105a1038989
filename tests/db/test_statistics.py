"""Counts for metrics: what is unfinished, what was due lately, what went wrong lately."""

from __future__ import annotations

from datetime import timedelta

from gocron.core.states import RunState
from gocron.db import statistics
from tests.helpers.rows import insert_run, insert_task, now_of

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def test_an_empty_database_has_every_state_and_none_of_it(database):
    counts = statistics.recent(database)
    assert counts.runs == dict.fromkeys(map(str, RunState), 0)
    assert (counts.tasks_enabled, counts.tasks_disabled) == (0, 0)


def test_ended_runs_count_for_an_hour_and_unfinished_ones_for_as_long_as_they_are(database):
    now = now_of(database)
    for number, age in enumerate((MINUTE, 59 * MINUTE, 61 * MINUTE, DAY)):
        for offset, state in enumerate((RunState.SUCCESS, RunState.QUEUED, RunState.RUNNING)):
            insert_run(database, scheduled_at=now - age, task_id=10 * number + offset, state=state)
    counts = statistics.recent(database).runs
    assert (counts["success"], counts["queued"], counts["running"]) == (2, 4, 4)


def test_missed_and_lost_runs_count_from_when_they_were_found_to_be(database):
    now = now_of(database)
    for task_id, state in enumerate((RunState.MISSED, RunState.LOST)):
        found_now = {"scheduled_at": now - DAY, "finished_at": now - MINUTE}
        found_long_ago = {"scheduled_at": now - 2 * DAY, "finished_at": now - DAY}
        for fields in (found_now, found_long_ago):
            insert_run(database, task_id=task_id, state=state, **fields)
    counts = statistics.recent(database).runs
    assert (counts["missed"], counts["lost"]) == (1, 1)


def test_tasks_are_counted_by_whether_they_are_enabled(database):
    for number in range(3):
        insert_task(database, f"task {number}", enabled=number > 0)
    counts = statistics.recent(database)
    assert (counts.tasks_enabled, counts.tasks_disabled) == (2, 1)
