"""Every child may be killed at any time: it comes back, and nobody else notices."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gocron.db import cluster as cluster_state
from tests.helpers import ledger
from tests.helpers.cluster import Node, process_exists, wait_for
from tests.helpers.product import add_task, database_of


@pytest.fixture
def node(database_env: dict[str, str], tmp_path: Path) -> Iterator[Node]:
    started = Node(tmp_path, database_env, "only")
    try:
        yield started.start()
    finally:
        started.end()


def rows(node: Node, sql: str) -> list[Mapping[str, object]]:
    from sqlalchemy import text

    with database_of(node.environment) as database, database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(text(sql))]


def test_a_task_fires_on_every_database_and_its_output_is_kept(node: Node) -> None:
    add_task(node.environment, "hello", command="echo hello from $GOCRON_TASK_NAME; exit 3")
    wait_for(lambda: rows(node, "SELECT id FROM run WHERE state = 'failed'"), "it fires and ends")
    run = rows(node, "SELECT id, exit_code, reason FROM run WHERE state = 'failed'")[0]
    assert run["exit_code"] == 3
    assert run["reason"] == "exit code 3"
    output = rows(node, f"SELECT content FROM run_output WHERE run_id = {run['id']}")
    assert output[0]["content"] == "hello from hello\n"


@pytest.mark.parametrize("victim", ["scheduler", "web", "elector"])
def test_a_killed_child_comes_back_and_running_commands_are_untouched(
    node: Node, tmp_path: Path, victim: str
) -> None:
    if victim == "elector" and node.environment["GOCRON_DB_ENGINE"] == "sqlite":
        victim = "scheduler"  # SQLite has no elector
    marker = tmp_path / "ended"
    add_task(node.environment, "slow", command=f"sleep 2; touch {marker}")
    wait_for(lambda: rows(node, "SELECT id FROM run WHERE state = 'running'"), "it runs")
    before = node.child(victim)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: node.children().get(victim) not in (None, before), f"{victim} is back")
    wait_for(marker.exists, "the command comes to its own end")
    wait_for(lambda: rows(node, "SELECT id FROM run WHERE state = 'success'"), "it is recorded")
    node.wait_ready()
    assert node.metric(f'gocron_child_restarts_total{{child="{victim}"}}') == 1
    if victim != "web":
        latest = rows(node, "SELECT MAX(id) AS id FROM run WHERE state = 'success'")[0]["id"]
        wait_for(
            lambda: rows(node, f"SELECT id FROM run WHERE id > {latest} AND state = 'success'"),
            "and new slots fire",
        )


def test_when_the_runner_is_killed_its_commands_end_and_its_runs_are_lost(node: Node) -> None:
    add_task(node.environment, "long", command="sleep 600 & setsid sleep 600 & sleep 600")
    add_task(node.environment, "other", spec="* * * * * *")
    wait_for(lambda: rows(node, "SELECT id FROM run WHERE state = 'running'"), "it runs")
    runner = node.child("runner")
    commands = wait_for(
        lambda: found if len(found := _below(runner)) >= 3 else None, "all processes have begun"
    )
    os.kill(runner, signal.SIGKILL)
    wait_for(
        lambda: not [pid for pid in commands if process_exists(pid)], "no command is left behind"
    )
    lost = wait_for(
        lambda: rows(node, "SELECT reason FROM run WHERE state = 'lost' AND task_name = 'long'"),
        "the run is lost",
    )
    assert "runner process died" in str(lost[0]["reason"])
    latest = rows(node, "SELECT MAX(id) AS id FROM run")[0]["id"]
    wait_for(
        lambda: rows(
            node,
            f"SELECT id FROM run WHERE id > {latest} AND task_name = 'other' AND state = 'success'",
        ),
        "new slots fire",
    )


def test_a_runner_that_keeps_dying_is_given_up_on_and_the_node_lets_go_of_leadership(
    one_server_env: dict[str, str], tmp_path: Path
) -> None:
    node = Node(tmp_path, one_server_env, "sick")
    try:
        node.start()
        killed: set[int] = set()

        def kill_again() -> bool:
            runner = node.children().get("runner")
            if runner is not None and runner not in killed:
                killed.add(runner)
                os.kill(runner, signal.SIGKILL)
            return "given up on" in node.log()

        wait_for(kill_again, "the parent gives up", patience_s=60)
        status, body = wait_for(
            lambda: answer if "given up on" in (answer := node.get("/readyz"))[1] else None,
            "readyz says so",
        )
        assert status == 503
        assert node.status("/healthz") == 200
        wait_for(lambda: "elector" not in node.children(), "the elector has let go")
        with database_of(one_server_env) as database:
            assert cluster_state.look(database).leader is None
        assert "runner" in body
    finally:
        node.end()


def test_a_second_signal_ends_a_drain_at_once(node: Node) -> None:
    add_task(node.environment, "long", command="sleep 600")
    wait_for(lambda: rows(node, "SELECT id FROM run WHERE state = 'running'"), "it runs")
    node.send(signal.SIGTERM)
    wait_for(lambda: "draining" in node.log(), "it drains")
    node.send(signal.SIGTERM)
    assert node.wait(10) == 0
    ended = rows(
        node, "SELECT state, reason FROM run WHERE task_name = 'long' AND state <> 'queued'"
    )
    assert ended[0]["state"] == "cancelled"
    assert ended[0]["reason"] == "the node was stopped"


def test_what_was_queued_when_a_node_stopped_runs_once_when_it_is_back(
    node: Node, tmp_path: Path
) -> None:
    book = tmp_path / "ledger"
    # Two late slots begin in the same moment; by default the second would count as overlapping.
    add_task(node.environment, "each second", command=ledger.command(book), overlap="parallel")
    wait_for(lambda: len(ledger.read(book)) >= 2, "it fires")
    assert node.stop() == 0
    count = len(ledger.read(book))
    node.start()
    wait_for(lambda: len(ledger.read(book)) > count + 3, "it fires again")
    slots = [entry.slot for entry in ledger.read(book)]
    assert len(slots) == len(set(slots))
    first, last = min(slots), max(slots)
    assert len(slots) == int((last - first).total_seconds()) + 1, "no slot was left out"


def _below(pid: int) -> list[int]:
    from tests.helpers.cluster import _descendants

    return _descendants(pid)
