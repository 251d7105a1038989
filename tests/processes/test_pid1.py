"""A node as PID 1 of a container: it reaps what nobody else does, and SIGTERM still stops it well.

A process namespace of its own makes the node's parent PID 1, as a container engine would. Root can
have one; others where the kernel lets users make namespaces. Where it does not, the same is tried
with the node as a child subreaper, which it is anyway: orphans come to it just as well then, but
that a PID 1 hears only the signals it asked for is not tried.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gocron.db import tasks
from tests.helpers.cluster import ROOT, Node, process_exists, wait_for
from tests.helpers.private_server import children_of
from tests.helpers.product import SOMEBODY, add_task, database_of
from tests.helpers.sqlite_file import output_of, rows_in, runs_of

ORPHANS = "(sleep 0.1 &); (exec sleep 0.3 >/dev/null 2>&1 &); setsid -f sleep 0.5 >/dev/null 2>&1"
TASKS = 20
RUNS = 200


def namespace_command() -> list[str]:
    """What to put in front of a command to make it PID 1; nothing if only root may."""
    plain = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    as_user = [*plain[:1], "--user", "--map-root-user", *plain[1:]]
    command = plain if os.geteuid() == 0 else as_user
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=10)
    if tried.returncode == 0:
        return command
    if os.geteuid() == 0:
        pytest.fail(
            f"root may not make a process namespace here ({tried.stderr.strip()}). In a container, "
            "the tests need CAP_SYS_ADMIN (docker run --privileged), or a plain user"
        )
    return []


class Contained(Node):
    """A node whose parent is PID 1 of a namespace of its own."""

    def start(self, *, ready: bool = True) -> Node:
        self.prefix = namespace_command()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "gocron", "web", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if ready:
            self.wait_ready()
        return self

    @property
    def pid(self) -> int:
        """The parent's pid, as seen from here."""
        assert self.process is not None
        if not self.prefix:
            return self.process.pid
        return next(iter(children_of(self.process.pid)), self.process.pid)

    @property
    def file(self) -> Path:
        """The node's SQLite file."""
        return self.home / "gocron.db"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Contained]:
    node = Contained(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"}, "node1")
    try:
        node.start()
        yield node
    finally:
        node.end()


def descriptors(pid: int) -> int:
    """How many are open; only root may look into a node's processes, to others it is always 0."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except PermissionError:
        return 0


def test_it_reaps_the_orphans_of_commands_and_leaks_nothing(node: Contained) -> None:
    if node.prefix:
        (registered,) = rows_in(node.file, "SELECT pid FROM node")
        assert registered["pid"] == 1
    servants = {node.child(name) for name in ("scheduler", "runner", "web")}
    watched = {pid: descriptors(pid) for pid in (node.pid, node.child("runner"))}
    ids = [
        add_task(node.environment, f"orphans {number}", command=ORPHANS, overlap="parallel")
        for number in range(TASKS)
    ]
    ended = "SELECT state FROM run WHERE state NOT IN ('queued', 'running')"
    wait_for(lambda: len(rows_in(node.file, ended)) >= RUNS, "much has run")
    with database_of(node.environment) as database:
        tasks.set_enabled(database, ids, False, SOMEBODY)

    wait_for(
        lambda: set(children_of(node.pid)) == servants,
        "PID 1 has its children again, and nothing else: no orphan, no zombie",
    )
    wait_for(lambda: not children_of(node.child("runner")), "nor has the runner")
    wait_for(
        lambda: all(descriptors(pid) <= before + 2 for pid, before in watched.items()),
        "no descriptor was left open",
    )
    begun = f"{ended} AND started_at IS NOT NULL"  # one may have been withdrawn
    assert {row["state"] for row in rows_in(node.file, begun)} == {"success"}


def test_sigterm_to_pid_1_lets_a_running_command_finish(node: Contained) -> None:
    add_task(node.environment, "slow", command="sleep 2; echo done")
    (run, *_) = wait_for(
        lambda: [run for run in runs_of(node.file, "slow") if run["state"] == "running"],
        "the command runs",
    )
    everything = node.all_pids()

    assert node.stop() == 0

    (after,) = (found for found in runs_of(node.file, "slow") if found["id"] == run["id"])
    assert (after["state"], output_of(node.file, run["id"])) == ("success", "done\n")
    assert not any(process_exists(pid) for pid in everything)


def test_a_killed_runner_leaves_no_command_behind(node: Contained) -> None:
    add_task(node.environment, "long", command="sleep 60")
    wait_for(lambda: runs_of(node.file, "long"), "it is queued")
    runner = node.child("runner")
    (shell, *_) = wait_for(lambda: children_of(runner), "the command runs")

    os.kill(runner, signal.SIGKILL)

    wait_for(lambda: not process_exists(shell), "the command is ended")
    wait_for(lambda: node.children().get("runner", runner) != runner, "there is a new runner")
    wait_for(
        lambda: [run for run in runs_of(node.file, "long") if run["state"] == "lost"],
        "the run is lost, and said to be",
    )
