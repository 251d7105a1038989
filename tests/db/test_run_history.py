"""What became of the last week, counted piece by piece: the same as counted at once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from gocron.core.states import RunState, Trigger
from gocron.core.tally import LATE_STEPS_S, SPAN_S, span_of, start_of
from gocron.db import run_history
from gocron.db.models import Run
from gocron.db.run_history import RunHistory
from tests.helpers.rows import SECOND, insert_run, insert_runs, now_of

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def look(history: RunHistory, database, times: int = 1, budget_s: float = 9.0):
    for _time in range(times):
        with database.read() as connection:
            now = history.look(connection, database.dialect, budget_s)
    return now


def counted(history: RunHistory) -> Counter[str]:
    return history.tally().by_state(0, 2**40)


def ended(slot, state=RunState.SUCCESS, **fields):
    values = {"scheduled_at": slot, "created_at": slot, "state": state, "attempt": 0}
    values |= {"trigger": Trigger.SCHEDULE, "held_at": None}
    return values | {"started_at": slot, "finished_at": slot + SECOND} | fields


def test_an_empty_database_is_counted_at_once(database):
    history = RunHistory()
    look(history, database)
    assert history.complete
    assert counted(history) == {}


def test_slots_are_counted_in_their_span_also_at_its_edges(database):
    now = now_of(database)
    edge = start_of(span_of(now - 2 * HOUR))
    just_before = edge - timedelta(microseconds=1)
    insert_runs(database, [ended(just_before), ended(edge, RunState.FAILED)])
    history = RunHistory()
    look(history, database)
    span = span_of(edge)
    assert history.tally().states == {(span - 1, "success"): 1, (span, "failed"): 1}


def test_only_the_last_week_is_counted(database):
    now = now_of(database)
    ages = [8 * DAY, 7 * DAY + HOUR, 6 * DAY + 23 * HOUR, DAY, HOUR]
    insert_runs(database, [ended(now - age) for age in ages])
    history = RunHistory()
    look(history, database)
    assert counted(history) == {"success": 3}


def test_a_range_of_missed_slots_counts_as_many_and_where_they_were(database):
    start = start_of(span_of(now_of(database) - 5 * HOUR))
    until = start + timedelta(seconds=2 * SPAN_S)
    fields = {"missed_until": until, "missed_count": 300, "started_at": None}
    insert_runs(database, [ended(start, RunState.MISSED, **fields)])
    history = RunHistory()
    look(history, database)
    first = span_of(start)
    assert history.tally().states == {(first + n, "missed"): 100 for n in range(3)}


def test_runs_that_go_on_are_counted_when_they_have_ended(database):
    now = now_of(database)
    old = insert_run(database, **ended(now - 3 * HOUR, RunState.RUNNING, finished_at=None))
    gone = insert_run(database, **ended(now - 2 * HOUR, RunState.QUEUED, finished_at=None))
    new = insert_run(database, **ended(now, RunState.RUNNING, finished_at=None))
    history = RunHistory()
    look(history, database)
    assert counted(history) == {}
    with database.write() as connection:
        ends = update(Run).where(Run.id.in_([old, new]))
        connection.execute(ends.values(state="failed", finished_at=now))
        connection.execute(delete(Run).where(Run.id == gone))
    look(history, database, times=3)
    assert counted(history) == {"failed": 2}


def test_a_look_costs_a_piece_and_the_sum_is_the_same(database, monkeypatch):
    monkeypatch.setattr(run_history, "PIECE", 7)
    now = now_of(database)
    states = [state for state in RunState if state.ended and state != RunState.MISSED]
    insert_runs(
        database,
        [ended(now - (100 - n) * HOUR, states[n % len(states)], task_id=n % 9) for n in range(100)],
    )
    history = RunHistory()
    look(history, database, budget_s=0.0)
    began: bool = history.complete
    assert not began
    assert 0 < counted(history).total() < 100
    look(history, database, times=20, budget_s=0.0)
    assert history.complete
    assert counted(history).total() == 100
    look(history, database, times=3)
    whole = RunHistory()
    look(whole, database)
    assert whole.tally() == history.tally()
    assert whole.slowest(now) == history.slowest(now)


def test_what_comes_later_is_counted_once(database, monkeypatch):
    monkeypatch.setattr(run_history, "SETTLE", timedelta(seconds=0))
    monkeypatch.setattr(run_history, "PIECE", 3)
    now = now_of(database)
    insert_run(database, **ended(now - DAY))
    history = RunHistory()
    look(history, database)
    for number in range(40):
        insert_run(database, **ended(now - HOUR, attempt=number, created_at=now))
        if number % 4 == 0:
            look(history, database, budget_s=0.0)
    look(history, database, times=20, budget_s=0.0)
    assert history.complete
    assert counted(history) == {"success": 41}


def test_lateness_is_that_of_what_a_schedule_began_by_itself(database):
    slot = now_of(database) - 2 * HOUR
    late = {"started_at": slot + 0.4 * SECOND}
    insert_runs(
        database,
        [
            ended(slot, **late),
            ended(slot, attempt=1, started_at=slot + 99 * SECOND),
            ended(slot, attempt=2, trigger=Trigger.MANUAL, started_at=slot + 99 * SECOND),
            ended(slot, task_id=2, held_at=slot, started_at=slot + 99 * SECOND),
            ended(slot, RunState.SKIPPED, task_id=3, started_at=None),
        ],
    )
    history = RunHistory()
    look(history, database)
    assert history.tally().late == {(span_of(slot), LATE_STEPS_S.index(0.5)): 1}


def test_the_slowest_tasks_of_a_day_are_told_once_each(database):
    now = now_of(database)
    insert_runs(
        database,
        [
            ended(
                now - hours * HOUR,
                task_id=task,
                task_name=f"t{task}",
                finished_at=now - hours * HOUR + took * SECOND,
            )
            for hours, task, took in ((30, 1, 500), (20, 1, 9), (3, 1, 7), (3, 2, 8), (2, 3, 0.25))
        ],
    )
    history = RunHistory()
    look(history, database)
    found = [(one.task_name, round(one.took_s, 2)) for one in history.slowest(now)]
    assert found == [("t1", 9), ("t2", 8), ("t3", 0.25)]


def test_a_database_that_was_set_back_is_counted_anew(database):
    now = now_of(database)
    insert_runs(database, [ended(now - HOUR, task_id=n) for n in range(9)])
    history = RunHistory()
    look(history, database)
    with database.write() as connection:
        connection.execute(delete(Run).where(Run.task_id > 1))
    look(history, database)
    assert counted(history) == {"success": 2}


def test_a_database_that_goes_away_meanwhile_lets_nothing_count_twice(database, monkeypatch):
    now = now_of(database)
    insert_runs(database, [ended(now - HOUR, task_id=10 + n) for n in range(9)])
    going = insert_run(database, **ended(now - HOUR, RunState.RUNNING, finished_at=None))

    def fail(*_arguments):
        raise ConnectionError

    history = RunHistory()
    for _step in ("counting", "looking again"):
        with monkeypatch.context() as broken:
            broken.setattr(run_history._Reader, "longest", fail)
            with pytest.raises(ConnectionError):
                look(history, database)
        look(history, database)
        assert counted(history)["success"] == 9
        with database.write() as connection:
            connection.execute(update(Run).where(Run.id == going).values(state="failed"))
    look(history, database)
    assert counted(history) == {"success": 9, "failed": 1}


def test_many_that_wait_are_looked_at_in_turn(database, monkeypatch):
    monkeypatch.setattr(run_history, "OPEN_AT_ONCE", 3)
    slot = now_of(database) - HOUR
    waiting = [ended(slot, RunState.QUEUED, task_id=n, finished_at=None) for n in range(10)]
    insert_runs(database, waiting)
    history = RunHistory()
    look(history, database)
    with database.write() as connection:
        connection.execute(update(Run).where(Run.task_id == 9).values(state="skipped"))
    look(history, database, times=4)
    assert counted(history) == {"skipped": 1}
