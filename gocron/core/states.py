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
    """Why a run exists."""

    SCHEDULE = "schedule"
    MANUAL = "manual"


class Protocol(StrEnum):
    """How a task does its work; each has an executor in ``gocron.execution``."""

    SHELL = "shell"
    HTTP = "http"


class Overlap(StrEnum):
    """What happens to a slot while the previous run is still going."""

    SKIP = "skip"
    PARALLEL = "parallel"


class Misfire(StrEnum):
    """What happens to slots that could not run within the misfire grace."""

    RUN_ONCE = "run_once"
