"""A node under the supervisord.conf that is shipped: started, stopped gracefully, started again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.cluster import ROOT, Node, process_exists, wait_for
from tests.helpers.product import add_task
from tests.helpers.sqlite_file import output_of, runs_of

BIN = Path(sys.executable).parent


class Supervised(Node):
    """A node that supervisord runs, in a folder that looks like a checkout."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {"GOCRON_DB_ENGINE": "sqlite"}, "node1")
        self.folder = folder / "checkout"
        self.folder.mkdir()
        shutil.copy(ROOT / "supervisord.conf", self.folder)
        (self.folder / ".venv").symlink_to(BIN.parent)
        self.home = self.folder / ".gocron"
        del self.environment["GOCRON_HOME"]
        self.environment |= {
            "GOCRON_WEB_PORT": str(self.port),
            "PATH": "/usr/bin:/bin",  # gocron is found all the same
            "PYTHONPATH": str(ROOT),
        }

    @property
    def database(self) -> dict[str, str]:
        """For whoever looks into the node's database."""
        return {"GOCRON_HOME": str(self.home), "GOCRON_DB_ENGINE": "sqlite"}

    def start(self, *, ready: bool = True) -> Node:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "supervisord", "-c", self.folder / "supervisord.conf"],
                cwd="/",
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if ready:
            self.wait_ready()
        return self

    def control(self, *words: str) -> str:
        """supervisorctl; its answer."""
        return subprocess.run(
            [BIN / "supervisorctl", "-c", self.folder / "supervisord.conf", *words],
            cwd="/",
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    @property
    def file(self) -> Path:
        """The node's SQLite file."""
        return self.home / "gocron.db"

    def parent(self) -> int:
        """The pid of the node's parent process, 0 if there is none."""
        match = re.search(r"RUNNING\s+pid (\d+)", self.control("status", "gocron"))
        return int(match[1]) if match else 0

    def end(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        pids = self.all_pids()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Supervised]:
    node = Supervised(tmp_path)
    try:
        node.start()
        yield node
    finally:
        node.end()


def test_stop_lets_a_running_command_finish_and_records_it(node: Supervised) -> None:
    going = wait_for(node.parent, "supervisord knows the node")
    add_task(node.database, "slow", command="sleep 2; echo done")
    (run, *_) = wait_for(
        lambda: [run for run in runs_of(node.file, "slow") if run["state"] == "running"],
        "the command runs",
    )

    assert node.control("stop", "gocron") == "gocron: stopped\n"

    assert not process_exists(going)
    (after,) = (found for found in runs_of(node.file, "slow") if found["id"] == run["id"])
    assert (after["state"], output_of(node.file, run["id"])) == ("success", "done\n")
    log = node.log()
    assert "draining: 1 runs are going" in log
    assert "stopped: gocron (exit status 0)" in log

    assert node.control("start", "gocron") == "gocron: started\n"
    wait_for(lambda: node.metric("gocron_leader") == 1, "the node leads again")


def test_a_node_whose_parent_was_killed_is_started_again_and_leads(node: Supervised) -> None:
    add_task(node.database, "often")
    wait_for(lambda: runs_of(node.file, "often"), "it fires")
    killed = wait_for(node.parent, "supervisord knows the node")
    term = node.metric("gocron_term")
    assert term is not None

    os.kill(killed, signal.SIGKILL)

    wait_for(lambda: node.parent() not in (0, killed), "supervisord has started another one")
    wait_for(lambda: (node.metric("gocron_term") or 0) > term, "it leads a new term")
    before = len(runs_of(node.file, "often"))
    wait_for(lambda: len(runs_of(node.file, "often")) > before, "it fires again")


def test_supervisord_listens_on_nothing_but_a_socket_that_only_its_user_may_use(
    node: Supervised,
) -> None:
    mode = (node.folder / "supervisord.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o700
    assert node.process is not None
    assert tcp_sockets(node.process.pid) == []


def tcp_sockets(pid: int) -> list[str]:
    """The TCP sockets that a process has open."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            inodes.add(os.readlink(descriptor))
    lines = [
        line
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return [line for line in lines if f"socket:[{line.split()[9]}]" in inodes]
