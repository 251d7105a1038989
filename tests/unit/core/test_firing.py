"""What becomes of slots that are due or late, and of rows that were queued for them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gocron.core import firing
from gocron.core.firing import (
    MOST_SLOTS,
    DueTask,
    Plan,
    PlannedRun,
    QueuedRun,
    missed_only,
    plan,
    settle,
)
from gocron.core.jitter import jitter_of
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import Rules, parse

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
GRACE = timedelta(seconds=30)
AHEAD = timedelta(seconds=1.5)
SECOND = timedelta(seconds=1)
TINY = timedelta(microseconds=1)
EVERY_SECOND = "* * * * * *"
EVERY_MINUTE = "* * * * *"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def task(cursor: datetime, spec: str = EVERY_SECOND, **changes) -> DueTask:
    return replace(DueTask(5, "report", 3, cursor, spec, "UTC"), **changes)


def plan_at(due: DueTask, now: datetime = NOON, grace: timedelta = GRACE) -> Plan:
    return plan(due, parse(due.spec, due.timezone), now, now + AHEAD, grace)


def queued_row(slot: datetime, **changes) -> PlannedRun:
    return replace(PlannedRun(5, "report", 3, slot, start_at=slot), **changes)


def story(made: Plan) -> list[str]:
    """The rows, in short: ``11:58 missed to 11:59 (2)``, ``12:00 queued``."""
    return [_told(run) for run in made.runs]


def _told(run: PlannedRun) -> str:
    words = [f"{run.scheduled_at:%H:%M:%S}".removesuffix(":00"), str(run.state)]
    if run.missed_until is not None:
        words.append(f"to {run.missed_until:%H:%M:%S}".removesuffix(":00"))
        words.append(f"({run.missed_count})")
    if run.trigger is not Trigger.SCHEDULE:
        words.append(run.trigger)
    return " ".join(words)


def slots_of(run: PlannedRun, spec: str) -> list[datetime]:
    """The slots that a row answers for."""
    if run.missed_until is None:
        return [run.scheduled_at]
    return parse(spec, "UTC").between(run.scheduled_at - TINY, run.missed_until, 10**6)


# on time ----------------------------------------------------------------------------------------


def test_what_is_due_is_planned_and_the_cursor_moves_to_the_next_slot():
    made = plan_at(task(after(1)))
    assert made.runs == (queued_row(after(1)),)
    assert made.next_fire_at == after(2)


def test_within_the_grace_every_slot_runs_on_its_own():
    made = plan_at(task(after(-30)))
    assert made.runs == tuple(queued_row(after(s)) for s in range(-30, 2))


@pytest.mark.parametrize("misfire", ["run_once", "skip", "run_all"])
def test_no_policy_touches_what_is_on_time(misfire):
    made = plan_at(task(after(-60), EVERY_MINUTE, misfire=misfire, misfire_grace=60))
    assert story(made) == ["11:59 queued", "12:00 queued"]


def test_the_grace_ends_to_the_microsecond():
    due = task(after(-60), EVERY_MINUTE, misfire="skip")
    assert story(plan_at(due, after(-30))) == ["11:59 queued"]
    assert story(plan_at(due, after(-30) + TINY)) == ["11:59 missed to 11:59 (1)"]


def test_a_task_may_have_a_grace_of_its_own_longer_or_shorter():
    due = task(after(-60), EVERY_MINUTE, misfire="skip")
    assert story(plan_at(due, after(-20)))[0] == "11:59 missed to 11:59 (1)"
    assert story(plan_at(replace(due, misfire_grace=40), after(-20)))[0] == "11:59 queued"
    assert story(plan_at(replace(due, misfire_grace=5), after(-54)))[0].startswith("11:59 missed")
    assert story(plan_at(replace(due, misfire_grace=5), after(-55)))[0] == "11:59 queued"


def test_a_slot_beyond_the_horizon_stays_with_the_cursor():
    made = plan_at(task(after(60), EVERY_MINUTE))
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


@pytest.mark.parametrize("misfire", ["run_once", "run_all"])
def test_a_timetable_that_ends_leaves_no_cursor(misfire):
    due = task(NOON, "@at 2026-05-01T12:00", misfire=misfire)
    on_time = plan_at(due)
    assert (on_time.runs, on_time.next_fire_at) == ((queued_row(NOON),), None)
    late = plan_at(due, NOON + timedelta(days=3))
    assert ([run.state for run in late.runs], late.next_fire_at) == ([RunState.QUEUED], None)


def test_the_end_of_all_timetables_is_the_end_of_a_task():
    cursor = datetime(8999, 12, 31, 23, 59, tzinfo=UTC)
    made = plan_at(task(cursor, EVERY_MINUTE), cursor)
    assert made.runs == (queued_row(cursor),)
    assert made.next_fire_at is None


@pytest.mark.parametrize("followed", [True, False])
def test_a_run_is_marked_if_something_comes_after_its_end_and_a_missed_slot_never_is(followed):
    made = plan_at(task(after(-180), EVERY_MINUTE, followed=followed))
    assert [(run.state, run.follow_up) for run in made.runs] == [
        (RunState.MISSED, False),
        (RunState.QUEUED, followed),
        (RunState.QUEUED, followed),
    ]


# late -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situation", "rows"),
    [
        (
            {"misfire": "run_once"},
            ["11:55 missed to 11:58 (4)", "11:59 queued", "12:00 queued"],
        ),
        (
            {"misfire": "skip"},
            ["11:55 missed to 11:59 (5)", "12:00 queued"],
        ),
        (
            {"misfire": "run_all"},
            [
                "11:55 queued catch_up",
                "11:56 queued catch_up",
                "11:57 queued catch_up",
                "11:58 queued catch_up",
                "11:59 queued catch_up",
                # It is on time, but must not be skipped because one of those is going.
                "12:00 queued catch_up",
            ],
        ),
        (
            {"misfire": "run_all", "catch_up_limit": 2},
            [
                "11:55 queued catch_up",
                "11:56 queued catch_up",
                "11:57 missed to 11:59 (3)",
                "12:00 queued catch_up",
            ],
        ),
        (
            {"misfire": "run_all", "catch_up_limit": 5},
            [f"11:{minute} queued catch_up" for minute in range(55, 60)]
            + ["12:00 queued catch_up"],
        ),
        (
            {"misfire": "run_all", "catch_up_limit": 4},
            [f"11:{minute} queued catch_up" for minute in range(55, 59)]
            + ["11:59 missed to 11:59 (1)", "12:00 queued catch_up"],
        ),
        (
            {"misfire": "skip", "misfire_grace": 150},
            ["11:55 missed to 11:57 (3)", "11:58 queued", "11:59 queued", "12:00 queued"],
        ),
        (
            {"misfire": "only a newer version knows it"},
            ["11:55 missed to 11:58 (4)", "11:59 queued", "12:00 queued"],
        ),
    ],
)
def test_what_five_minutes_without_a_leader_leave(situation, rows):
    made = plan_at(task(after(-300), EVERY_MINUTE, **situation))
    assert story(made) == rows
    assert made.next_fire_at == after(60)


@pytest.mark.parametrize(
    ("misfire", "rows"),
    [
        ("run_once", ["11:59 queued"]),
        ("skip", ["11:59 missed to 11:59 (1)"]),
        ("run_all", ["11:59 queued catch_up"]),
    ],
)
def test_what_becomes_of_a_single_late_slot(misfire, rows):
    assert story(plan_at(task(after(-60), EVERY_MINUTE, misfire=misfire), after(-5))) == rows


def test_a_range_begins_at_its_first_slot_even_if_the_cursor_is_none():
    # A calendar or window was changed: the cursor is a slot no more.
    made = plan_at(task(after(-290), EVERY_MINUTE, misfire="skip"))
    assert story(made) == ["11:56 missed to 11:59 (4)", "12:00 queued"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "4 slots missed: nobody scheduled in time; the newest late slot runs instead"),
        ({"misfire": "skip"}, "5 slots missed: nobody scheduled in time (misfire: skip)"),
        (
            {"misfire": "run_all", "catch_up_limit": 4},
            "1 slot missed: nobody scheduled in time, and at most 4 are caught up on",
        ),
    ],
)
def test_a_missed_row_says_why(changes, reason):
    made = plan_at(task(after(-300), EVERY_MINUTE, **changes))
    assert [run.reason for run in made.runs if run.state is RunState.MISSED] == [reason]
    assert {run.reason for run in made.runs if run.state is RunState.QUEUED} == {""}


def test_very_many_missed_slots_are_counted_up_to_a_limit_and_said_so(monkeypatch):
    monkeypatch.setattr(firing, "MOST_COUNTED", 1000)
    made = plan_at(task(after(-86_400)))
    assert made.runs[0].missed_count == 1000
    assert made.runs[0].reason.startswith("at least 1000 slots missed: ")
    assert made.runs[0].missed_until == made.runs[1].scheduled_at - SECOND


@pytest.mark.parametrize("misfire", ["run_once", "skip", "run_all"])
def test_a_cursor_of_years_ago_costs_one_round(misfire):
    made = plan_at(task(datetime(1999, 1, 1, tzinfo=UTC), misfire=misfire))
    assert max(run.missed_count or 0 for run in made.runs) == firing.MOST_COUNTED
    assert len(made.runs) < 150
    assert made.next_fire_at == after(2)


def test_nothing_is_late_outside_the_window():
    due = task(after(-300), EVERY_MINUTE, misfire="run_all")
    slots = parse(EVERY_MINUTE, "UTC", Rules(ends_at=after(-200)))
    made = plan(due, slots, NOON, NOON + AHEAD, GRACE)
    assert story(made) == ["11:55 queued catch_up", "11:56 queued catch_up"]
    assert made.next_fire_at is None


def test_slots_that_a_pause_skipped_are_one_row_or_none():
    slots = parse(EVERY_MINUTE, "UTC")
    found = missed_only(task(NOON, EVERY_MINUTE), slots, after(130), "the task was disabled")
    assert [(run.scheduled_at, run.missed_until, run.missed_count) for run in found] == [
        (NOON, after(120), 3)
    ]
    assert missed_only(task(after(60), EVERY_MINUTE), slots, after(59), "nothing was due") == []


# jitter -----------------------------------------------------------------------------------------


def test_with_jitter_a_run_keeps_its_slot_and_begins_later():
    made = plan_at(task(NOON, "@daily", jitter=600), NOON)
    assert made.runs == ()
    midnight = datetime(2026, 5, 2, tzinfo=UTC)
    (run,) = plan_at(task(midnight, "@daily", jitter=600), midnight).runs
    assert run == queued_row(midnight, start_at=midnight + jitter_of("report", midnight, 600))
    assert run.start_at != midnight


def test_jitter_never_reaches_the_next_slot():
    made = plan_at(task(after(-3600), EVERY_MINUTE, jitter=3600, misfire="run_all"))
    late = [run.start_at - run.scheduled_at for run in made.runs if run.start_at is not None]
    assert len(late) > 50
    assert timedelta() <= min(late) < max(late) < timedelta(minutes=1)
    per_second = plan_at(task(after(-5), jitter=3600))
    assert [run.start_at for run in per_second.runs] == [after(s) for s in range(-5, 2)]


def test_a_slot_whose_run_is_yet_to_begin_is_not_late():
    midnight = datetime(2026, 5, 2, tzinfo=UTC)
    begins = midnight + jitter_of("report", midnight, 600)
    assert begins > midnight + 2 * GRACE
    due = task(midnight, "@daily", jitter=600, misfire="skip")
    for now, state in [
        (begins - SECOND, RunState.QUEUED),
        (begins + GRACE, RunState.QUEUED),
        (begins + GRACE + TINY, RunState.MISSED),
    ]:
        assert [run.state for run in plan_at(due, now).runs] == [state]


# every slot ends in exactly one row ---------------------------------------------------------------

SPECS = [EVERY_SECOND, "*/7 * * * * *", EVERY_MINUTE, "0 */20 * * * *", "@every 90s", "@daily",
         "0,1,59 * * * * *", "0 0 29 2 *"]  # fmt: skip


@pytest.mark.parametrize("misfire", ["run_once", "skip", "run_all"])
@pytest.mark.parametrize("spec", SPECS)
def test_every_slot_between_cursor_and_horizon_ends_in_exactly_one_row(spec, misfire):
    chance = random.Random(spec + misfire)
    slots = parse(spec, "UTC")
    for _ in range(60):
        now = NOON + timedelta(seconds=chance.uniform(0, 10**6))
        late_s = chance.choice([0, 0.5, 29.999, 30, 31, 100, 5_000, 10**5]) * chance.random()
        grace = timedelta(seconds=chance.choice([0.001, 1, 30, 300, 3600]))
        first = slots.next_after(now - timedelta(seconds=late_s))
        assert first is not None
        due = task(
            first,
            spec,
            misfire=misfire,
            catch_up_limit=chance.choice([1, 3, 100]),
            jitter=chance.choice([0, 0, 5, 3600]),
            misfire_grace=chance.choice([None, None, 1, 3600]),
        )
        if due.misfire_grace is not None:
            grace = timedelta(seconds=due.misfire_grace)
        rows: list[datetime] = []
        queued_late = 0
        while due.next_fire_at <= now + AHEAD:
            made = plan(due, slots, now, now + AHEAD, grace)
            for run in made.runs:
                answered = slots_of(run, spec)
                assert run.missed_count in (None, len(answered))
                assert answered[0] == run.scheduled_at
                rows += answered
                if run.state is RunState.QUEUED:
                    assert run.start_at is not None
                    assert run.start_at >= run.scheduled_at
                    queued_late += run.start_at < now - grace
                else:
                    assert run.missed_until is not None
                    assert run.missed_until < now - grace, "what is on time is never missed"
            assert made.next_fire_at is not None
            assert made.next_fire_at > due.next_fire_at, "the cursor strictly grows"
            due = replace(due, next_fire_at=made.next_fire_at)
        assert rows == slots.between(first - TINY, now + AHEAD, 10**6)
        assert due.next_fire_at == slots.next_after(now + AHEAD)
        limit = {"run_once": 1, "skip": 0, "run_all": due.catch_up_limit}[misfire]
        assert queued_late <= limit


# queued by a leader that is no more -------------------------------------------------------------


def queued(
    run_id: int, late_s: float, *, cursor_late_s: float | None = -60, **changes
) -> QueuedRun:
    cursor = None if cursor_late_s is None else after(-cursor_late_s)
    return replace(QueuedRun(run_id, 5, True, after(-late_s), cursor), **changes)


NEWER = "nobody started it in time; a newer slot runs instead"
SKIPPED = "nobody started it in time (misfire: skip)"


@pytest.mark.parametrize(
    ("misfire", "missed"),
    [
        ("run_once", {1: NEWER, 2: NEWER}),
        ("skip", {1: SKIPPED, 2: SKIPPED, 3: SKIPPED}),
        ("run_all", {}),
        ("only a newer version knows it", {1: NEWER, 2: NEWER}),
    ],
)
def test_of_late_queued_runs_those_run_that_the_policy_lets(misfire, missed):
    late = [queued(3, 40), queued(1, 100), queued(2, 70), queued(4, 30), queued(5, -1)]
    waiting = [replace(run, misfire=misfire) for run in late]
    assert settle(waiting, NOON, GRACE) == missed


def test_not_even_the_newest_runs_when_the_cursor_holds_a_newer_late_slot():
    waiting = [queued(1, 100, cursor_late_s=31), queued(2, 70, cursor_late_s=31)]
    assert settle(waiting, NOON, GRACE) == {1: NEWER, 2: NEWER}


@pytest.mark.parametrize("cursor_late_s", [30, 0, -60, None])
def test_a_cursor_that_is_on_time_or_gone_takes_nothing_from_the_newest(cursor_late_s):
    assert settle([queued(1, 100, cursor_late_s=cursor_late_s)], NOON, GRACE) == {}


def test_the_grace_of_queued_runs_ends_where_that_of_slots_does():
    assert settle([queued(1, 30), queued(2, 29)], NOON, GRACE) == {}
    assert settle([queued(1, 30.000001, misfire="skip")], NOON, GRACE) == {1: SKIPPED}


def test_a_task_may_have_a_grace_of_its_own_for_queued_runs_too():
    late = queued(1, 40, misfire="skip")
    assert settle([replace(late, misfire_grace=40)], NOON, GRACE) == {}
    assert settle([replace(late, misfire_grace=39)], NOON, GRACE) == {1: SKIPPED}
    once = queued(1, 100, cursor_late_s=31, misfire_grace=60)
    assert settle([once], NOON, GRACE) == {}, "the slot at the cursor is on time for this task"


def test_runs_within_the_grace_all_run():
    assert settle([queued(n, n) for n in range(30)], NOON, GRACE) == {}


@pytest.mark.parametrize("misfire", ["run_once", "skip", "run_all"])
def test_what_a_person_asked_for_or_was_told_to_wait_is_never_too_late(misfire):
    waiting = [
        queued(n, 9_999 + n, scheduled=False, cursor_late_s=99, misfire=misfire) for n in range(5)
    ]
    assert settle(waiting, NOON, GRACE) == {}


def test_tasks_are_settled_each_by_itself():
    waiting = [queued(1, 100, task_id=1), queued(2, 90, task_id=2), queued(3, 95, task_id=2)]
    assert settle(waiting, NOON, GRACE) == {3: NEWER}
