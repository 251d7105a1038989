"""Why a run is as it is, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask_babel import Babel

from admin.explanations import explain, is_late
from gocron.core.states import RunState, Trigger
from tests.unit.admin.test_run_line import SLOT, run

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        yield


def words(state: RunState, began: float | None = None, ended: float | None = None, **fields) -> str:
    return " ".join(explain(run(state, began, ended, **fields)))


def test_what_went_as_it_should_needs_no_explanation():
    assert words(RunState.SUCCESS, 0.2, 5) == ""
    assert words(RunState.RUNNING, 0.9) == ""
    assert words(RunState.FAILED, 0, 5, reason="exit code 1") == ""


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "its node had no room, or was busy"),
        ({"held_at": SLOT}, "it had to wait for other runs, a group or a pause"),
        ({"created_at": SLOT + 3 * SECOND}, "nobody led, or the leader was behind"),
        ({"start_at": SLOT + 3 * SECOND}, "it was handed over"),
    ],
)
def test_late_runs_say_why(fields, why):
    said = words(RunState.SUCCESS, 3.2, 5, **fields)
    assert said.startswith("It began 3.20 s after its slot: ")
    assert why in said


def test_a_task_that_spreads_its_starts_is_not_to_blame_a_node():
    late = run(RunState.SUCCESS, 25, 30)
    assert "spreads its starts over 30 s" in explain(late, jitter_s=30)[0]
    assert "no room" in explain(late, jitter_s=5)[0]


def test_only_what_begins_at_its_slot_can_be_late():
    assert is_late(run(RunState.SUCCESS, 2, 5))
    assert not is_late(run(RunState.SUCCESS, 0.5, 5))
    assert not is_late(run(RunState.SUCCESS, 99, 100, attempt=1))
    assert not is_late(run(RunState.SUCCESS, 99, 100, trigger=Trigger.DEPENDENCY))
    assert not is_late(run(RunState.MISSED, None, 100))


def test_each_bad_end_is_told_in_a_sentence():
    lost = words(RunState.LOST, 0, 9, node="n1", reason="no heartbeat for 15 s")
    assert lost.startswith("n1 ran it and went away")
    assert "no heartbeat for 15 s" in lost
    assert "rules of its task" in words(RunState.SKIPPED, reason="still going")
    missed = words(RunState.MISSED, reason="nobody led", missed_count=12)
    assert missed == "Nothing was run for 12 slots: nobody led."
    assert "1 slot:" in words(RunState.MISSED, reason="nobody led")
    assert "run for longer" in words(RunState.TIMEOUT, 0, 60)
    assert "before it began" in words(RunState.CANCELLED)
    assert "after 7.00 s" in words(RunState.CANCELLED, 0, 7)


def test_what_waits_says_for_what():
    assert "the group 'db' is full" in words(RunState.QUEUED, reason="the group 'db' is full")
    assert "waits for the leader" in words(RunState.QUEUED)
    assert "n1 starts it" in words(RunState.QUEUED, node="n1")
    assert "tries again" in words(RunState.QUEUED, node="n1", attempt=1)
    asked = words(RunState.RUNNING, 0, stop_requested_at=SLOT, stop_requested_by="ada")
    assert asked.startswith("ada asked for its end")


def test_reasons_are_words_and_never_formats():
    assert "100 %(x)s %d" in words(RunState.SKIPPED, reason="100 %(x)s %d")
