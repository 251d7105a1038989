"""``gocron run …``: what there is, its output, stopping it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gocron.core.states import RunState
from tests.helpers.cluster import Node, wait_for
from tests.helpers.command import Gocron, assert_refused
from tests.helpers.product import add_task


@pytest.fixture
def gocron(tmp_path: Path) -> Gocron:
    """With two tasks that are never due, and a run of one that waits for a leader."""
    made = Gocron(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"})
    made.must("migrate")
    tasks = [
        {"name": name, "spec": "0 0 1 1 *", "command": "true", "enabled": False}
        for name in ("waits", "other")
    ]
    made.must("task", "import", "-", stdin="\n".join(json.dumps(task) for task in tasks))
    made.must("task", "run", "waits")
    return made


def _runs(gocron: Gocron, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gocron.must("run", "list", "--json", *options))
    return found


def test_runs_are_listed_newest_first_filtered_and_stopped(gocron):
    gocron.must("task", "run", "other", "waits")
    assert [run["task_name"] for run in _runs(gocron)] == ["waits", "other", "waits"]
    assert [run["id"] for run in _runs(gocron, "--limit", "2")] == [3, 2]
    assert [run["id"] for run in _runs(gocron, "--task", "waits")] == [3, 1]
    assert [run["id"] for run in _runs(gocron, "--task", "2", "--limit", "1")] == [2]

    assert "will not begin" in gocron.must("run", "stop", "1")
    assert_refused(gocron("run", "stop", "1"), "had ended already")
    (stopped,) = _runs(gocron, "--state", "cancelled")
    assert (stopped["id"], stopped["status"]) == (1, RunState.CANCELLED.gocron_status)
    assert stopped["stop_requested_by"].startswith("cli:")
    assert stopped["finished_at"].endswith("Z")
    assert [run["id"] for run in _runs(gocron, "--state", "queued", "--state", "running")] == [3, 2]

    table = gocron.must("run", "list", "--state", "cancelled").splitlines()
    assert table[0].split()[:3] == ["ID", "TASK", "STATE"]
    assert table[1].split()[:3] == ["1", "waits", "cancelled"]
    shown = json.loads(gocron.must("run", "show", "1", "--json"))
    assert shown == stopped
    assert "state              cancelled\n" in gocron.must("run", "show", "1")
    assert gocron.must("run", "output", "1") == ""
    for command in ("show", "output", "stop"):
        assert_refused(gocron("run", command, "99"), "there is no run 99")


def test_runs_of_a_deleted_task_are_still_found_by_its_id(gocron):
    gocron.must("task", "delete", "--yes", "waits")
    assert [run["state"] for run in _runs(gocron, "--task", "1")] == ["cancelled"]
    assert_refused(gocron("run", "list", "--task", "waits"), "there is no task 'waits'")


def test_output_is_printed_as_it_is_and_a_running_run_is_stopped(tmp_path):
    database = {"GOCRON_DB_ENGINE": "sqlite", "GOCRON_DB_DATABASE": str(tmp_path / "gocron.db")}
    gocron = Gocron(tmp_path, database)
    node = Node(tmp_path, database, "only")
    try:
        node.start()
        command = "printf 'h\\303\\266\\033[1m\\n'; exec sleep 100"
        add_task(database, "long", spec="0 0 1 1 *", command=command)
        run_id = gocron.must("task", "run", "long").split()[1]
        expected = "hö\x1b[1m\n"
        wait_for(lambda: gocron.must("run", "output", run_id) == expected, "its output is there")
        assert "within a second" in gocron.must("run", "stop", run_id)
        wait_for(
            lambda: (
                json.loads(gocron.must("run", "show", run_id, "--json"))["state"]
                == RunState.CANCELLED
            ),
            "it is stopped",
        )
    finally:
        node.end()
