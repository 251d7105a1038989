"""Real nodes for tests and benchmarks: started, killed, stopped, asked -- always by their pids."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tests.helpers.forked import Forked, run_module

T = TypeVar("T")

PATIENCE_S = 30.0
ROOT = Path(__file__).parents[2]
CHILDREN = ("elector", "scheduler", "runner", "web")


def wait_for(
    what: Callable[[], T | None],
    words: str,
    patience_s: float = PATIENCE_S,
    every_s: float = 0.1,
    more: Callable[[], str] = str,
) -> T:
    """The first true answer of ``what``; AssertionError with ``words`` if there is none in time."""
    until = time.monotonic() + patience_s
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"waited {patience_s:g} s in vain: {words}\n{more()}")
        time.sleep(every_s)


def free_port() -> int:
    """A loopback port that nobody uses; below the range that outgoing connections come from."""
    for port in range(20_000 + os.getpid() * 197 % 11_000, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in _given:
                _given.add(port)
                return port
    raise AssertionError("no free port")


_given: set[int] = set()


def clean_environment() -> dict[str, str]:
    """Our environment without settings of gocron: a test says itself what a node is told."""
    return {name: text for name, text in os.environ.items() if not name.startswith("GOCRON_")}


class Running(Protocol):
    """A process that we started: ``subprocess.Popen``, or ``Forked``."""

    pid: int

    @property
    def returncode(self) -> int | Any: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float, /) -> int: ...
    def terminate(self) -> None: ...


def executed(arguments: list[str], environment: Mapping[str, str], log: Path) -> Running:
    """``gocron ...`` as from a shell."""
    with log.open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "gocron", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def forked(arguments: list[str], environment: Mapping[str, str], log: Path) -> Running:
    """The same in a third of the time, see ``tests.helpers.forked``."""
    return Forked("gocron", arguments, ROOT, environment, stdout=str(log), stderr=str(log))


class Node:
    """One ``gocron web`` process and its children."""

    launch: Callable[[list[str], Mapping[str, str], Path], Running] = staticmethod(executed)

    def __init__(self, folder: Path, database: Mapping[str, str], name: str, **settings: str):
        self.name = name
        self.port = free_port()
        self.home = folder / name
        self.log_path = folder / f"{name}.log"
        self.environment = {
            **clean_environment(),
            "GOCRON_HOME": str(self.home),
            "GOCRON_NODE_NAME": name,
            "GOCRON_WEB_HOST": "127.0.0.1",
            "GOCRON_ALLOW_ROOT": "1",
            "GOCRON_ADMIN_PASSWORD": "correct horse",
            **database,
            **settings,
        }
        self.process: Running | None = None

    @property
    def pid(self) -> int:
        """The parent's pid."""
        assert self.process is not None
        return self.process.pid

    def start(self, *, ready: bool = True) -> Node:
        """Start it, and wait until it says that it is ready."""
        self.log_path.touch()
        arguments = ["web", "--port", str(self.port)]
        self.process = type(self).launch(arguments, self.environment, self.log_path)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Until ``/readyz`` answers 200."""
        wait_for(
            lambda: self.status("/readyz") == 200,
            f"{self.name} is ready",
            more=lambda: self.get("/readyz")[1] + self.log()[-3000:],
        )

    def children(self) -> dict[str, int]:
        """Name -> pid of the children that have a title by now."""
        found = {}
        for pid in _children_of(self.pid):
            title = _read_proc(pid, "cmdline").rstrip("\0")
            if title.startswith("gocron: "):
                found[title.removeprefix("gocron: ")] = pid
        return found

    def child(self, name: str) -> int:
        """The pid of one child."""
        return wait_for(lambda: self.children().get(name), f"{self.name} has a {name}")

    def all_pids(self) -> list[int]:
        """The parent and everything below it."""
        return [self.pid, *_descendants(self.pid)]

    def send(self, number: signal.Signals) -> None:
        """Signal the parent only."""
        os.kill(self.pid, number)

    def signal_all(self, number: signal.Signals) -> None:
        """Signal parent, children and their commands."""
        for pid in self.all_pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def kill(self) -> None:
        """SIGKILL to the parent; waits until it is reaped."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self, patience_s: float = PATIENCE_S) -> int:
        """SIGTERM, and wait; the exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.send(signal.SIGTERM)
        return self.wait(patience_s)

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """Until the parent has ended; its exit code."""
        assert self.process is not None
        return self.process.wait(patience_s)

    def end(self) -> None:
        """However it is: nothing of it is left afterwards."""
        if self.process is None or self.process.poll() is not None:
            return
        self.signal_all(signal.SIGCONT)
        self.send(signal.SIGQUIT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.signal_all(signal.SIGKILL)
            self.process.wait(10)

    def log(self) -> str:
        """Everything it has said."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def get(self, path: str, timeout_s: float = 5.0, **headers: str) -> tuple[int, str]:
        """Status and body of a GET; (0, reason) if there is no answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            try:
                with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()
        except (OSError, HTTPException) as error:  # nobody there, or gone in mid-sentence
            return 0, str(error)

    def status(self, path: str) -> int:
        """The status of a GET, 0 if there is no answer."""
        return self.get(path)[0]

    def metric(self, name: str) -> float | None:
        """The value of the first sample called ``name``, labels included if given."""
        token = self.environment.get("GOCRON_METRICS_TOKEN", "")
        for line in self.get("/metrics", Authorization=f"Bearer {token}")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return None

    def run(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run the command ``gocron`` with this node's settings; its stdout."""
        code, out, err = run_module(
            "gocron", arguments, ROOT, self.environment, stdin.encode(), 120
        )
        assert not check or code == 0, err
        return out

    def cluster(self) -> dict[str, Any]:
        """``gocron status --json``."""
        found: dict[str, Any] = json.loads(self.run("status", "--json", check=False))
        return found


