"""States of a run, what starts one, and the policies of a task. Pure vocabulary."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """``queued``: certainly not started. ``running``: may have started. The rest are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"
    MISSED = "missed"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self not in (RunState.QUEUED, RunState.RUNNING)

    @property
    def gocron_status(self) -> int:
        """gocron's number: 0 failed, 1 running, 2 success, 3 cancelled."""
        return _STATUS[self]


_STATUS = {
    RunState.QUEUED: 1,
    RunState.RUNNING: 1,
    RunState.SUCCESS: 2,
    RunState.FAILED: 0,
    RunState.TIMEOUT: 0,
    RunState.LOST: 0,
    RunState.MISSED: 0,
    RunState.CANCELLED: 3,
    RunState.SKIPPED: 3,
}


class Trigger(StrEnum):
    """Why a run exists. A retry keeps the trigger of the run it repeats; its ``attempt`` grows."""

    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"
    """A late slot of a task that wants all of them (misfire ``run_all``)."""
    ELECTION = "election"
    """``@reboot``: a node became leader."""
    DEPENDENCY = "dependency"
    MANUAL = "manual"
    BACKFILL = "backfill"


BY_ITSELF = (Trigger.SCHEDULE, Trigger.CATCH_UP, Trigger.ELECTION, Trigger.DEPENDENCY)
"""What a disabled task has none of; the others are somebody's explicit wish."""

IN_ORDER = (Trigger.CATCH_UP, Trigger.BACKFILL)
"""Several that are to be run one after the other."""


class Protocol(StrEnum):
    """How a task does its work; each has an executor in ``gocron.execution``."""

    SHELL = "shell"
    HTTP = "http"


class Overlap(StrEnum):
    """What happens to a slot while the previous run is still going."""

    SKIP = "skip"
    PARALLEL = "parallel"
    QUEUE = "queue"
    """One waits for the end of the previous run, further ones are skipped."""
    REPLACE = "replace"
    """The previous run is stopped, then the new one starts."""


class Misfire(StrEnum):
    """What happens to slots that could not run within the misfire grace."""

    RUN_ONCE = "run_once"
    SKIP = "skip"
    RUN_ALL = "run_all"


class Backoff(StrEnum):
    """How the time between retries develops."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class OnLost(StrEnum):
    """What happens when the node that ran it died; a command may have had its effect."""

    FAIL = "fail"
    RERUN = "rerun"


class Need(StrEnum):
    """What a dependent task needs of a parent."""

    STRONG = "strong"
    """It has to succeed."""
    WEAK = "weak"
    """It has to come to an end."""
