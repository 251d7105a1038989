"""Commands of an earlier life of this node that nobody ended.

When parent and runner are killed together, nobody is left to end their commands. The next start
finds them: they carry the node's name and their run's id in their environment, and the database
still shows that run as running here. (A daemon that a finished run left on purpose does not match.)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from pathlib import Path


def end_commands_of(node_name: str, run_ids: Collection[int]) -> int:
    """SIGKILL the process groups of this node's commands for ``run_ids``; how many processes."""
    wanted = {b"GOCRON_RUN_ID=%d" % run_id for run_id in run_ids}
    node = b"GOCRON_NODE=" + node_name.encode()
    own = {os.getpid(), os.getppid()}
    ended = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in own:
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            if node in environment and not wanted.isdisjoint(environment):
                _kill_group(int(entry.name))
                ended += 1
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
    return ended


def _kill_group(pid: int) -> None:
    group = os.getpgid(pid)
    if group not in (0, os.getpgrp()):  # 0: of another namespace, and killpg would mean ourselves
        os.killpg(group, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
