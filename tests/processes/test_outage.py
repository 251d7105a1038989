"""The database goes away and comes back: nothing unclaimed starts, nothing is forgotten."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from benchmarks.database import query
from tests.conftest import SERVER_FIXTURES
from tests.helpers import ledger
from tests.helpers.cluster import cluster_of, wait_for
from tests.helpers.observed import Observed
from tests.helpers.product import add_task

OUTAGE_S = 8.0
"""Longer than a renewal, shorter than patience."""


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("engine", sorted(SERVER_FIXTURES))
def test_commands_outlive_an_outage_of_the_database_and_are_recorded_afterwards(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, how: str
) -> None:
    server = request.getfixturevalue(SERVER_FIXTURES[engine])
    server.start()
    database = server.environment(server.create_database())
    with cluster_of(2, tmp_path, database) as cluster:
        observed = Observed(tmp_path, database)
        marker = tmp_path / "ended"
        slow = f"echo begun; sleep {OUTAGE_S / 2}; echo ended; touch {marker}"
        add_task(database, "slow", command=slow)
        wait_for(
            lambda: query(
                database, "SELECT 1 FROM run WHERE task_name = 'slow' AND state = 'running'"
            ),
            "the slow command runs",
        )
        node = cluster.leader()
        (server.stop if how == "stopped" else server.kill)()
        gone = time.time()
        _status, body = wait_for(
            lambda: answer if (answer := node.get("/readyz"))[0] == 503 else None,
            "readyz tells the truth",
        )
        assert "database" in json.loads(body)["problems"][0]
        assert node.status("/healthz") == 200
        wait_for(marker.exists, "the command goes on to its end")
        wait_for(lambda: time.time() - gone > OUTAGE_S, "the outage lasts")
        server.start()
        back = time.time()
        again = observed.wait_for_start(back)
        account = observed.account()
        rows = query(
            database, "SELECT id, state, finished_at FROM run WHERE task_name = 'slow' ORDER BY id"
        )
        output = query(
            database, f"SELECT content FROM run_output WHERE run_id = {rows[0]['id']} ORDER BY seq"
        )
        entries = ledger.read(observed.book)
    server.drop_database(database["GOCRON_DB_DATABASE"])
    assert account.right, account
    assert rows[0]["state"] == "success", rows[0]
    assert gone < rows[0]["finished_at"].timestamp() < back, "the time it ended, not was recorded"
    assert "".join(row["content"] for row in output) == "begun\nended\n"
    unclaimed = [entry for entry in entries if gone + 1 < entry.at < back]
    assert not unclaimed, unclaimed
    assert again - back < 5
