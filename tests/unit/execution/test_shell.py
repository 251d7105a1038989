"""Commands, really started."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gocron.core.states import RunState
from gocron.execution import shell
from gocron.execution.shell import ShellExecutor, describe_exit
from tests.unit.execution.carrying_out import Carried, carry_out, descriptors, job

DAEMON = {"PATH": os.environ["PATH"], "HOME": "/", "GOCRON_DB_PASSWORD": "secret", "ODD": "x"}

IGNORES_TERM = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"


@pytest.fixture(autouse=True)
def no_zombies_no_descriptors() -> Iterator[None]:
    """Whatever a test does, nothing stays behind."""
    before = descriptors()
    yield
    gc.collect()
    assert descriptors() == before
    with suppress(ChildProcessError):
        assert os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None, "a zombie"


def execute(command: str, **changes):
    """Carry out one command: (outcome, output)."""
    return asyncio.run(carry_out(executor(), job(command, **changes)))


def executor() -> ShellExecutor:
    return ShellExecutor(DAEMON, allow_root=True)


def in_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until_gone(pid: int, limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while alive(pid):
            await asyncio.sleep(0.005)


# how it ends ------------------------------------------------------------------------------------


def test_a_command_that_ends_well():
    outcome, output = execute("echo out; echo err >&2; printf 'last'")
    assert (outcome.state, outcome.reason, outcome.exit_code) == (RunState.SUCCESS, "", 0)
    assert output == "out\nerr\nlast"


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("exit 1", 1, "exit code 1"),
        ("exit 255", 255, "exit code 255"),
        ("nosuchcommand", 127, "exit code 127: command not found"),
        ("/etc/passwd", 126, "exit code 126: found, but not executable"),
        ("kill -9 $$", -9, "ended by signal 9 (SIGKILL)"),
        ("kill -SEGV $$", -11, "ended by signal 11 (SIGSEGV)"),
        ("sh -c 'kill -9 $$'; exit $?", 137, "exit code 137 (as after signal 9 (SIGKILL))"),
        ("if then", 2, "exit code 2"),
    ],
)
def test_a_command_that_fails_says_how(command, code, reason):
    outcome, _ = execute(command)
    assert (outcome.state, outcome.exit_code) == (RunState.FAILED, code)
    assert outcome.reason == reason


@pytest.mark.parametrize(
    ("code", "words"),
    [(-64, "ended by signal 64 (SIGRTMAX)"), (-40, "ended by signal 40"), (128, "exit code 128"),
     (200, "exit code 200")],
)  # fmt: skip
def test_odd_exit_codes_in_words(code, words):
    assert describe_exit(code) == words


def test_a_command_runs_where_it_is_told(tmp_path):
    assert execute("pwd", working_dir=str(tmp_path))[1] == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("command", "changes", "words"),
    [
        ("true", {"working_dir": "/no/such/place"}, "in /no/such/place: "),
        ("true", {"working_dir": "/etc/passwd"}, "in /etc/passwd: "),
        ("echo a\0b", {}, "null byte"),
        ("true", {"environment": {"A": "x\0y"}}, "null byte"),
        ("true", {"environment": {"A": "\ud800"}}, "surrogates"),
        ("x" * 3_000_000, {}, "Argument list too long"),
    ],
)
def test_a_command_that_cannot_be_started_fails_with_the_reason(command, changes, words):
    outcome, output = execute(command, **changes)
    assert (outcome.state, outcome.exit_code, output) == (RunState.FAILED, None, "")
    assert outcome.reason.startswith("the command could not be started")
    assert words in outcome.reason


def test_stopping_what_never_started_does_no_harm():
    async def work() -> None:
        carried = Carried(executor(), job("echo a\0b"))
        carried.handle.stop(RunState.CANCELLED, "stopped by anna")
        carried.handle.kill(RunState.CANCELLED, "stopped by anna")
        assert (await carried.end()).state is RunState.FAILED

    in_loop(work)


def test_commands_are_refused_as_root_unless_that_is_allowed(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    async def work() -> None:
        outcome, output = await carry_out(ShellExecutor(DAEMON, False), job("echo hello"))
        assert (outcome.state, output) == (RunState.FAILED, "")
        assert "GOCRON_ALLOW_ROOT=1" in outcome.reason
        assert (await carry_out(executor(), job("echo hello")))[1] == "hello\n"

    in_loop(work)


def test_a_plain_user_needs_no_permission(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    async def work() -> None:
        outcome, _ = await carry_out(ShellExecutor(DAEMON, False), job("true"))
        assert outcome.state is RunState.SUCCESS

    in_loop(work)


# what it is given -------------------------------------------------------------------------------


def test_it_sees_the_allow_list_its_own_variables_and_its_facts():
    _, output = execute("env", environment={"COLOUR": "blue"})
    names = {line.partition("=")[0] for line in output.splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {
        "PATH", "HOME", "COLOUR", "GOCRON_TASK_ID", "GOCRON_TASK_NAME", "GOCRON_RUN_ID",
        "GOCRON_SCHEDULED_AT", "GOCRON_ATTEMPT", "GOCRON_NODE", "GOCRON_TERM",
    }  # fmt: skip
    assert "secret" not in output


def test_it_inherits_no_descriptor():
    with open("/etc/passwd") as _ours:
        os.set_inheritable(_ours.fileno(), True)
        _, output = execute("ls /proc/self/fd")
    assert output.split() == ["0", "1", "2", "3"], "and 3 is what ls lists through"


def test_it_reads_nothing():
    ours = os.dup(0)
    with open("/etc/passwd") as daemons_own:
        os.dup2(daemons_own.fileno(), 0)
    try:
        _, output = execute("readlink /proc/self/fd/0; cat; read x || echo nothing to read")
    finally:
        os.dup2(ours, 0)
        os.close(ours)
    assert output == "/dev/null\nnothing to read\n"


def test_it_has_a_session_and_a_group_of_its_own_and_ignores_no_signal():
    command = "echo $$; cut -d' ' -f5,6 /proc/$$/stat; grep -E 'SigIgn|SigBlk' /proc/self/status"
    pid, ids, *masks = execute(command)[1].splitlines()
    assert ids == f"{pid} {pid}"
    # Signals above 31 are the C library's own: what runs the tests may have one of them blocked.
    assert {int(mask.split()[1], 16) & 0x7FFF_FFFF for mask in masks} == {0}


# time out, stop, kill ---------------------------------------------------------------------------


def test_a_timeout_is_told_to_the_whole_group():
    outcome, output = execute(
        "trap 'echo shell got it; exit 3' TERM;"
        "(trap 'echo child got it; exit 0' TERM; while :; do sleep 0.05; done) & wait",
        timeout_s=1,
    )
    assert outcome.state is RunState.TIMEOUT
    assert outcome.reason == "not finished after 1 s (timeout)"
    assert outcome.exit_code == 3
    assert {"child got it", "shell got it"} <= set(output.splitlines())


def test_what_ignores_sigterm_is_killed_after_a_grace(monkeypatch):
    monkeypatch.setattr(shell, "TERM_GRACE_S", 0.3)
    began = time.monotonic()
    outcome, _ = execute(IGNORES_TERM, timeout_s=1)
    assert 1.3 <= time.monotonic() - began < 4.0
    assert (outcome.state, outcome.exit_code) == (RunState.TIMEOUT, -signal.SIGKILL)


def test_a_stopped_command_ends_as_it_was_told_by_the_first_who_said_so(monkeypatch):
    monkeypatch.setattr(shell, "TERM_GRACE_S", 0.2)

    async def work() -> None:
        carried = Carried(executor(), job(IGNORES_TERM))
        await carried.until_written("deaf")
        carried.handle.stop(RunState.CANCELLED, "stopped by anna")
        carried.handle.stop(RunState.TIMEOUT, "too late")
        carried.handle.kill(RunState.LOST, "much too late")
        outcome = await carried.end()
        assert (outcome.state, outcome.reason) == (RunState.CANCELLED, "stopped by anna")

    in_loop(work)


def test_kill_does_not_wait():
    async def work() -> None:
        carried = Carried(executor(), job(IGNORES_TERM))
        await carried.until_written("deaf")
        began = time.monotonic()
        carried.handle.kill(RunState.LOST, "the node's parent process died")
        outcome = await carried.end()
        assert time.monotonic() - began < 2.0
        assert (outcome.state, outcome.exit_code) == (RunState.LOST, -signal.SIGKILL)

    in_loop(work)


def test_children_of_a_stopped_shell_get_the_whole_grace_to_clean_up():
    """The shell dies of SIGTERM at once; the program it called needs a moment."""

    async def work() -> None:
        program = (
            "trap 'sleep 1.5; echo cleaned up; exit' TERM; echo ready; while :; do sleep 0.05; done"
        )
        carried = Carried(executor(), job(f'sh -c "{program}"; echo never'))
        await carried.until_written("ready")
        carried.handle.stop(RunState.CANCELLED, "stopped by anna")
        outcome = await carried.end()
        assert outcome.state is RunState.CANCELLED
        assert "cleaned up" in carried.text

    in_loop(work)


def test_stopping_what_has_ended_changes_nothing():
    """It is over, although something that it left behind still holds its output open."""

    async def work() -> None:
        carried = Carried(executor(), job("(trap '' TERM; sleep 300) & echo $$; sleep 0.1; exit 4"))
        await carried.until_written("\n")
        while Path(f"/proc/{int(carried.text)}").exists():  # not even a zombie: it was reaped
            await asyncio.sleep(0.005)
        assert carried.ends == []
        carried.handle.stop(RunState.CANCELLED, "stopped by anna")
        carried.handle.kill(RunState.CANCELLED, "stopped by anna")
        outcome = await carried.end()
        assert (outcome.state, outcome.exit_code) == (RunState.FAILED, 4)

    in_loop(work)


# what it leaves behind --------------------------------------------------------------------------


def test_a_background_job_ends_with_its_command():
    async def work() -> None:
        carried = Carried(executor(), job("sleep 300 >/dev/null 2>&1 & echo $!"))
        began = time.monotonic()
        assert (await carried.end()).state is RunState.SUCCESS
        assert time.monotonic() - began < 1.0
        await until_gone(int(carried.text))

    in_loop(work)


def test_a_background_job_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(shell, "STRAGGLER_GRACE_S", 0.2)

    async def work() -> None:
        command = "(trap '' TERM; sleep 300) >/dev/null 2>&1 & echo $!; sleep 0.1"
        outcome_and_text = await carry_out(executor(), job(command))
        assert outcome_and_text[0].state is RunState.SUCCESS
        await until_gone(int(outcome_and_text[1]))

    in_loop(work)


def test_grandchildren_that_hold_the_output_do_not_keep_a_run_open(monkeypatch):
    monkeypatch.setattr(shell, "STRAGGLER_GRACE_S", 0.2)
    began = time.monotonic()
    outcome, output = execute("(trap '' TERM; sleep 300) & sleep 0.1; echo done")
    assert time.monotonic() - began < 3.0
    assert (outcome.state, output) == (RunState.SUCCESS, "done\n")


@pytest.mark.parametrize("holds", ["", ">/dev/null 2>&1"], ids=["holds the output", "silent"])
def test_a_daemon_that_made_a_session_of_its_own_survives(monkeypatch, holds):
    monkeypatch.setattr(shell, "STRAGGLER_GRACE_S", 0.2)
    outcome, output = execute(
        f"setsid sh -c 'echo $$ >&9; exec sleep 300 9>&-' 9>&1 {holds} & sleep 0.3"
    )
    daemon = int(output.split()[0])
    try:
        assert outcome.state is RunState.SUCCESS
        assert alive(daemon)
        assert ("held its output open" in output) == (not holds)
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_a_daemon_that_writes_without_end_does_not_stop_the_loop(monkeypatch):
    """It writes faster than we read: whoever drains its pipe to the end never comes back."""
    monkeypatch.setattr(shell, "STRAGGLER_GRACE_S", 0.3)

    class Slow(Carried):
        pieces = 0

        def _write(self, piece: bytes) -> None:
            super()._write(piece)
            self.pieces += 1
            assert self.pieces < 3_000, "nobody else gets a turn"
            time.sleep(0.002)  # the pipe is full again

    async def work() -> None:
        carried = Slow(executor(), job("setsid sh -c 'echo $$; exec yes' & sleep 0.3"))
        longest, last = 0.0, time.monotonic()
        while not carried.ends:
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        daemon = int(carried.text.split()[0])
        assert longest < 0.5
        assert carried.ends[0].state is RunState.SUCCESS
        await until_gone(daemon)  # its next write found nobody to read it

    in_loop(work)


def test_a_command_that_closes_its_output_early_is_waited_for():
    began = time.monotonic()
    outcome, output = execute("echo x; exec >&- 2>&-; sleep 0.4; exit 6")
    assert time.monotonic() - began >= 0.4
    assert (outcome.exit_code, output) == (6, "x\n")


# how much ---------------------------------------------------------------------------------------


def test_fifty_megabytes_come_through_in_small_pieces():
    async def work() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        carried = Carried(executor(), job("head -c 52428800 /dev/zero; exit 7"))
        assert (await carried.end(60)).exit_code == 7
        assert carried.size == 52_428_800
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kib < 30_000

    in_loop(work)


def test_binary_output_comes_through_as_it_is():
    async def work() -> None:
        carried = Carried(executor(), job(r"printf '\000\377\376\033[31m'"))
        await carried.end()
        assert bytes(carried.output) == b"\x00\xff\xfe\x1b[31m"

    in_loop(work)


def test_three_hundred_commands_at_once_leave_nothing_behind():
    async def work() -> None:
        running = executor()
        all_of_them = [Carried(running, job(f"echo {n}; exit {n % 3}")) for n in range(300)]
        for number, carried in enumerate(all_of_them):
            assert (await carried.end(60)).exit_code == number % 3
            assert carried.text == f"{number}\n"

    in_loop(work)


def test_without_descriptors_a_command_fails_and_the_runner_goes_on():
    async def work() -> None:
        running = executor()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
        try:
            for spare in range(8):
                highest = max(int(line.split()[0]) for line in descriptors())
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + spare, hard))
                outcome, _ = await carry_out(running, job("true"))
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                assert outcome.state is RunState.SUCCESS or "Too many open files" in outcome.reason
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in held:
                os.close(descriptor)
        assert outcome.state is RunState.SUCCESS
        assert (await carry_out(running, job("true")))[0].state is RunState.SUCCESS

    in_loop(work)


def test_a_command_that_cannot_be_watched_is_ended(monkeypatch):
    started: list[int] = []

    def no_descriptor_left(pid: int) -> int:
        started.append(pid)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", no_descriptor_left)
    outcome, _ = execute("sleep 300")
    assert outcome.reason.endswith("Too many open files")
    assert not alive(started[0])
