"""What waits, waits in the database: whoever leads next goes on with it, and nothing runs twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.database import query
from gocron.db import backfills, calendars, groups, pauses, tasks
from tests.helpers.cluster import Cluster, Node, cluster_of, wait_for
from tests.helpers.product import SOMEBODY, add_task, database_of

NEVER = "0 0 0 1 1 *"

GRACE = timedelta(seconds=0.5)
"""A start that had looked for pauses a moment before may still be on its way."""


@pytest.fixture
def cluster(server_env: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    with cluster_of(2, tmp_path, server_env) as running:
        yield running


class Scene:
    """Tasks that note their starts in a book, one line a start: task, run."""

    def __init__(self, database: dict[str, str], folder: Path) -> None:
        self.database = database
        self.book = folder / "book"
        self.book.touch()
        self._ids: dict[str, int] = {}

    def task(self, name: str, command: str, **fields: Any) -> None:
        noted = f"echo {name} $GOCRON_RUN_ID >> '{self.book}'; {command}"
        fields = {"spec": "" if "depends_on" in fields else NEVER} | fields
        self._ids[name] = add_task(self.database, name, command=noted, **fields)

    def run(self, name: str) -> int:
        with database_of(self.database) as database:
            return tasks.run_now(database, self._ids[name], SOMEBODY)

    def backfill(self, name: str, first: datetime, last: datetime, parallel: int) -> None:
        with database_of(self.database) as database:
            backfills.create(database, self._ids[name], first, last, SOMEBODY, parallel=parallel)

    def rows(self, name: str) -> list[dict[str, Any]]:
        return query(
            self.database,
            "SELECT id, scheduled_at, attempt, state, reason, held_at, start_at, started_at, "
            "finished_at "
            f"FROM run WHERE task_name = '{name}' ORDER BY id",
        )

    def states(self, name: str) -> list[str]:
        return [row["state"] for row in self.rows(name)]

    def wait_for(self, name: str, *states: str) -> None:
        wait_for(
            lambda: self.states(name) == list(states),
            f"{name} becomes {states}",
            patience_s=40,
            more=lambda: str(self.rows(name)),
        )

    def started(self) -> list[str]:
        return self.book.read_text().splitlines()


@pytest.fixture
def scene(server_env: dict[str, str], tmp_path: Path) -> Scene:
    return Scene(server_env, tmp_path)


def successor(cluster: Cluster, killed: Node) -> Node:
    """Kill the leader the hard way; who leads then."""
    killed.kill()
    return cluster.leader(other_than=killed)


def test_what_waits_when_the_leader_is_killed_happens_under_the_next_one(
    cluster: Cluster, scene: Scene, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    scene.task(
        "retry",
        f"mkdir '{seen}-retry' && exit 1; true",
        retry_times=3,
        retry_interval=7,
    )
    scene.task("queue", "sleep 8", overlap="queue")
    scene.task("first", "true")
    scene.task("second", "sleep 8", depends_on=["first"], on_lost="rerun")
    scene.task("third", "true", depends_on={"second": "strong", "first": "weak"})
    scene.task(
        "replace",
        f"mkdir '{seen}-replace' && {{ trap '' TERM; sleep 30 & wait; wait; }}; true",
        overlap="replace",
    )
    with database_of(scene.database) as database:
        groups.save(database, "narrow", 1, "", SOMEBODY)
    for name in ("one", "two", "three"):
        scene.task(name, "sleep 8" if name == "one" else "sleep 2", group="narrow")

    for name in ("retry", "queue", "first", "replace", "one"):
        scene.run(name)
    scene.wait_for("retry", "failed", "queued")
    scene.wait_for("second", "running")
    scene.wait_for("queue", "running")
    scene.wait_for("replace", "running")
    scene.wait_for("one", "running")
    for name in ("queue", "replace", "two", "three"):
        scene.run(name)
    for name in ("queue", "replace", "two", "three"):
        wait_for(lambda name=name: scene.rows(name)[-1]["held_at"], f"{name} waits its turn")

    killed = cluster.leader()
    successor(cluster, killed)

    scene.wait_for("queue", "lost", "success")
    wait_for(lambda: scene.states("replace")[1] == "success", "the newer one runs", 40)
    assert scene.states("replace")[0] in ("lost", "cancelled")  # it was being stopped already
    scene.wait_for("second", "lost", "success")
    scene.wait_for("third", "success")
    scene.wait_for("retry", "failed", "success")
    scene.wait_for("one", "lost")
    scene.wait_for("two", "success")
    scene.wait_for("three", "success")

    retried = scene.rows("retry")[1]
    assert retried["attempt"] == 1
    assert retried["started_at"] >= retried["start_at"]
    two, three = scene.rows("two")[0], scene.rows("three")[0]
    assert two["finished_at"] <= three["started_at"] or three["finished_at"] <= two["started_at"]
    doubled = [line for line, times in Counter(scene.started()).items() if times > 1]
    assert not doubled
    assert len(scene.started()) == 13


def test_a_backfill_goes_on_under_the_next_leader_in_order_and_not_faster(
    cluster: Cluster, scene: Scene
) -> None:
    scene.task("daily", "sleep 1", spec="0 0 3 * * *", on_lost="rerun")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    scene.backfill("daily", today - timedelta(days=6), today, 2)
    wait_for(lambda: scene.states("daily").count("success") >= 2, "it has begun")
    killed = cluster.leader()
    successor(cluster, killed)
    wait_for(lambda: len(good_slots(scene)) == 6, "all of it ends well", 40)
    assert not {"queued", "running"} & set(scene.states("daily"))
    rows = scene.rows("daily")
    for row in rows:
        others = [o for o in rows if o["started_at"] <= row["started_at"] < o["finished_at"]]
        assert len(others) <= 2
    assert len(scene.started()) == len(set(scene.started()))
    # One that the killed node was about to start may have got no further than its row.
    silent = {f"daily {row['id']}": row["state"] for row in rows}
    for line in scene.started():
        del silent[line]
    assert set(silent.values()) <= {"lost"}


def good_slots(scene: Scene) -> set[datetime]:
    return {row["scheduled_at"] for row in scene.rows("daily") if row["state"] == "success"}


def test_while_everything_is_paused_only_people_start_something(
    cluster: Cluster, scene: Scene
) -> None:
    scene.task("each second", "true", spec="* * * * * *", overlap="parallel")
    scene.task("by hand", "true")
    wait_for(lambda: len(scene.started()) >= 2, "it fires")
    with database_of(scene.database) as database:
        pauses.pause(database, "", "maintenance of the storage", None, SOMEBODY)
        paused = datetime.now(UTC)
        scene.run("by hand")
        scene.wait_for("by hand", "success")
        time.sleep(3)
        pauses.resume(database, "", SOMEBODY)
    resumed = datetime.now(UTC)
    wait_for(
        lambda: query(
            scene.database,
            "SELECT 1 AS x FROM run WHERE task_name = 'each second' AND state = 'success' "
            f"AND scheduled_at > '{resumed:%Y-%m-%d %H:%M:%S}'",
        ),
        "it fires again",
    )
    rows = [row for row in scene.rows("each second") if row["started_at"]]
    assert not [row for row in rows if paused + GRACE < row["started_at"] < resumed]
    slots = query(
        scene.database,
        "SELECT scheduled_at FROM run WHERE task_name = 'each second' ORDER BY scheduled_at",
    )
    moments = [row["scheduled_at"] for row in slots]
    assert len(moments) == (moments[-1] - moments[0]).total_seconds() + 1, "no slot is forgotten"


def test_a_task_that_has_become_impossible_says_why_and_disturbs_nobody(
    cluster: Cluster, scene: Scene
) -> None:
    with database_of(scene.database) as database:
        calendars.save(database, "free", [], "", SOMEBODY)
        every_second: dict[str, Any] = {"spec": "* * * * * *", "overlap": "parallel"}
        scene.task("broken", "true", exclude_calendars=["free"], **every_second)
        scene.task("other", "true", **every_second)
        wait_for(lambda: "success" in scene.states("broken"), "it fires")
        calendars.delete(database, "free", SOMEBODY, force=True)
        said = query(scene.database, "SELECT broken FROM task WHERE name = 'broken'")
        assert "calendar 'free' does not exist" in said[0]["broken"]
        count = len(scene.rows("broken"))
        before = scene.states("other").count("success")
        wait_for(lambda: scene.states("other").count("success") >= before + 3, "others go on")
        assert len(scene.rows("broken")) <= count + 1
        calendars.save(database, "free", [], "", SOMEBODY)
        ended = scene.states("broken").count("success")
        wait_for(lambda: scene.states("broken").count("success") > ended + 2, "it fires again")
