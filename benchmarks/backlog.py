"""After an hour without any leader: what becomes of the slots of a thousand tasks, and how soon the
scheduler is as punctual as before.

    python -m benchmarks.backlog [--engine postgres|mysql] [--tasks 999] [--json FILE]

A third of the tasks each with the misfire policies run_once, skip and run_all, due every minute;
besides them twenty tasks that are due every second. The hour is made by setting the cursors back
while no node runs. Then rows are compared with what each policy says, slot by slot, and the
lateness of the twenty in the seconds from the tenth after the start on with the one before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.database import execute, query
from benchmarks.failover import p99
from gocron.core.definition import define
from gocron.db import tasks
from tests.helpers.cluster import Node, wait_for
from tests.helpers.product import SOMEBODY, add_task, database_of
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres

SERVERS = {"postgres": PrivatePostgres, "mysql": PrivateMariaDB}
PUNCTUAL = 20
LOOK_S = 20
MINUTE = timedelta(minutes=1)
POLICIES = ("run_once", "skip", "run_all")


def main() -> None:
    """Measure, print a table, exit with 1 if a row is not what its policy says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=sorted(SERVERS), action="append")
    parser.add_argument("--tasks", type=int, default=999)
    parser.add_argument("--json", type=Path, help="write the results here as well")
    arguments = parser.parse_args()
    results = [measure(engine, arguments.tasks) for engine in arguments.engine or sorted(SERVERS)]
    for result in results:
        print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    sys.exit(0 if not any(result["wrong"] for result in results) else 1)


def measure(engine: str, count: int) -> dict[str, Any]:
    """One server, one node, one backlog."""
    with (
        tempfile.TemporaryDirectory(prefix="gocron-backlog-") as folder,
        SERVERS[engine](durable=True) as server,
    ):
        database = server.environment(server.create_database())
        node = Node(Path(folder), database, "only")
        try:
            node.start()
            for number in range(PUNCTUAL):
                add_task(database, f"punctual {number}", command="true", overlap="parallel")
            time.sleep(LOOK_S + 3)
            before = lateness(database, datetime.now(UTC) - timedelta(seconds=LOOK_S))
            node.stop()
            late = add_backlog(database, count)
            began = datetime.now(UTC)
            node.start()
            leading = datetime.now(UTC)
            # The thousand are also due on time at the next full minutes.
            wait_for(lambda: not unsettled(database), "the backlog is gone", patience_s=900)
            settled = datetime.now(UTC)
            time.sleep(max(0.0, 32 - (datetime.now(UTC) - leading).total_seconds()))
            after = lateness(
                database, leading + timedelta(seconds=10), leading + timedelta(seconds=30)
            )
            return {
                "engine": engine,
                "tasks": count,
                "p99_late_before_s": round(p99(before), 3),
                "p99_late_from_10_to_30_s_after": round(p99(after), 3),
                "max_late_from_10_to_30_s_after": round(max(after), 3),
                "settled_after_s": round((settled - began).total_seconds(), 1),
                "rows": dict(Counter(r["state"] for r in backlog(database))),
                "wrong": wrong(database, late)[:10],
            }
        finally:
            node.end()


def add_backlog(database: dict[str, str], count: int) -> list[datetime]:
    """Tasks that nobody has looked after for an hour; their late slots. One more was due a moment
    ago: it is not late yet, and will not become late while a node starts."""
    newest = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=3)
    definitions = [
        define(
            {
                "name": f"{POLICIES[number % 3]} {number}",
                "spec": f"{newest.second} * * * * *",
                "command": "true",
                "misfire": POLICIES[number % 3],
            }
        )
        for number in range(count)
    ]
    with database_of(database) as opened:
        tasks.create_many(opened, definitions, SOMEBODY)
    interval = "INTERVAL '1 hour'" if database["GOCRON_DB_ENGINE"] == "postgres" else (
        "INTERVAL 1 HOUR"
    )  # fmt: skip
    execute(database, f"UPDATE task SET next_fire_at = next_fire_at - {interval}")
    return [newest - number * MINUTE for number in range(59, 0, -1)]


def lateness(
    database: dict[str, str], since: datetime, until: datetime | None = None
) -> list[float]:
    """Seconds from slot to start of the punctual tasks."""
    rows = query(
        database,
        "SELECT scheduled_at, started_at FROM run WHERE task_name LIKE 'punctual%' "
        "AND started_at IS NOT NULL",
    )
    return [
        (row["started_at"] - row["scheduled_at"]).total_seconds()
        for row in rows
        if since <= row["scheduled_at"] and (until is None or row["scheduled_at"] < until)
    ]


def unsettled(database: dict[str, str]) -> bool:
    """Whether something of the backlog is still to be run."""
    rows = query(database, "SELECT DISTINCT state FROM run WHERE trigger_kind = 'catch_up'")
    states = {row["state"] for row in rows}
    return not states or bool(states & {"queued", "running"})


def backlog(database: dict[str, str]) -> list[dict[str, Any]]:
    """The rows of the thousand."""
    return query(
        database,
        "SELECT task_name, scheduled_at, state, trigger_kind, missed_until, missed_count, reason "
        "FROM run WHERE task_name NOT LIKE 'punctual%' ORDER BY task_name, scheduled_at",
    )


def wrong(database: dict[str, str], late: list[datetime]) -> list[str]:
    """Tasks whose late slots did not become what their policy says: each in exactly one row, and
    that of the right kind."""
    problems = []
    by_task: dict[str, list[dict[str, Any]]] = {}
    for row in backlog(database):
        by_task.setdefault(row["task_name"], []).append(row)
    for name, rows in by_task.items():
        became: dict[datetime, list[str]] = {}
        for row in rows:
            slot = row["scheduled_at"]
            while slot <= (row["missed_until"] or row["scheduled_at"]):
                became.setdefault(slot, []).append(row["state"])
                slot += MINUTE
        expected = {
            "run_once": ["missed"] * (len(late) - 1) + ["success"],
            "skip": ["missed"] * len(late),
            "run_all": ["success"] * len(late),
        }[name.split()[0]]
        found = [became.get(slot, []) for slot in late]
        if found != [[state] for state in expected]:
            problems.append(f"{name}: {Counter(str(states) for states in found)}")
    return problems


if __name__ == "__main__":
    main()
