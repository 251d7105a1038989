"""What becomes of slots that are due, late or in each other's way."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gocron.core import firing
from gocron.core.firing import (
    MOST_SLOTS,
    DueTask,
    PlannedRun,
    QueuedRun,
    Skip,
    decide_start,
    missed_only,
    plan,
    settle,
)
from gocron.core.states import RunState
from gocron.core.timetable import parse

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
GRACE = timedelta(seconds=30)
AHEAD = timedelta(seconds=1.5)
SECOND = timedelta(seconds=1)
TINY = timedelta(microseconds=1)


def task(cursor: datetime, spec: str = "* * * * * *", **changes) -> DueTask:
    return replace(DueTask(5, "report", 3, cursor, spec, "UTC"), **changes)


def plan_at(due: DueTask, now: datetime, grace: timedelta = GRACE):
    return plan(due, parse(due.spec, due.timezone), now, now + AHEAD, grace)


def slots_of(run: PlannedRun, spec: str) -> list[datetime]:
    """The slots that a row answers for."""
    if run.missed_until is None:
        return [run.scheduled_at]
    return parse(spec, "UTC").between(run.scheduled_at - TINY, run.missed_until, 10**6)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# on time ----------------------------------------------------------------------------------------


def test_what_is_due_is_planned_and_the_cursor_moves_to_the_next_slot():
    made = plan_at(task(after(1)), NOON)
    assert made.runs == (PlannedRun(5, "report", 3, after(1)),)
    assert made.next_fire_at == after(2)


def test_within_the_grace_every_slot_runs_on_its_own():
    made = plan_at(task(after(-30)), NOON)
    assert [run.scheduled_at for run in made.runs] == [after(s) for s in range(-30, 2)]
    assert {run.state for run in made.runs} == {RunState.QUEUED}


def test_the_grace_ends_to_the_microsecond():
    cursor = after(-30)
    spec = "30 59 11 * * *"
    assert plan_at(task(cursor, spec), NOON).runs == (PlannedRun(5, "report", 3, cursor),)
    inside = plan_at(task(cursor), NOON)
    outside = plan_at(task(cursor), NOON + TINY)
    assert [run.state for run in inside.runs].count(RunState.QUEUED) == 32
    # One late slot is the newest late slot: it runs, but now by the policy for late slots.
    assert inside.runs[0] == outside.runs[0] == PlannedRun(5, "report", 3, cursor)
    one_late = plan_at(task(cursor - SECOND), NOON)
    assert {run.state for run in one_late.runs} == {RunState.QUEUED}
    two_late = plan_at(task(cursor - SECOND), NOON + TINY)
    assert [run.state for run in two_late.runs[:2]] == [RunState.MISSED, RunState.QUEUED]
    assert two_late.runs[0].missed_until == two_late.runs[0].scheduled_at == cursor - SECOND


def test_a_slot_beyond_the_horizon_stays_with_the_cursor():
    made = plan_at(task(after(60), "* * * * *"), NOON)
    assert (made.runs, made.next_fire_at) == ((), after(60))


def test_one_round_plans_so_many_slots_and_leaves_the_rest_to_the_next():
    grace = timedelta(hours=1)
    due, planned, rounds = task(after(-600)), [], 0
    while due.next_fire_at <= NOON + AHEAD:
        made = plan_at(due, NOON, grace)
        assert len(made.runs) <= MOST_SLOTS
        assert made.next_fire_at is not None
        planned += [run.scheduled_at for run in made.runs]
        due, rounds = replace(due, next_fire_at=made.next_fire_at), rounds + 1
    assert planned == [after(s) for s in range(-600, 2)]
    assert rounds == 6


def test_a_timetable_that_ends_leaves_no_cursor():
    class Once:
        def next_after(self, instant):
            return NOON if instant < NOON else None

        def latest_at_or_before(self, instant):
            return NOON if instant >= NOON else None

        def between(self, after, until, limit):
            return [NOON] if after < NOON <= until else []

        def count(self, after, until, limit):
            return len(self.between(after, until, limit))

    on_time = plan(task(NOON), Once(), NOON, NOON + AHEAD, GRACE)
    assert (len(on_time.runs), on_time.next_fire_at) == (1, None)
    now = NOON + timedelta(days=3)
    late = plan(task(NOON), Once(), now, now + AHEAD, GRACE)
    assert late.runs == (PlannedRun(5, "report", 3, NOON),)
    assert late.next_fire_at is None


def test_the_end_of_all_timetables_is_the_end_of_a_task():
    cursor = datetime(8999, 12, 31, 23, 59, tzinfo=UTC)
    made = plan_at(task(cursor, "* * * * *"), cursor)
    assert made.runs == (PlannedRun(5, "report", 3, cursor),)
    assert made.next_fire_at is None


# late -------------------------------------------------------------------------------------------


def test_of_late_slots_the_newest_runs_and_one_row_answers_for_the_others():
    made = plan_at(task(after(-3600), "* * * * *"), NOON)
    missed, newest, *on_time = made.runs
    assert missed.state is RunState.MISSED
    assert (missed.scheduled_at, missed.missed_until) == (after(-3600), after(-120))
    assert missed.missed_count == 59
    assert missed.reason.startswith("59 slots missed: ")
    assert (newest.scheduled_at, newest.state) == (after(-60), RunState.QUEUED)
    assert [run.scheduled_at for run in on_time] == [NOON]
    assert made.next_fire_at == after(60)


def test_one_missed_slot_is_one_slot():
    made = plan_at(task(after(-120), "* * * * *"), NOON - SECOND)
    missed = made.runs[0]
    assert (missed.missed_count, missed.scheduled_at) == (1, missed.missed_until)
    assert missed.reason.startswith("1 slot missed: ")


def test_very_many_missed_slots_are_counted_up_to_a_limit_and_said_so(monkeypatch):
    monkeypatch.setattr(firing, "MOST_COUNTED", 1000)
    made = plan_at(task(after(-86_400)), NOON)
    assert made.runs[0].missed_count == 1000
    assert made.runs[0].reason.startswith("at least 1000 slots missed: ")
    assert made.runs[0].missed_until == made.runs[1].scheduled_at - SECOND


def test_a_cursor_of_years_ago_costs_one_round():
    made = plan_at(task(datetime(1999, 1, 1, tzinfo=UTC)), NOON)
    assert made.runs[0].missed_count == firing.MOST_COUNTED
    assert made.next_fire_at == after(2)


def test_a_policy_for_late_slots_that_only_a_newer_version_knows_stops_nobody():
    made = plan_at(task(after(-3600), "* * * * *", misfire="run_backwards"), NOON)
    assert made == replace(plan_at(task(after(-3600), "* * * * *"), NOON), task=made.task), (
        "it is treated as the default"
    )


def test_slots_that_a_pause_skipped_are_one_row_or_none():
    slots = parse("* * * * *", "UTC")
    found = missed_only(task(NOON, "* * * * *"), slots, after(130), "the task was disabled")
    assert [(run.scheduled_at, run.missed_until, run.missed_count) for run in found] == [
        (NOON, after(120), 3)
    ]
    assert missed_only(task(after(60), "* * * * *"), slots, after(59), "nothing was due") == []


SPECS = ["* * * * * *", "*/7 * * * * *", "* * * * *", "0 */20 * * * *", "@every 90s", "@daily",
         "0,1,59 * * * * *", "0 0 29 2 *"]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
def test_every_slot_between_cursor_and_horizon_ends_in_exactly_one_row(spec):
    chance = random.Random(spec)
    slots = parse(spec, "UTC")
    for _ in range(150):
        now = NOON + timedelta(seconds=chance.uniform(0, 10**6))
        late_s = chance.choice([0, 0.5, 29.999, 30, 31, 100, 5_000, 10**5]) * chance.random()
        grace = timedelta(seconds=chance.choice([0.001, 1, 30, 300, 3600]))
        cursor = slots.next_after(now - timedelta(seconds=late_s))
        assert cursor is not None
        rows: list[datetime] = []
        due, first = task(cursor, spec), cursor
        while due.next_fire_at <= now + AHEAD:
            made = plan(due, slots, now, now + AHEAD, grace)
            for run in made.runs:
                answered = slots_of(run, spec)
                assert run.missed_count in (None, len(answered))
                assert answered[0] == run.scheduled_at
                late = run.scheduled_at < now - grace
                assert late or run.state is RunState.QUEUED
                rows += answered
            queued_late = [
                run
                for run in made.runs
                if run.state is RunState.QUEUED and run.scheduled_at < now - grace
            ]
            assert len(queued_late) <= 1, "of late slots at most one runs"
            assert made.next_fire_at is not None
            assert made.next_fire_at > due.next_fire_at, "the cursor strictly grows"
            due = replace(due, next_fire_at=made.next_fire_at)
        assert rows == slots.between(first - TINY, now + AHEAD, 10**6)
        assert due.next_fire_at == slots.next_after(now + AHEAD)


# queued by a leader that is no more -------------------------------------------------------------


def queued(run_id: int, late_s: float, *, task_id: int = 5, cursor_late_s: float | None = -60,
           scheduled: bool = True) -> QueuedRun:  # fmt: skip
    cursor = None if cursor_late_s is None else after(-cursor_late_s)
    return QueuedRun(run_id, task_id, scheduled, after(-late_s), cursor)


def test_of_late_queued_runs_only_the_newest_runs():
    waiting = [queued(3, 40), queued(1, 100), queued(2, 70)]
    assert sorted(settle(waiting, NOON, GRACE)) == [1, 2]


def test_not_even_the_newest_runs_when_the_cursor_holds_a_newer_late_slot():
    waiting = [queued(1, 100, cursor_late_s=31), queued(2, 70, cursor_late_s=31)]
    assert sorted(settle(waiting, NOON, GRACE)) == [1, 2]


@pytest.mark.parametrize("cursor_late_s", [30, 0, -60, None])
def test_a_cursor_that_is_on_time_or_gone_takes_nothing_from_the_newest(cursor_late_s):
    waiting = [queued(1, 100, cursor_late_s=cursor_late_s)]
    assert settle(waiting, NOON, GRACE) == []


def test_the_grace_of_queued_runs_ends_where_that_of_slots_does():
    assert settle([queued(1, 30), queued(2, 29)], NOON, GRACE) == []
    assert settle([queued(1, 30.000001), queued(2, 31)], NOON, GRACE) == [2]


def test_runs_within_the_grace_all_run():
    assert settle([queued(n, n) for n in range(30)], NOON, GRACE) == []


def test_what_a_person_asked_for_is_never_too_late():
    waiting = [queued(n, 9_999 + n, scheduled=False, cursor_late_s=99) for n in range(5)]
    assert settle(waiting, NOON, GRACE) == []


def test_tasks_are_settled_each_by_itself():
    waiting = [queued(1, 100, task_id=1), queued(2, 90, task_id=2), queued(3, 95, task_id=2)]
    assert settle(waiting, NOON, GRACE) == [3]


# at the moment of starting ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overlap", "most", "active", "reason"),
    [
        ("skip", 0, 0, None),
        ("skip", 0, 1, "the previous run is still going (overlap: skip)"),
        ("skip", 9, 1, "the previous run is still going (overlap: skip)"),
        ("parallel", 0, 0, None),
        ("parallel", 0, 1000, None),
        ("parallel", 2, 0, None),
        ("parallel", 2, 1, None),
        ("parallel", 2, 2, "2 runs are going, at most 2 may (overlap: parallel)"),
        ("parallel", 2, 3, "3 runs are going, at most 2 may (overlap: parallel)"),
        ("a newer policy", 0, 0, None),
        ("a newer policy", 0, 1, "the previous run is still going (overlap: a newer policy)"),
    ],
)
def test_whether_a_run_may_start(overlap, most, active, reason):
    assert decide_start(overlap, most, active) == (reason and Skip(reason))
