"""The life of a child process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gocron.core.child_state import (
    STABLE_S,
    TOO_OFTEN,
    ChildPhase,
    ChildState,
    died,
    ready,
    started,
    stopping,
)

UP = ready(started(ChildState(), 42, 100.0), 101.0)


def test_it_is_forked_gets_ready_and_runs():
    state = started(ChildState(), 42, 100.0)
    assert (state.phase, state.pid) == (ChildPhase.STARTING, 42)
    state = ready(state, 101.0)
    assert (state.phase, state.since) == (ChildPhase.RUNNING, 101.0)


@pytest.mark.parametrize(
    "phase", [phase for phase in ChildPhase if phase is not ChildPhase.STARTING]
)
def test_only_one_that_is_starting_gets_ready(phase):
    state = ChildState(phase, pid=42, since=7.0)
    assert ready(state, 101.0) == state


def test_the_first_death_is_answered_at_once_the_next_ones_later_and_later():
    state, now, waits = UP, 102.0, []
    while (state := died(state, "killed by SIGKILL", now)).phase is ChildPhase.BACKOFF:
        waits.append(state.restart_at - now)
        assert (state.pid, state.last_words) == (0, "killed by SIGKILL")
        now = state.restart_at
        state = ready(started(state, 43, now), now)
    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
    assert state.phase is ChildPhase.FATAL
    assert state.deaths == state.restarts == TOO_OFTEN


def test_one_that_never_gets_ready_is_given_up_on_as_well():
    state, now = ChildState(), 0.0
    for _ in range(TOO_OFTEN):
        state = died(started(state, 42, now), "exit code 1", now + 60)
        now += 100
    assert state.phase is ChildPhase.FATAL


@pytest.mark.parametrize(("up_s", "deaths"), [(STABLE_S - 0.01, 6), (STABLE_S, 1)])
def test_a_stable_time_earns_a_clean_slate(up_s, deaths):
    after = died(replace(UP, deaths=5, restarts=9), "exit code 1", UP.since + up_s)
    assert (after.deaths, after.restarts) == (deaths, 10)


def test_a_long_start_is_no_stable_time():
    state = replace(started(ChildState(), 42, 100.0), deaths=5)
    assert died(state, "exit code 1", 100.0 + 10 * STABLE_S).deaths == 6


def test_one_that_was_asked_to_end_stays_away():
    state = stopping(UP, 110.0)
    assert state.phase is ChildPhase.STOPPING
    state = died(state, "exit code 0", 111.0)
    assert (state.phase, state.pid, state.restarts) == (ChildPhase.STOPPED, 0, 0)


@pytest.mark.parametrize("phase", [ChildPhase.BACKOFF, ChildPhase.FATAL, ChildPhase.STOPPED])
def test_to_stop_one_that_has_no_process_is_done_at_once(phase):
    assert stopping(ChildState(phase), 110.0).phase is ChildPhase.STOPPED
