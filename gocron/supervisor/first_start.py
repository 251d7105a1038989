"""The parent of a node that is not installed yet: it has one child, the wizard.

::

    WAITING --the child ended, the files say "installed"--> (the node goes on)
       |  ^----the child ended, they do not: started again
       +--SIGTERM/SIGINT/SIGQUIT--> (exit)

Whatever the child died of, the files decide: it may have been killed just after it wrote them.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from typing import Any, Self

from gocron.board import Board
from gocron.clock import boottime
from gocron.core.child_state import ChildPhase
from gocron.core.protocol import Ready
from gocron.posix import Signals, wait_readable
from gocron.supervisor.child import Child, ChildSpec, how_it_ended

log = logging.getLogger("gocron.parent")

TICK_S = 0.5
CHILD_ENDS_WITHIN_S = 2.0
STOPPING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


class Listening:
    """Signals as events for a while; afterwards they do again what they did before."""

    def __init__(self) -> None:
        numbers = (*STOPPING, signal.SIGHUP, signal.SIGCHLD)
        self._before: dict[signal.Signals, Any] = {n: signal.getsignal(n) for n in numbers}
        self.signals = Signals(numbers)
        self.stop_asked = False

    def look(self) -> None:
        """Take in what has arrived."""
        self.stop_asked = self.stop_asked or bool(self.signals.drain() & STOPPING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_how: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.look()  # what came before the line above
        self.signals.close()


def until_installed(spec: ChildSpec, is_installed: Callable[[], bool]) -> int | None:
    """Keep the wizard going; None as soon as the node is installed, else the exit code."""
    with Listening() as listening:
        child = Child(spec, Board())
        child.start(listening.signals.descriptors())
        try:
            code = _wait(child, listening, is_installed)
        finally:
            _end(child)
    return 0 if listening.stop_asked else code


def _wait(child: Child, listening: Listening, is_installed: Callable[[], bool]) -> int | None:
    while True:
        statuses = [child.status] if child.status >= 0 else []
        wait_readable((listening.signals.fileno(), *statuses), _timeout_s(child))
        listening.look()
        if listening.stop_asked:
            log.info("stopping: nothing is installed yet")
            return 0
        if child.status >= 0 and any(isinstance(said, Ready) for said in child.messages()):
            child.mark_ready()
        if _reap(child):
            if is_installed():
                return None
            if child.state.phase is ChildPhase.FATAL:
                log.critical("the wizard keeps dying: the log says why")
                return 1
        if child.due():
            child.start(listening.signals.descriptors())


def _timeout_s(child: Child) -> float:
    if child.state.phase is not ChildPhase.BACKOFF:
        return TICK_S
    return max(0.0, min(TICK_S, child.state.restart_at - boottime()))


def _reap(child: Child) -> bool:
    """Whether the child has ended; as PID 1 others are reaped as well."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return False
        if pid == child.pid:
            how = how_it_ended(status)
            child.mark_died(how)
            log.log(logging.INFO if status == 0 else logging.ERROR, "the wizard ended: %s", how)
            return True


def _end(child: Child) -> None:
    """It has nothing that could get lost: the tables are made in transactions, the files appear
    whole."""
    if not child.alive:
        return
    child.mark_stopping()
    child.send(signal.SIGTERM)
    until = boottime() + CHILD_ENDS_WITHIN_S
    while not _reap(child):
        if boottime() >= until:
            child.send(signal.SIGKILL)
        wait_readable((), 0.02)
