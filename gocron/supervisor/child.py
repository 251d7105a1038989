"""One child process: forked, tied by two pipes, and let go."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gocron.board import Board, ChildCell
from gocron.clock import boottime
from gocron.core import child_state
from gocron.core.child_state import ChildPhase, ChildState
from gocron.core.protocol import Message, decode

LONGEST_LINE = 65_536


@dataclass(frozen=True)
class ChildSpec:
    """A child as the supervisor knows it: a name, and what to call after the fork.

    ``run(lifeline, status, parent_pid)`` returns the exit code. It is called in the new process
    with default signal handlers and none of the other children's descriptors.
    """

    name: str
    run: Callable[[int, int, int], int]


class Child:
    """A child's process, its pipes, and the state of its life."""

    def __init__(self, spec: ChildSpec, board: Board) -> None:
        self.spec = spec
        self.name = spec.name
        self.state = ChildState()
        self._board = board
        self._lifeline = -1
        self.status = -1
        self._rest = b""

    @property
    def pid(self) -> int:
        """0 when there is no process."""
        return self.state.pid

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self.state.pid != 0

    def parent_descriptors(self) -> tuple[int, ...]:
        """Our ends of the pipes; every other child has to close them after its fork."""
        return tuple(fd for fd in (self._lifeline, self.status) if fd >= 0)

    def start(self, close_in_child: Iterable[int]) -> None:
        """Fork."""
        lifeline_read, lifeline_write = os.pipe()
        status_read, status_write = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            for descriptor in (*close_in_child, lifeline_write, status_read):
                os.close(descriptor)
            self._become(lifeline_read, status_write, parent)
        os.close(lifeline_read)
        os.close(status_write)
        os.set_blocking(status_read, False)
        self._lifeline, self.status, self._rest = lifeline_write, status_read, b""
        self._set(child_state.started(self.state, pid, boottime()))

    def _become(self, lifeline: int, status: int, parent: int) -> None:
        """The new process: never returns into the supervisor's code."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                # They only say "look at the board", which a new child does anyway; the default
                # would kill it before it can listen.
                signal.signal(number, signal.SIG_IGN)
            code = self.spec.run(lifeline, status, parent)
        except BaseException:  # whatever it is, it must not climb into the parent
            traceback.print_exc()
        finally:
            signal.set_wakeup_fd(-1)
            sys.stderr.flush()
            os._exit(code)

    def send(self, number: signal.Signals) -> None:
        """Signal the process, if there is one."""
        if self.alive:
            os.kill(self.pid, number)

    def messages(self) -> list[Message]:
        """What the child said since the last look."""
        try:
            piece = os.read(self.status, LONGEST_LINE)
        except BlockingIOError:
            return []
        if not piece:
            self._close_status()
            return []
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self._rest = self._rest[-LONGEST_LINE:]
        return [message for line in lines if (message := decode(line)) is not None]

    def mark_ready(self) -> None:
        """It does its work."""
        self._set(child_state.ready(self.state, boottime()))

    def mark_stopping(self) -> None:
        """It shall end, and not come back."""
        self._set(child_state.stopping(self.state, boottime()))

    def mark_died(self, how: str) -> None:
        """It was reaped; its last messages are to be read before this."""
        for descriptor in self.parent_descriptors():
            os.close(descriptor)
        self._lifeline = self.status = -1
        self._set(child_state.died(self.state, how, boottime()))

    def due(self) -> bool:
        """Whether it is time to start it (again)."""
        phase = self.state.phase
        return phase is ChildPhase.BACKOFF and boottime() >= self.state.restart_at

    def _close_status(self) -> None:
        os.close(self.status)
        self.status = -1

    def _set(self, state: ChildState) -> None:
        self.state = state
        self._board.write_child(self.name, ChildCell(state.phase.value, state.pid, state.restarts))


def how_it_ended(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.WEXITSTATUS(status)}"