class Cluster:
    """Several nodes on one database."""

    def __init__(self, folder: Path, database: Mapping[str, str], size: int, **settings: str):
        self.nodes = [
            Node(folder, database, f"node{number}", **settings) for number in range(1, size + 1)
        ]

    def start(self) -> Cluster:
        """All at once; returns when all are ready and one leads."""
        for node in self.nodes:
            node.start(ready=False)
        for node in self.nodes:
            node.wait_ready()
        self.leader()
        return self

    def leader(self, other_than: Node | None = None, patience_s: float = PATIENCE_S) -> Node:
        """The node whose own metrics say that it leads."""
        return wait_for(
            lambda: next(
                (
                    node
                    for node in self.nodes
                    if node is not other_than and node.metric("gocron_leader") == 1
                ),
                None,
            ),
            "some node leads",
            patience_s,
        )

    def followers(self) -> list[Node]:
        """The nodes that run and do not lead."""
        leader = self.leader()
        return [node for node in self.nodes if node is not leader]

    def end(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.end()


@contextmanager
def cluster_of(
    size: int, folder: Path, database: Mapping[str, str], **settings: str
) -> Iterator[Cluster]:
    """A running cluster, ended on the way out whatever happened."""
    cluster = Cluster(folder, database, size, **settings)
    try:
        yield cluster.start()
    finally:
        cluster.end()


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in _read_proc(pid, f"task/{pid}/children").split()]


def _read_proc(pid: int, name: str) -> str:
    """A file of the process; empty if the process has gone, also while it is read."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _descendants(pid: int) -> list[int]:
    found = []
    for child in _children_of(pid):
        # Threads fork too (never in gocron, but in what it starts).
        found += [child, *_descendants(child)]
    return found


def process_exists(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    status = _read_proc(pid, "stat")
    return bool(status) and status.rpartition(")")[2].split()[0] != "Z"
