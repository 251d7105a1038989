"""Commands: ``/bin/sh -c``, in a session and process group of their own.

No ``preexec_fn`` and nothing else that would take subprocess off its vfork path: starting a
command must stay cheap, however large this process is. The end of a command is the end of its
shell; what it left behind in its group (a background job that still holds the pipe) is ended a
moment later, so that a run closes on time and nothing goes on unattended. A daemon that made a
session of its own is left alone, as cron does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import BinaryIO

from gocron.core.states import RunState
from gocron.execution.base import Done, Handle, Job, Outcome, OutputSink
from gocron.execution.environment import build
from gocron.sayings import said, say

TERM_GRACE_S = 5.0
"""Between SIGTERM and SIGKILL."""

STRAGGLER_GRACE_S = 1.0
"""How long leftovers of the group may hold the pipe after the command itself has ended."""

LAST_WORDS_S = 0.1
"""How long the pipe may take to close after the last SIGKILL; a daemon never closes it."""

PIECE = 65_536

ENTER = 'cd -- "$1" 2>&0 || exit 125; exec /bin/sh -c "$2" </dev/null'
"""Enters the working directory after the exec, not before: on a dead network mount that never
comes to an end, and before the exec everybody would wait for it. What ``cd`` complains about goes
to standard input, which is a pipe to us until the command itself begins."""

LAST_PIECES = 32
"""As much as a pipe may hold when its command ends. More is coming from somebody else."""


class ShellExecutor:
    """Starts commands on the running event loop."""

    def __init__(self, daemon_environment: Mapping[str, str], allow_root: bool) -> None:
        self._environment = dict(daemon_environment)
        self._refusal = (
            say(
                "commands are not run as root: start gocron as a plain user, or allow it with "
                "GOCRON_ALLOW_ROOT=1"
            )
            if os.geteuid() == 0 and not allow_root
            else ""
        )

    def start(self, job: Job, output: OutputSink, done: Done) -> Handle:
        """Spawn; a command that cannot be spawned ends at once as failed, with the reason."""
        loop = asyncio.get_running_loop()
        if self._refusal:
            loop.call_soon(done, Outcome(RunState.FAILED, self._refusal))
            return NothingStarted()
        try:
            process, complaints = self._spawn(job)
            try:
                return Command(loop, process, job, output, done, complaints)
            except OSError:  # no descriptor is left to watch it with
                _end(process)
                if complaints is not None:
                    complaints.close()
                raise
        except (OSError, ValueError) as error:
            reason = say("the command could not be started: %(why)s", why=said(error))
            loop.call_soon(done, Outcome(RunState.FAILED, reason))
            return NothingStarted()

    def _spawn(self, job: Job) -> tuple[subprocess.Popen[bytes], BinaryIO | None]:
        """The process, and where it complains if the working directory cannot be entered."""
        argv = ["/bin/sh", "-c", job.command]
        complaints, stdin = None, subprocess.DEVNULL
        if job.working_dir:
            argv = ["/bin/sh", "-c", ENTER, "gocron", job.working_dir, job.command]
            reading, stdin = os.pipe()
            complaints = os.fdopen(reading, "rb", buffering=0)
        try:
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=build(job, self._environment),
                start_new_session=True,
            )
        except BaseException:
            if complaints is not None:
                complaints.close()
            raise
        finally:
            if complaints is not None:
                os.close(stdin)
        return process, complaints

    def close(self) -> None:
        """Nothing is held between commands."""


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:  # closes the pipe and waits
        os.killpg(process.pid, signal.SIGKILL)


class NothingStarted:
    """The handle of a job that ended before it began."""

    def stop(self, state: RunState, reason: str) -> None:
        """There is nothing to stop."""

    def kill(self, state: RunState, reason: str) -> None:
        """There is nothing to kill."""


class Command:
    """One running command: waits for its end and for the end of its output."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        process: subprocess.Popen[bytes],
        job: Job,
        output: OutputSink,
        done: Done,
        complaints: BinaryIO | None,
    ) -> None:
        assert process.stdout is not None
        self._loop = loop
        self._process = process
        self._pid = process.pid
        self._output = output
        self._done = done
        self._timeout_s = job.timeout_s
        self._working_dir = job.working_dir
        self._complaints = complaints
        self._timers: list[asyncio.TimerHandle] = []
        self._verdict: Outcome | None = None
        """What the run will be, when it is we who end it."""
        self._kill_at: float | None = None
        """When whatever is left of the group gets SIGKILL, once it was asked to end."""
        self._exited = False
        self._pidfd = os.pidfd_open(process.pid)
        self._pipe: int | None = process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        loop.add_reader(self._pipe, self._read)
        loop.add_reader(self._pidfd, self._reap)
        if job.timeout_s:
            self._timers.append(loop.call_later(job.timeout_s, self._time_out))

    def stop(self, state: RunState, reason: str) -> None:
        """SIGTERM to the group; SIGKILL after a grace."""
        if self._verdict is None and not self._exited:
            self._verdict = Outcome(state, reason)
            self._kill_at = self._loop.time() + TERM_GRACE_S
            self._signal_group(signal.SIGTERM)
            self._timers.append(
                self._loop.call_at(self._kill_at, self._signal_group, signal.SIGKILL)
            )

    def kill(self, state: RunState, reason: str) -> None:
        """SIGKILL to the group."""
        if self._verdict is None and not self._exited:
            self._verdict = Outcome(state, reason)
        self._signal_group(signal.SIGKILL)

    def _time_out(self) -> None:
        self.stop(
            RunState.TIMEOUT,
            say("not finished after %(seconds)s s (timeout)", seconds=self._timeout_s),
        )

    def _signal_group(self, number: signal.Signals) -> None:
        # The group outlives its leader as long as it has members, and its number is not reused
        # while the leader is unreaped or a member lives.
        try:
            os.killpg(self._pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def _group_lives(self) -> bool:
        try:
            os.killpg(self._pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _read(self) -> None:
        assert self._pipe is not None
        try:
            piece = os.read(self._pipe, PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if piece:
            self._output(piece)
            return
        self._close_pipe()
        if self._exited:
            self._finish()

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._kill_at is None:
            self._kill_at = self._loop.time() + STRAGGLER_GRACE_S
            # Before the leader is reaped, its pid cannot be somebody else's group.
            self._signal_group(signal.SIGTERM)
        self._process.wait()
        self._exited = True
        self._cancel_timers()
        if self._group_lives():
            self._loop.call_at(self._kill_at, self._signal_group, signal.SIGKILL)
        if self._pipe is None:
            self._finish()
        else:
            self._read_rest()

    def _read_rest(self) -> None:
        """Most commands end with their pipe drained and closed: do not wait a loop for that. But
        a daemon that writes as fast as we read must not keep us here."""
        assert self._pipe is not None
        assert self._kill_at is not None
        for _piece in range(LAST_PIECES):
            try:
                piece = os.read(self._pipe, PIECE)
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            if not piece:
                self._close_pipe()
                self._finish()
                return
            self._output(piece)
        self._timers.append(self._loop.call_at(self._kill_at + LAST_WORDS_S, self._give_up))

    def _give_up(self) -> None:
        """Somebody outside the group still holds the pipe: close without it."""
        if self._pipe is not None:
            self._close_pipe()
            self._output(
                b"\n[gocron: a process that the command left behind held its output open]\n"
            )
            self._finish()

    def _close_pipe(self) -> None:
        assert self._pipe is not None
        assert self._process.stdout is not None
        self._loop.remove_reader(self._pipe)
        self._process.stdout.close()
        self._pipe = None

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _finish(self) -> None:
        self._cancel_timers()
        self._done(self._verdict_with(self._process.returncode))

    def _verdict_with(self, code: int) -> Outcome:
        complaint = self._complaint()
        if self._verdict is not None:
            return Outcome(self._verdict.state, self._verdict.reason, code)
        if complaint:
            reason = say(
                "the command could not be started in %(working_dir)s: %(complaint)s",
                working_dir=self._working_dir,
                complaint=complaint,
            )
            return Outcome(RunState.FAILED, reason)
        if code == 0:
            return Outcome(RunState.SUCCESS, "", 0)
        return Outcome(RunState.FAILED, describe_exit(code), code)

    def _complaint(self) -> str:
        """Why the working directory could not be entered; empty if it was. Never waits: whoever
        could still write has ended."""
        if self._complaints is None:
            return ""
        with self._complaints as pipe:
            os.set_blocking(pipe.fileno(), False)
            return (pipe.read(PIECE) or b"").decode(errors="replace").strip()


def describe_exit(code: int) -> str:
    """An exit code as Python reports it (negative: signal), in words."""
    if code < 0:
        return say("ended by signal %(signal_name)s", signal_name=_signal_name(-code))
    if code == 126:
        return say("exit code 126: found, but not executable")
    if code == 127:
        return say("exit code 127: command not found")
    if code > 128 and code - 128 in {number.value for number in signal.Signals}:
        return say(
            "exit code %(code)s (as after signal %(signal_name)s)",
            code=code,
            signal_name=_signal_name(code - 128),
        )
    return say("exit code %(code)s", code=code)


def _signal_name(number: int) -> str:
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
