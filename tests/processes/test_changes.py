"""A change made anywhere holds from its commit on; the leader needs no telling."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.database import query, rows_of_runs
from gocron.core.definition import define
from gocron.db import run_queries, tasks
from tests.helpers import ledger
from tests.helpers.cluster import Cluster, cluster_of, wait_for
from tests.helpers.product import SOMEBODY, add_task, database_of
from tests.helpers.remote_panel import RemotePanel

SPAWN_S = 0.5
"""A start that was committed before the change may still be on its way to the ledger."""


@pytest.fixture
def cluster(server_env: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    with cluster_of(2, tmp_path, server_env) as running:
        yield running


def test_a_disabled_task_does_not_fire_after_the_commit(
    cluster: Cluster, server_env: dict[str, str], tmp_path: Path
) -> None:
    book = tmp_path / "ledger"
    task = add_task(server_env, "task", command=ledger.command(book))
    other = tmp_path / "other"
    add_task(server_env, "other", command=ledger.command(other))
    wait_for(lambda: len(ledger.read(book)) >= 2, "it fires")
    with database_of(server_env) as database:
        for _round in range(3):
            tasks.set_enabled(database, [task], False, SOMEBODY)
            disabled = time.time()
            seen = len(ledger.read(other))
            wait_for(lambda seen=seen: len(ledger.read(other)) >= seen + 3, "others go on")
            late = [e for e in ledger.read(book) if disabled + SPAWN_S < e.at]
            assert not late
            assert not [e for e in ledger.read(book) if e.slot.timestamp() > disabled]
            tasks.set_enabled(database, [task], True, SOMEBODY)
            count = len(ledger.read(book))
            wait_for(lambda count=count: len(ledger.read(book)) > count, "enabled, it fires again")
    slots = [entry.slot for entry in ledger.read(book)]
    assert len(slots) == len(set(slots))


def test_an_edited_task_runs_its_new_command_from_the_next_slot_on(
    cluster: Cluster, server_env: dict[str, str], tmp_path: Path
) -> None:
    books = [tmp_path / f"ledger {number}" for number in range(4)]

    def definition(number: int) -> dict[str, str]:
        command = ledger.COMMAND.format(f"'{books[number]}'")
        return {"name": "task", "spec": "* * * * * *", "command": command}

    task = add_task(server_env, **definition(0))
    edits = []
    with database_of(server_env) as database:
        for number in (1, 2, 3):
            wait_for(lambda n=number: len(ledger.read(books[n - 1])) >= 2, "it fires")
            tasks.edit(database, task, define(definition(number)), SOMEBODY)
            edits.append(time.time())
    wait_for(lambda: len(ledger.read(books[3])) >= 2, "the last definition fires")
    entries = [ledger.read(book) for book in books]
    for number, edited in enumerate(edits):
        assert not [e for e in entries[number] if e.slot.timestamp() > edited]
    slots = sorted(entry.slot for book in entries for entry in book)
    assert len(slots) == len(set(slots)), "no slot under two definitions"
    wait_for(
        lambda: (
            not [
                row
                for row in rows_of_runs(server_env)
                if row["scheduled_at"] <= slots[-1] and row["state"] == "running"
            ]
        ),
        "the ends of these are recorded",
    )
    every = ledger.account(
        ["task"],
        slots[0],
        slots[-1],
        [e for book in entries for e in book],
        rows_of_runs(server_env),
    )
    assert every.right, every
    assert every.states is not None
    assert set(every.states) == {"success"}, every


def test_what_is_saved_in_the_panel_of_a_follower_is_in_force_within_a_second(
    cluster: Cluster, server_env: dict[str, str], tmp_path: Path
) -> None:
    panel = RemotePanel(cluster.followers()[0])
    books = [tmp_path / "created", tmp_path / "edited"]
    every_second = {"name": "task", "spec": "* * * * * *", "timezone": "UTC"}

    panel.save_task(**every_second, command=ledger.command(books[0]))
    created = time.time()
    first = wait_for(lambda: ledger.read(books[0]), "the new task fires")[0]
    assert first.slot.timestamp() <= created + 1

    task = query(server_env, "SELECT id, revision FROM task")[0]
    path = f"/tasks/edit/?id={task['id']}"
    panel.save_task(
        path, **every_second, command=ledger.command(books[1]), revision=task["revision"]
    )
    edited = time.time()
    first = wait_for(lambda: ledger.read(books[1]), "the new command runs")[0]
    assert first.slot.timestamp() <= edited + 1
    assert not [e for e in ledger.read(books[0]) if e.slot.timestamp() > edited]

    panel.disable_task(task["id"])
    disabled = time.time()
    time.sleep(3)
    assert not [e for e in ledger.read(books[1]) if e.slot.timestamp() > disabled]
    slots = [entry.slot for book in books for entry in ledger.read(book)]
    assert len(slots) == len(set(slots)) == (slots[-1] - slots[0]).total_seconds() + 1


def test_run_now_and_stop_work_without_the_leader_being_told(
    cluster: Cluster, server_env: dict[str, str]
) -> None:
    task = add_task(server_env, "rare", spec="0 0 0 1 1 *", command="echo on; sleep 600")
    with database_of(server_env) as database:
        run = tasks.run_now(database, task, SOMEBODY)
        wait_for(lambda: _state(server_env, run) == "running", "it starts", patience_s=5)
        run_queries.stop(database, run, SOMEBODY)
        wait_for(lambda: _state(server_env, run) == "cancelled", "it is stopped", patience_s=5)
    row = query(server_env, f"SELECT reason, trigger_kind, triggered_by FROM run WHERE id = {run}")
    assert row[0] == {
        "reason": "stopped by somebody",
        "trigger_kind": "manual",
        "triggered_by": "somebody",
    }


def test_a_run_that_overlaps_is_skipped_unless_the_task_allows_it(
    cluster: Cluster, server_env: dict[str, str]
) -> None:
    add_task(server_env, "alone", command="sleep 2.5")
    add_task(server_env, "together", command="sleep 2.5", overlap="parallel")
    add_task(server_env, "two", command="sleep 2.5", overlap="parallel", max_parallel=2)

    def enough() -> bool:
        done = query(
            server_env, "SELECT 1 FROM run WHERE task_name = 'alone' AND state = 'success'"
        )
        return len(done) >= 3

    wait_for(enough, "three runs end well")
    rows = query(
        server_env,
        "SELECT task_name, state, reason, started_at, finished_at FROM run "
        "WHERE state IN ('success', 'skipped')",
    )
    by_task = {
        name: [row for row in rows if row["task_name"] == name]
        for name in ("alone", "together", "two")
    }
    assert _most_at_once(by_task["alone"]) == 1
    assert _most_at_once(by_task["two"]) == 2
    assert _most_at_once(by_task["together"]) >= 2
    assert not [row for row in by_task["together"] if row["state"] == "skipped"]
    skipped = [row for row in by_task["alone"] if row["state"] == "skipped"]
    assert skipped
    assert all("overlap: skip" in row["reason"] for row in skipped)


def _state(database: dict[str, str], run: int) -> str:
    return str(query(database, f"SELECT state FROM run WHERE id = {run}")[0]["state"])


def _most_at_once(rows: list[dict[str, object]]) -> int:
    going = [row for row in rows if row["state"] == "success"]
    return max(
        sum(r["started_at"] <= row["started_at"] < r["finished_at"] for r in going)  # type: ignore[operator]
        for row in going
    )
