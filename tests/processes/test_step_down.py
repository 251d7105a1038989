"""A leader that is asked to step down, under load: nothing twice, nothing forgotten."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from benchmarks.database import query
from gocron.db import cluster, step_down
from gocron.db.audit import Actor
from tests.helpers.cluster import cluster_of, wait_for
from tests.helpers.observed import Observed
from tests.helpers.product import database_of


def test_another_node_goes_on_and_every_slot_runs_exactly_once(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(3, tmp_path, server_env) as nodes:
        observed = Observed(tmp_path, server_env)
        leader = nodes.leader()
        with database_of(server_env) as database:
            assert step_down.ask(database, Actor("ada")) == leader.name
            asked = time.time()
            other = nodes.leader(other_than=leader)
            took_s = time.time() - asked
            observed.wait_for_start(time.time(), on=other)
            observed.wait_for_start(asked + 12, on=other)  # it does not come back by itself
            now = cluster.look(database)
        account = observed.account()
        history = query(
            server_env, "SELECT term, node_name, end_reason FROM leadership ORDER BY term"
        )
        log = leader.log()
    assert account.right, account
    assert set(account.states or ()) == {"success"}, account
    assert [row["term"] for row in history] == [1, 2]
    assert history[0]["end_reason"] == "asked to step down by ada"
    assert (now.leader.node_name if now.leader else None) == other.name
    assert took_s < 5 + 3, "it is asked at the next renewal"
    assert "term 1 is over: asked to step down by ada" in log
    assert "Leader lease renewal failed" not in log


def test_the_processes_of_all_nodes_are_known_to_all(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, server_env) as nodes, database_of(server_env) as database:
        other = nodes.followers()[0]
        pids = {name: other.child(name) for name in ("elector", "scheduler", "runner", "web")}

        def known() -> dict[str, tuple[int, str, int]]:
            members = {member.name: member for member in cluster.look(database).members}
            return {
                one.name: (one.pid, one.phase, one.restarts)
                for one in members[other.name].processes
            }

        expected = {name: (pid, "running", 0) for name, pid in pids.items()}
        wait_for(lambda: known() == expected, "the others know them", more=lambda: str(known()))
        os.kill(pids["web"], signal.SIGKILL)
        wait_for(
            lambda: known()["web"][0] != pids["web"] and known()["web"][1:] == ("running", 1),
            "its restart is known",
            more=lambda: str(known()),
        )
