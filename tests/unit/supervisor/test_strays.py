"""Processes that became ours because their parent died. Each test is a small supervisor of its own,
in a process of its own: what is ended here are *all* children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gocron.posix import PR_SET_CHILD_SUBREAPER, prctl
from gocron.supervisor import strays


def as_supervisor(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, run in a forked process that orphans are given to."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        os.setsid()  # whoever kills his own group by mistake shall not take pytest with him
        try:
            prctl(PR_SET_CHILD_SUBREAPER, 1)
            answer = {"value": work()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        text = answers.read()
    status = os.waitpid(pid, 0)[1]
    assert status == 0, "it did not survive its own work"
    answer = json.loads(text)
    assert "error" not in answer, answer["error"]
    return answer["value"]


def command(text: str, *, own_session: bool = True) -> int:
    """Start a shell command as the runner does, and wait until it has said so."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", text], stdout=subprocess.PIPE, start_new_session=own_session
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.returncode = 0  # it is not Popen that reaps it
    return process.pid


def runner_with(text: str) -> int:
    """A process that starts a command and dies: its command is ours now."""
    pid = os.fork()
    if pid == 0:
        command(text)
        os._exit(0)
    os.waitpid(pid, 0)
    [orphan] = strays.children()
    return orphan


def members(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(ValueError, ProcessLookupError):
            if os.getpgid(int(entry.name)) == group:
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_commands_of_a_dead_runner_are_ended_with_everything_they_started():
    def work() -> Any:
        pid = runner_with("trap '' TERM; sleep 301 & sleep 302 & echo up; wait; sleep 303")
        group = members(pid)
        ended = strays.end_all_except(set())
        return [len(group), ended, sorted(strays.children()), [p for p in group if alive(p)]]

    assert as_supervisor(work) == [3, 3, [], []]


def test_what_was_known_before_is_left_alone():
    def work() -> Any:
        kept = command("echo up; exec sleep 300")
        mine = command("echo up; exec sleep 300", own_session=False)
        stray = command("echo up; exec sleep 300")
        ended = strays.end_all_except({kept, mine})
        found = [ended, alive(kept), alive(mine), alive(stray)]
        for pid in (kept, mine):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return found

    assert as_supervisor(work) == [1, True, True, False]


def test_a_stray_in_our_own_group_does_not_take_us_with_it():
    def work() -> Any:
        sibling = command("echo up; exec sleep 300", own_session=False)
        assert os.getpgid(sibling) == os.getpgrp()
        return [strays.end_all_except(set()), alive(sibling)]

    assert as_supervisor(work) == [1, False]


def test_a_group_outside_our_pid_namespace_is_not_mistaken_for_our_own(monkeypatch):
    """``getpgid`` says 0 for it, and ``killpg(0)`` would end this whole node."""

    def work() -> Any:
        stray = command("echo up; exec sleep 300")
        groups_killed: list[int] = []
        monkeypatch.setattr(os, "getpgid", lambda _pid: 0)
        monkeypatch.setattr(os, "killpg", lambda group, _number: groups_killed.append(group))
        return [strays.end_all_except(set()), alive(stray), groups_killed]

    assert as_supervisor(work) == [1, False, []]


def test_orphans_that_arrive_while_others_end_are_ended_too():
    """Sessions inside sessions: each becomes ours only when the one above it is gone."""

    def work() -> Any:
        command("setsid sh -c 'setsid sh -c \"echo up; sleep 300\" & sleep 300' & sleep 300")
        strays.end_all_except(set())
        return sorted(strays.children())

    assert as_supervisor(work) == []


def test_zombies_are_reaped_and_counted():
    def work() -> Any:
        for _ in range(20):
            command("echo up")
        time.sleep(0.05)
        waiting = len(strays.children())
        return [waiting, strays.end_all_except(set()), len(strays.children())]

    assert as_supervisor(work) == [20, 20, 0]


def test_without_children_there_is_nothing_to_do():
    assert as_supervisor(lambda: [strays.end_all_except(set()), sorted(strays.children())]) == [
        0,
        [],
    ]


def test_a_kernel_that_does_not_list_children_is_asked_differently(monkeypatch):
    def work() -> Any:
        kept = command("echo up; exec sleep 300")
        stray = command("echo up; exec sleep 300")
        read_text = Path.read_text

        def without_children(path: Path, *arguments: Any) -> str:
            if path.name == "children":
                raise FileNotFoundError(path)
            return read_text(path, *arguments)

        monkeypatch.setattr(Path, "read_text", without_children)
        seen = strays.children() == {kept, stray}
        ended = strays.end_all_except({kept})
        os.kill(kept, signal.SIGKILL)
        os.waitpid(kept, 0)
        return [seen, ended]

    assert as_supervisor(work) == [True, 1]


def test_a_process_that_does_not_end_is_reported_and_not_waited_for_forever(monkeypatch, caplog):
    monkeypatch.setattr(strays, "LONGEST_S", 0.05)

    def work() -> Any:
        stray = command("echo up; exec sleep 300")
        with monkeypatch.context() as patch:
            patch.setattr(strays, "_kill_group", lambda *_arguments: None)
            ended = strays.end_all_except(set())
        os.kill(stray, signal.SIGKILL)
        os.waitpid(stray, 0)
        return [ended, "do not end" in caplog.text]

    assert as_supervisor(work) == [0, True]


@pytest.mark.parametrize("name", ["plain", "odd ) R 1 name"])
def test_the_parent_of_a_process_is_found_whatever_its_name_is(tmp_path, name):
    program = tmp_path / name
    program.symlink_to("/bin/sleep")

    def work() -> bool:
        process = subprocess.Popen([str(program), "300"])
        found = strays._parent(process.pid) == os.getpid()
        process.kill()
        process.wait()
        return found

    assert as_supervisor(work)
