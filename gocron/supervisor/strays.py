"""Processes that became ours because their parent died: as child subreaper, or as PID 1.

Two kinds arrive. Daemons that a command started on purpose come while the runner lives, and are
left alone. Commands come when the runner was killed; nobody watches them any more, so they end
before a new runner starts.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

log = logging.getLogger("gocron.parent")

LONGEST_S = 5.0


def children() -> set[int]:
    """Pids of all our children, zombies included."""
    own = os.getpid()
    try:
        return {int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()}
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return {pid for pid in _all_pids() if _parent(pid) == own}


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def end_all_except(known: set[int]) -> int:
    """SIGKILL every child not in ``known``, with its process group, and whatever arrives when
    those are gone, until nothing is left. How many were reaped."""
    deadline = time.monotonic() + LONGEST_S
    reaped = 0
    own_group = os.getpgrp()
    while strangers := children() - known:
        for pid in strangers:
            _kill_group(pid, own_group)
        for pid in strangers:
            reaped += _reap(pid)
        if time.monotonic() > deadline:
            log.error("processes left by the runner do not end: %s", sorted(strangers))
            break
        time.sleep(0.005)
    return reaped


def _kill_group(pid: int, own_group: int) -> None:
    try:
        group = os.getpgid(pid)
        if group not in (0, own_group):  # 0: a group outside our PID namespace; to kill, our own
            os.killpg(group, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _reap(pid: int) -> int:
    try:
        return int(os.waitpid(pid, os.WNOHANG)[0] == pid)
    except ChildProcessError:
        return 0
