"""/healthz, /readyz and /metrics of real nodes: true, in time, and readable for Prometheus."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import SERVER_FIXTURES
from tests.helpers.cluster import Node, wait_for
from tests.helpers.private_server import PrivateServer, children_of
from tests.helpers.product import add_task

METRICS_IN_TIME_S = 2.0
READY_IN_TIME_S = 3.0
ALIVE_IN_TIME_S = 1.0


@contextmanager
def running_node(folder: Path, database: dict[str, str], **settings: str) -> Iterator[Node]:
    node = Node(folder, database, "node1", **settings)
    try:
        yield node.start()
    finally:
        node.end()


@contextmanager
def stopped(server: PrivateServer) -> Iterator[None]:
    """Connections are refused."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def frozen(server: PrivateServer) -> Iterator[None]:
    """Connections are accepted by the kernel, and nobody ever says anything."""
    assert server.pid is not None
    family = [server.pid, *children_of(server.pid)]
    try:
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def timed(node: Node, path: str) -> tuple[int, str, float]:
    started = time.monotonic()
    status, body = node.get(path, timeout_s=10)
    return status, body, time.monotonic() - started


@pytest.mark.parametrize("outage", [stopped, frozen])
@pytest.mark.parametrize("engine", sorted(SERVER_FIXTURES))
def test_probes_are_answered_in_time_and_truthfully_while_the_database_is_away(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    engine: str,
    outage: Callable[[PrivateServer], AbstractContextManager[None]],
) -> None:
    server: PrivateServer = request.getfixturevalue(SERVER_FIXTURES[engine])
    server.start()
    database = server.environment(server.create_database())
    with running_node(tmp_path, database) as node, ExitStack() as waiting:
        wait_for(lambda: node.metric("gocron_leader") == 1, "the node leads")
        assert node.metric("gocron_database_up") == 1
        with outage(server):
            for _ in range(3 * 8):  # more than the pages have threads
                waiting.enter_context(page_that_waits(node))
            status, body, took = timed(node, "/readyz")
            assert (status, took < READY_IN_TIME_S) == (503, True), (body, took)
            assert any("database" in problem for problem in json.loads(body)["problems"])
            assert server.host not in body, "anybody may read this"
            status, body, took = timed(node, "/metrics")
            assert (status, took < METRICS_IN_TIME_S) == (200, True), took
            assert "\ngocron_database_up 0.0\n" in body
            assert "\ngocron_leader " in body
            status, body, took = timed(node, "/healthz")
            assert (status, took < ALIVE_IN_TIME_S) == (200, True), took
        wait_for(lambda: node.status("/readyz") == 200, "the node is ready again")
        assert node.metric("gocron_database_up") == 1
    server.drop_database(database["GOCRON_DB_DATABASE"])


@contextmanager
def page_that_waits(node: Node) -> Iterator[None]:
    """A request for a page that needs the database, and whose answer nobody waits for."""
    with socket.create_connection(("127.0.0.1", node.port)) as connection:
        connection.sendall(b"GET /login?next=%2F HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield


def test_numbers_survive_the_children_that_counted_them(
    tmp_path: Path, postgres_server: PrivateServer
) -> None:
    postgres_server.start()
    database = postgres_server.environment(postgres_server.create_database())
    with running_node(tmp_path, database) as node:
        add_task(database, "often")
        lateness = "gocron_run_lateness_seconds_count"
        wait_for(lambda: (node.metric(lateness) or 0) >= 2, "two runs were counted")
        before = node.metric(lateness)
        assert before is not None
        for child in ("runner", "elector"):
            os.kill(node.child(child), signal.SIGKILL)
        wait_for(
            lambda: node.metric('gocron_child_restarts_total{child="runner"}') == 1,
            "the restart was counted",
        )
        wait_for(lambda: (node.metric(lateness) or 0) > before, "counting goes on")
        wait_for(lambda: node.metric("gocron_elections_won_total") == 2, "elections go on")
    postgres_server.drop_database(database["GOCRON_DB_DATABASE"])


def test_the_page_is_to_promtools_taste_and_does_not_grow_with_the_tasks(
    tmp_path: Path, postgres_server: PrivateServer
) -> None:
    postgres_server.start()
    database = postgres_server.environment(postgres_server.create_database())
    with running_node(tmp_path, database) as node:
        add_task(database, "first")
        wait_for(lambda: node.metric("gocron_slots_claimed_total"), "something is claimed")
        wait_for(lambda: node.metric("gocron_heartbeat_age_seconds") is not None, "it has a pulse")
        few = node.get("/metrics")[1]
        for number in range(20):
            add_task(database, f"secret-name-{number}", command=f"true secret-command-{number}")
        wait_for(lambda: node.metric('gocron_tasks{enabled="true"}') == 21, "they are counted")
        wait_for(
            lambda: (node.metric('gocron_runs_ended_total{state="success"}') or 0) > 21,
            "they have run",
        )
        many = node.get("/metrics")[1]
    postgres_server.drop_database(database["GOCRON_DB_DATABASE"])
    assert series(many) == series(few)
    assert "secret" not in many
    assert labels(many) == {
        *("child", "enabled", "le", "node", "process", "protocol", "state", "version")
    }
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=many, capture_output=True, text=True, timeout=30
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def series(page: str) -> set[str]:
    return {
        line.rpartition(" ")[0] for line in page.splitlines() if line and not line.startswith("#")
    }


def labels(page: str) -> set[str]:
    return {name for one in series(page) for name in re.findall(r'[{,]([a-z_]+)="', one)}


def test_metrics_can_be_kept_behind_a_token(tmp_path: Path) -> None:
    token = "a token that a test has made up"
    with running_node(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"}, GOCRON_METRICS_TOKEN=token) as node:
        assert node.get("/metrics") == (401, "a bearer token is needed\n")
        for wrong in (token, "Bearer of bad news", f"Basic {token}"):
            assert node.get("/metrics", Authorization=wrong)[0] == 401
        assert node.get("/metrics", Authorization=f"Bearer {token}")[0] == 200
        assert node.status("/healthz") == 200
        assert node.status("/readyz") == 200


def test_a_single_node_on_sqlite_has_no_lease_and_no_elector_to_worry_about(tmp_path: Path) -> None:
    with running_node(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"}) as node:
        wait_for(lambda: node.metric("gocron_leader") == 1, "the node leads")
        found = series(node.get("/metrics")[1])
    assert [name for name in found if "lease" in name or "elector" in name] == []
    assert 'gocron_child_up{child="scheduler"}' in found
