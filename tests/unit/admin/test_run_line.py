"""The bar of a run's life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from admin.run_line import WIDTH, line_of
from gocron.core.states import RunState, Trigger
from gocron.db.run_queries import RunFacts

SLOT = datetime(2026, 1, 1, tzinfo=UTC)
NOW = SLOT + timedelta(seconds=100)


def run(state: RunState, began_s: float | None, ended_s: float | None, **fields) -> RunFacts:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else SLOT + timedelta(seconds=seconds)

    values: dict[str, Any] = {
        "id": 1,
        "task_id": 1,
        "task_name": "t",
        "scheduled_at": SLOT,
        "attempt": 0,
        "start_at": SLOT,
        "trigger": Trigger.SCHEDULE,
        "triggered_by": "",
        "state": state,
        "reason": "",
        "node": None,
        "term": None,
        "revision": 1,
        "created_at": SLOT - timedelta(seconds=1),
        "started_at": at(began_s),
        "finished_at": at(ended_s),
        "exit_code": None,
        "missed_until": None,
        "missed_count": None,
        "output_bytes": 0,
        "stop_requested_at": None,
        "stop_requested_by": "",
    }
    return RunFacts(**(values | fields))


def pieces(of: RunFacts) -> list[tuple[str, float]]:
    return [(piece.kind, piece.seconds) for piece in line_of(of, NOW)]


def test_a_run_waits_and_runs():
    late = run(RunState.SUCCESS, 25, 100)
    assert [(p.kind, p.x, p.width) for p in line_of(late, NOW)] == [
        ("waited", 0, 250),
        ("ran", 250, 750),
    ]


def test_what_has_not_ended_lasts_until_now():
    assert pieces(run(RunState.RUNNING, 10, None)) == [("waited", 10), ("ran", 90)]
    assert pieces(run(RunState.QUEUED, None, None)) == [("waited", 100)]


def test_of_what_never_began_nothing_is_drawn():
    assert pieces(run(RunState.MISSED, None, 50)) == []
    assert pieces(run(RunState.CANCELLED, None, 50)) == []


def test_an_old_slot_that_is_run_again_did_not_wait_since_then():
    again = run(
        RunState.SUCCESS, 12, 20, trigger=Trigger.BACKFILL, created_at=SLOT + timedelta(seconds=10)
    )
    assert pieces(again) == [("waited", 2), ("ran", 8)]


def test_short_pieces_are_seen_and_clocks_that_differ_do_no_harm():
    for began, ended in ((0.0001, 99), (99, 99.0001), (-0.5, 0), (0, 0)):
        for piece in line_of(run(RunState.SUCCESS, began, ended), NOW):
            assert 0 < piece.width <= WIDTH
