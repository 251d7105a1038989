"""Processes that stand still instead of dying, rows that somebody holds, and double deaths."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.database import connect, query
from tests.helpers import ledger
from tests.helpers.cluster import Node, cluster_of, process_exists, wait_for
from tests.helpers.observed import Observed
from tests.helpers.product import add_task

STALLED_S = 25.0
"""Longer than the parent looks at a child that does nothing."""


def test_a_scheduler_that_stands_still_is_replaced_even_if_it_never_took_up_its_work(
    one_server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, one_server_env) as cluster:
        observed = Observed(tmp_path, one_server_env)
        leader, follower = cluster.leader(), cluster.followers()[0]
        frozen = follower.child("scheduler")
        os.kill(frozen, signal.SIGSTOP)
        leader.kill()
        killed = time.time()
        wait_for(lambda: not process_exists(frozen), "it is killed", patience_s=STALLED_S)
        observed.wait_for_start(killed + 1, on=follower)
        account = observed.account()
    assert account.right, account


def test_a_runner_that_stands_still_is_replaced_and_its_slots_follow_their_policy(
    one_server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, one_server_env) as cluster:
        observed = Observed(tmp_path, one_server_env)
        leader = cluster.leader()
        frozen = leader.child("runner")
        os.kill(frozen, signal.SIGSTOP)
        stopped = time.time()
        wait_for(lambda: not process_exists(frozen), "it is killed", patience_s=STALLED_S)
        observed.wait_for_start(stopped + 2)
        account = observed.account()
    assert account.right, account


def test_a_task_that_somebody_holds_locked_does_not_keep_the_others_from_firing(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(1, tmp_path, server_env) as cluster:
        book, held_book = tmp_path / "ledger", tmp_path / "held"
        held = add_task(server_env, "held", command=ledger.command(held_book), overlap="parallel")
        add_task(server_env, "free", command=ledger.command(book))
        wait_for(lambda: ledger.read(held_book) and ledger.read(book), "both fire")
        with _locked(server_env, held):
            begun = len(ledger.read(book))
            wait_for(lambda: len(ledger.read(book)) >= begun + 5, "the free one goes on")
            slots = [entry.slot for entry in ledger.read(book)]
            assert len(slots) == (slots[-1] - slots[0]).total_seconds() + 1
            # Ended below; a web process or a machine that vanished would be ended by the server.
        released = time.time()
        wait_for(
            lambda: [e for e in ledger.read(held_book) if e.at > released], "the held one fires"
        )
        assert cluster.leader().metric('gocron_child_restarts_total{child="scheduler"}') == 0


def test_commands_of_a_node_that_was_killed_as_a_whole_are_ended_at_its_next_start(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    node = Node(tmp_path, server_env, "only")
    try:
        node.start()
        add_task(server_env, "long", command="sleep 600 & sleep 600")
        wait_for(lambda: _going(server_env), "it runs")
        pids = wait_for(
            lambda: found if len(found := node.all_pids()) >= 8 else None, "its sleeps run"
        )
        node.signal_all(signal.SIGSTOP)  # so that nobody has time to end anybody
        ours = [node.pid, *node.children().values()]
        for pid in ours:
            os.kill(pid, signal.SIGKILL)
        node.wait()
        commands = [pid for pid in pids if pid not in ours]
        for pid in commands:
            os.kill(pid, signal.SIGCONT)
        assert [pid for pid in commands if process_exists(pid)] == commands
        node.start()
        wait_for(
            lambda: not [pid for pid in commands if process_exists(pid)],
            "the commands of its earlier life are gone",
        )
        wait_for(
            lambda: query(server_env, "SELECT 1 FROM run WHERE state = 'lost'"), "and it says so"
        )
    finally:
        node.end()


def test_a_node_that_drains_for_long_is_not_taken_for_dead(
    one_server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, one_server_env) as cluster:
        leader = cluster.leader()
        add_task(one_server_env, "long", command="sleep 18; echo done", spec="* * * * * *")
        wait_for(lambda: _going(one_server_env), "it runs")
        leader.send(signal.SIGTERM)
        assert leader.wait(40) == 0
        first = query(one_server_env, "SELECT state, reason FROM run ORDER BY id")[0]
        others = query(one_server_env, "SELECT state FROM run WHERE state = 'running'")
    assert first == {"state": "success", "reason": ""}
    assert len(others) <= 1


def test_a_drain_still_hears_requests_to_stop_a_run(
    one_server_env: dict[str, str], tmp_path: Path
) -> None:
    from gocron.db import run_queries
    from tests.helpers.product import SOMEBODY, database_of

    with cluster_of(1, tmp_path, one_server_env) as cluster:
        node = cluster.nodes[0]
        add_task(one_server_env, "long", command="sleep 600")
        run = wait_for(lambda: _going(one_server_env), "it runs")[0]["id"]
        node.send(signal.SIGTERM)
        wait_for(lambda: "draining" in node.log(), "it drains")
        with database_of(one_server_env) as database:
            run_queries.stop(database, run, SOMEBODY)
        assert node.wait(20) == 0
        state = query(one_server_env, f"SELECT state, reason FROM run WHERE id = {run}")
    assert state == [{"state": "cancelled", "reason": "stopped by somebody"}]


def _going(database: dict[str, str]) -> list[dict[str, Any]]:
    return query(database, "SELECT id FROM run WHERE state = 'running' AND task_name = 'long'")


@contextmanager
def _locked(database: dict[str, str], task: int) -> Iterator[None]:
    """Hold a task's row, as a DBA or a stuck program may."""
    connection = connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM task WHERE id = {task} FOR UPDATE")
            yield
    finally:
        connection.rollback()
        connection.close()
