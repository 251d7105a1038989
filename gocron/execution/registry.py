"""Which executor carries out which protocol. To add one: one file, one line here."""

from __future__ import annotations

from collections.abc import Mapping

from gocron.core.states import Protocol
from gocron.execution.base import Executor
from gocron.execution.guard import Guard
from gocron.execution.http import HttpExecutor
from gocron.execution.shell import ShellExecutor


def executors(
    environment: Mapping[str, str], allow_root: bool, guard: Guard
) -> dict[str, Executor]:
    """All executors, made inside the runner's event loop."""
    return {
        Protocol.SHELL: ShellExecutor(environment, allow_root),
        Protocol.HTTP: HttpExecutor(guard),
    }
