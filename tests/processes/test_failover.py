"""Whatever is killed: somebody leads, every slot starts once, nothing is forgotten."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.database import execute, query
from tests.helpers import ledger
from tests.helpers.cluster import cluster_of, process_exists, wait_for
from tests.helpers.observed import LEASE_S, Observed
from tests.helpers.product import add_task


def test_when_the_leader_is_killed_another_node_goes_on_long_before_the_lease_ends(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(3, tmp_path, server_env) as cluster:
        observed = Observed(tmp_path, server_env)
        for _round in range(3):
            leader = cluster.leader()
            killed = time.time()
            leader.kill()
            again = observed.wait_for_start(killed, not_on=leader)
            assert again - killed < LEASE_S / 3
            leader.start()
        account = observed.account()
        ended = query(server_env, "SELECT term, end_reason FROM leadership ORDER BY term")
    assert account.right, account
    assert [row["term"] for row in ended] == [1, 2, 3, 4]
    assert all("fell silent" in row["end_reason"] for row in ended[:3])


def test_a_graceful_stop_hands_over_at_once_and_finishes_what_is_running(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, server_env) as cluster:
        observed = Observed(tmp_path, server_env)
        leader = cluster.leader()
        marker = tmp_path / "finished"
        add_task(server_env, "slow", command=f"sleep 3; touch {marker}", spec="* * * * * *")
        wait_for(lambda: _running(server_env, "slow"), "the slow task runs")
        asked = time.time()
        leader.send(signal.SIGTERM)
        observed.wait_for_start(asked, not_on=leader)
        assert not marker.exists(), "the takeover must not wait for the drain"
        assert leader.wait() == 0
        assert marker.exists()
        account = observed.account()
        rows = query(server_env, "SELECT state FROM run WHERE task_name = 'slow' ORDER BY id")
        log = leader.log()
    assert account.right, account
    assert rows[0]["state"] == "success"
    assert f"Releasing leader lock: {socket.gethostname()}:{leader.pid}" in log
    assert "Stopping scheduler (this node lost leadership)" in log


def test_a_leader_that_stands_still_is_replaced_within_the_lease_and_starts_nothing_afterwards(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    short = {"GOCRON_LEASE": "3", "GOCRON_RENEW": "1", "GOCRON_GRACE": "0.5", "GOCRON_POLL": "0.1"}
    with cluster_of(3, tmp_path, server_env, **short) as cluster:
        observed = Observed(tmp_path, server_env)
        leader = cluster.leader()
        stopped = time.time()
        leader.signal_all(signal.SIGSTOP)
        again = observed.wait_for_start(stopped, not_on=leader)
        assert again - stopped < 3 + 2
        observed.wait_for_start(again + 2, not_on=leader)
        leader.signal_all(signal.SIGCONT)
        resumed = time.time()
        wait_for(lambda: leader.metric("gocron_leader") == 0, "it knows that it leads no more")
        observed.wait_for_start(resumed + 3, not_on=leader)
        account = observed.account()
        late = [
            entry
            for entry in ledger.read(observed.book)
            if entry.node == leader.name and entry.at > stopped + 1 and entry.term == 1
        ]
    assert account.right, account
    assert not [entry for entry in late if entry.slot.timestamp() < stopped - 1], late


def test_a_frozen_elector_or_parent_costs_the_node_its_leadership_but_no_slot(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    short = {"GOCRON_LEASE": "3", "GOCRON_RENEW": "1", "GOCRON_GRACE": "0.5", "GOCRON_POLL": "0.1"}
    with cluster_of(2, tmp_path, server_env, **short) as cluster:
        observed = Observed(tmp_path, server_env)
        leader = cluster.leader()
        elector = leader.child("elector")
        os.kill(elector, signal.SIGSTOP)
        other = cluster.leader(other_than=leader)
        moment = observed.wait_for_start(time.time(), on=other)
        os.kill(elector, signal.SIGCONT)
        observed.wait_for_start(moment + 1, on=other)

        os.kill(other.pid, signal.SIGSTOP)  # the parent alone: its children carry on by the board
        observed.wait_for_start(time.time() + 4)
        os.kill(other.pid, signal.SIGCONT)
        account = observed.account()
    assert account.right, account


def test_after_the_parent_is_killed_nothing_of_the_node_is_left(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, server_env) as cluster:
        leader = cluster.leader()
        add_task(server_env, "long", command="sleep 600 & sleep 600")
        wait_for(lambda: _running(server_env, "long"), "the command runs")
        pids = wait_for(
            lambda: pids if len(pids := leader.all_pids()) >= 8 else None, "shell and sleeps run"
        )
        leader.kill()
        wait_for(
            lambda: not [pid for pid in pids if process_exists(pid)],
            "children and commands are gone",
            patience_s=5,
        )
        rows = wait_for(
            lambda: query(
                server_env,
                "SELECT reason FROM run WHERE task_name = 'long' AND state = 'lost'",
            ),
            "the run is recorded as lost",
        )
    assert "parent process died" in rows[0]["reason"]


def test_the_lock_row_is_created_again_when_somebody_deletes_it(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, server_env) as cluster:
        observed = Observed(tmp_path, server_env)
        first = cluster.leader()
        term = first.metric("gocron_term")
        # The row is locked by the leader, so it can only go when the leader does.
        for node in cluster.nodes:
            os.kill(node.child("elector"), signal.SIGSTOP)
        os.kill(first.child("elector"), signal.SIGKILL)
        execute(server_env, "DELETE FROM scheduler_lock")
        for node in cluster.nodes:
            if node is not first:
                os.kill(node.child("elector"), signal.SIGCONT)
        wait_for(
            lambda: (cluster.leader().metric("gocron_term") or 0) > (term or 0),
            "somebody leads under a new term",
        )
        observed.wait_for_start(time.time())
        account = observed.account()
    assert account.right, account
    assert any("the lock row was missing" in node.log() for node in cluster.nodes)


def _running(database: Mapping[str, str], task: str) -> bool:
    found = query(database, "SELECT task_name FROM run WHERE state = 'running'")
    return any(row["task_name"] == task for row in found)
