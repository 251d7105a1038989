"""What every executor is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gocron.core.states import RunState

OutputSink = Callable[[bytes], None]
"""Takes a piece of output as it comes; never blocks, never fails."""


@dataclass(frozen=True)
class Job:
    """A run, ready to be carried out. ``timeout_s`` 0 means none."""

    run_id: int
    task_id: int
    task_name: str
    scheduled_at: datetime
    attempt: int
    term: int
    node_name: str
    command: str
    timeout_s: int
    working_dir: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    http_method: str = "GET"
    http_headers: dict[str, str] = field(default_factory=dict)
    http_body: str = ""
    http_statuses: str = "200-299"
    http_verify_tls: bool = True
    success_pattern: str = ""
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    parents: Sequence[Mapping[str, Any]] = ()
    """The runs that it came after: ``run`` (id), ``task`` (name), ``state``."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended, with the reason in words."""

    state: RunState
    reason: str = ""
    exit_code: int | None = None


Done = Callable[[Outcome], None]


class Handle(Protocol):
    """A job that is being carried out."""

    def stop(self, state: RunState, reason: str) -> None:
        """End it: politely first, then not. It will end as ``state``. May be repeated."""
        ...

    def kill(self, state: RunState, reason: str) -> None:
        """End it at once."""
        ...


class Executor(Protocol):
    """Carries out jobs of one protocol, inside the runner's event loop."""

    def start(self, job: Job, output: OutputSink, done: Done) -> Handle:
        """Begin; ``done`` is called exactly once, from the event loop, when all is over."""
        ...

    def close(self) -> None:
        """Release what the executor holds."""
        ...
