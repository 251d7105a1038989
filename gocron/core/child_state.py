"""The life of a child process, as a pure state machine.

::

    STARTING --ready--> RUNNING --died--> BACKOFF --due--> STARTING
        |                  |                 |
        +----died----------+                 +--too often--> FATAL
    any --stop asked--> STOPPING --died--> STOPPED

A child that has been up for ``STABLE_S`` has earned a clean slate. One that dies ``TOO_OFTEN``
times without is given up on: the node says so and lets go of leadership.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from gocron.core.backoff import delay

STABLE_S = 30.0
TOO_OFTEN = 8
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0


class ChildPhase(Enum):
    """Numbers are what the shared board stores."""

    STOPPED = 0
    STARTING = 1
    RUNNING = 2
    BACKOFF = 3
    STOPPING = 4
    FATAL = 5


@dataclass(frozen=True)
class ChildState:
    """One child; moments are boottime seconds."""

    phase: ChildPhase = ChildPhase.STOPPED
    pid: int = 0
    since: float = 0.0
    deaths: int = 0
    """Deaths in a row, none of which came after a stable time."""
    restarts: int = 0
    """Deaths that were not asked for, ever."""
    restart_at: float = 0.0
    last_words: str = ""


def started(state: ChildState, pid: int, now: float) -> ChildState:
    """The process was forked."""
    return replace(state, phase=ChildPhase.STARTING, pid=pid, since=now)


def ready(state: ChildState, now: float) -> ChildState:
    """The process says that it does its work."""
    if state.phase is not ChildPhase.STARTING:
        return state
    return replace(state, phase=ChildPhase.RUNNING, since=now)


def stopping(state: ChildState, now: float) -> ChildState:
    """The process was asked to end, for good."""
    if state.pid == 0:
        return replace(state, phase=ChildPhase.STOPPED)
    return replace(state, phase=ChildPhase.STOPPING, since=now)


def died(state: ChildState, how: str, now: float) -> ChildState:
    """The process is gone; ``how`` says it in words. Decides whether and when to start it anew."""
    if state.phase is ChildPhase.STOPPING:
        return replace(state, phase=ChildPhase.STOPPED, pid=0, last_words=how)
    stable = state.phase is ChildPhase.RUNNING and now - state.since >= STABLE_S
    deaths = 1 if stable else state.deaths + 1
    state = replace(
        state, pid=0, deaths=deaths, restarts=state.restarts + 1, last_words=how, since=now
    )
    if deaths >= TOO_OFTEN:
        return replace(state, phase=ChildPhase.FATAL)
    wait = 0.0 if deaths == 1 else delay(deaths - 2, first_s=FIRST_DELAY_S, cap_s=LONGEST_DELAY_S)
    return replace(state, phase=ChildPhase.BACKOFF, restart_at=now + wait)
