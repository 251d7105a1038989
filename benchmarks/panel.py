"""How long the panel's pages take on the server with 100,000 tasks and 1,000,000 runs.

    python -m benchmarks.panel [--engine postgres|mysql] [--tasks 100000] [--runs 1000000]
                               [--only WORD] [--json FILE]

A private server of each engine, with its default settings, is filled by SQL. The pages are asked
for through Flask's test client in this process: what is measured is everything from the request to
the last byte of the answer (session, queries, template), without waitress and the network. Each
page is asked for once to warm up, then ``TIMES`` times; median and 95th percentile in milliseconds.
Exits with 1 if a median is above ``GOAL_MS``.

A page is a line in ``PAGES``: its part, what it is called, and its address. ``{…}`` stands for what
``filled`` says about the rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from gocron.db.engine import Database, limit_waits
from tests.helpers.big import LATER
from tests.helpers.panel import Panel, Visitor, installed
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres

SERVERS = {"postgres": PrivatePostgres, "mysql": PrivateMariaDB}
GOAL_MS = 150.0
TIMES = 20

BUSY = 500
"""Tasks that have half of all runs; the others share the other half."""

SERIES = {
    "postgresql": "generate_series(CAST({first} AS bigint), {last}) AS s(n)",
    "mysql": "(SELECT CAST(seq AS SIGNED) AS n FROM seq_{first}_to_{last}) AS s",
}

AT_ONCE = 25_000
"""Rows of an INSERT: nobody waits for long for an answer."""

IDLE = 300
"""Tasks that have never run."""

PAGES: tuple[tuple[str, str, str], ...] = (
    ("start", "dashboard", "/"),
    ("tasks", "plain", "/tasks/"),
    ("tasks", "100 rows", "/tasks/?page_size=100"),
    ("tasks", "page 400", "/tasks/?page=399"),
    ("tasks", "page 4,000", "/tasks/?page=3999"),
    ("tasks", "by tag", "/tasks/?sort=1"),
    ("tasks", "by next slot", "/tasks/?sort=4"),
    ("tasks", "by next slot, last first", "/tasks/?sort=4&desc=1"),
    ("tasks", "enabled", "/tasks/?enabled=1"),
    ("tasks", "disabled", "/tasks/?enabled=0"),
    ("tasks", "kind", "/tasks/?kind=http"),
    ("tasks", "tag", "/tasks/?tag=tag+7"),
    ("tasks", "tag, by next slot", "/tasks/?tag=tag+7&sort=4"),
    ("tasks", "tag, disabled, http", "/tasks/?tag=tag+7&enabled=0&kind=http"),
    ("tasks", "failed", "/tasks/?last=failed"),
    ("tasks", "failed, by next slot", "/tasks/?last=failed&sort=4"),
    ("tasks", "failed, tag", "/tasks/?last=failed&tag=tag+7"),
    ("tasks", "succeeded", "/tasks/?last=succeeded"),
    ("tasks", "running", "/tasks/?last=running"),
    ("tasks", "never", "/tasks/?last=never"),
    ("tasks", "never, tag", "/tasks/?last=never&tag=tag+7"),
    ("tasks", "broken", "/tasks/?broken=1"),
    ("tasks", "paused", "/tasks/?paused=1"),
    ("tasks", "search a name", "/tasks/?search=job+0{tasks}"),
    ("tasks", "search a part of many names", "/tasks/?search=JOB"),
    ("tasks", "search a tag", "/tasks/?search=tag+7"),
    ("tasks", "search a part of few commands", "/tasks/?search=archive-9000"),
    ("tasks", "search in vain", "/tasks/?search=nowhere"),
    ("tasks", "search in vain, tag, enabled", "/tasks/?search=nowhere&tag=tag+7&enabled=1"),
    ("tasks", "search in vain, failed", "/tasks/?search=nowhere&last=failed"),
    ("tasks", "search, by next slot", "/tasks/?search=job&sort=4"),
    ("runs", "plain", "/runs/"),
    ("runs", "success", "/runs/?state=success"),
    ("runs", "failed", "/runs/?state=failed"),
    ("runs", "lost", "/runs/?state=lost"),
    ("runs", "of a busy task", "/runs/?task={busy}"),
    ("runs", "of a quiet task", "/runs/?task={quiet}"),
    ("runs", "of a part of a name", "/runs/?task=job"),
    ("runs", "of a node", "/runs/?node={node}"),
    ("runs", "of a node, failed", "/runs/?node={node}&state=failed"),
    ("runs", "page in the middle", "/runs/?before={middle}"),
)


def main() -> None:
    """Measure, print a table, exit with 1 if a page is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=sorted(SERVERS), action="append")
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="pages with this in their part or name")
    parser.add_argument("--json", type=Path, help="write the results here as well")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for engine in arguments.engine or sorted(SERVERS):
        with filled(engine, arguments.tasks, arguments.runs) as (panel, words):
            for result in measure(engine, panel, words, arguments.only):
                print_line(result)
                results.append(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(0 if all(result["median_ms"] <= GOAL_MS for result in results) else 1)


def measure(
    engine: str, panel: Panel, words: Mapping[str, object], only: str
) -> Iterator[dict[str, Any]]:
    """Every page that has ``only`` in its part or its name."""
    visitor = panel.administrator()
    for part, name, address in PAGES:
        if only in part or only in name:
            path = address.format(**words)
            taken = sorted([_ask(visitor, path) for _ in range(TIMES + 1)][1:])
            yield {
                "engine": engine,
                "part": part,
                "page": name,
                "path": path,
                "median_ms": round(statistics.median(taken), 1),
                "p95_ms": round(taken[int(len(taken) * 0.95) - 1], 1),
            }


def _ask(visitor: Visitor, path: str) -> float:
    began = time.perf_counter()
    answer = visitor.get(path)
    taken = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, (path, answer.status)
    return taken


def print_line(result: Mapping[str, Any]) -> None:
    """A line of the table, as soon as it is known."""
    slow = "  !" if result["median_ms"] > GOAL_MS else ""
    print(
        f"{result['engine']:9} {result['part']:6} {result['page']:34} "
        f"{result['median_ms']:8.1f} {result['p95_ms']:8.1f} ms{slow}",
        flush=True,
    )


@contextmanager
def filled(engine: str, tasks: int, runs: int) -> Iterator[tuple[Panel, Mapping[str, object]]]:
    """A panel over a server with so many rows, and words for the addresses."""
    with (
        tempfile.TemporaryDirectory(prefix="gocron-panel-") as home,
        SERVERS[engine]() as server,
        installed(environment := server.environment(server.create_database()), Path(home)) as panel,
    ):
        limit_waits(60)
        fill_tasks(panel.database, tasks)
        fill_runs(panel.database, tasks, runs)
        analyze(panel.database)
        yield (
            panel,
            {
                "environment": environment,
                "tasks": tasks,
                "node": panel.context.identity.id,
                "busy": 7,
                "quiet": BUSY + 7,
                "middle": runs // 2,
                "yesterday": (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
            },
        )


def fill_tasks(database: Database, count: int) -> None:
    """A hundred tags; one in ten is disabled, one in ten a request; one in 5,000 is broken."""
    later = LATER[database.dialect.name]
    now = later.format(seconds="0")
    _insert(
        database,
        count,
        "INSERT INTO task (name, spec, timezone, protocol, command, working_dir, "
        "environment, http_method, http_headers, http_body, http_statuses, "
        "success_pattern, timeout, overlap, max_parallel, misfire, tag, remark, enabled, "
        "revision, next_fire_at, created_at, updated_at, broken) "
        "SELECT CONCAT('job ', LPAD(CAST(n AS CHAR(7)), 7, '0')), "
        "CONCAT(MOD(n, 60), ' ', MOD(n * 7, 60), ' 4 * * *'), 'Europe/Berlin', "
        "CASE WHEN MOD(n, 10) = 3 THEN 'http' ELSE 'shell' END, "
        "CASE WHEN MOD(n, 10) = 3 THEN CONCAT('https://example.org/hooks/', n) ELSE "
        "CONCAT('/srv/tools/bin/copy --from /srv/data/', n, ' --to /mnt/archive-', n, "
        "' --compress --keep 14') END, '', '{}', 'GET', '{}', '', '200-299', '', 0, "
        "'skip', 0, 'run_once', CONCAT('tag ', MOD(n, 100)), '', "
        "CASE WHEN MOD(n, 10) = 5 THEN FALSE ELSE TRUE END, 1, "
        f"CASE WHEN MOD(n, 10) = 5 THEN NULL ELSE {later.format(seconds='3600 + n')} END, "
        f"{now}, {now}, CASE WHEN MOD(n, 5000) = 9 THEN 'its calendar is gone' ELSE '' END ",
    )


def fill_runs(database: Database, tasks: int, count: int) -> None:
    """Over thirty days, oldest first; every second one of ``BUSY`` tasks. Three in a hundred did
    not end well; the last forty are going on."""
    name, later = database.dialect.name, LATER[database.dialect.name]
    step = 30 * 86_400 / count
    at = later.format(seconds=f"(n - {count}) * {step:.6f}")
    ended = later.format(seconds=f"(n - {count}) * {step:.6f} + MOD(n, 90)")
    half = "n / 2" if name == "postgresql" else "n DIV 2"
    task_id = (
        f"CASE WHEN MOD(n, 2) = 0 THEN MOD({half}, {BUSY}) + 1 "
        f"ELSE MOD({half}, {tasks - BUSY - IDLE}) + {BUSY + 1} END"
    )
    running = f"n > {count} - 40"
    lot = "MOD(n * 7919, 1000)"
    _insert(
        database,
        count,
        "INSERT INTO run (task_id, task_name, scheduled_at, attempt, start_at, "
        "trigger_kind, triggered_by, state, reason, owner_id, term, revision, created_at, "
        "started_at, finished_at, exit_code, output_bytes, stop_requested_by) "
        f"SELECT {task_id}, CONCAT('job ', LPAD(CAST({task_id} AS CHAR(7)), 7, '0')), "
        f"{at}, 0, {at}, CASE WHEN MOD(n, 97) = 0 THEN 'manual' ELSE 'schedule' END, '', "
        f"CASE WHEN {running} THEN 'running' WHEN {lot} < 15 THEN 'failed' "
        f"WHEN {lot} < 18 THEN 'timeout' WHEN {lot} < 19 THEN 'lost' "
        f"WHEN {lot} < 30 THEN 'skipped' WHEN {lot} < 33 THEN 'missed' ELSE 'success' END, "
        f"'', MOD(n, 3) + 1, 1, 1, {at}, {at}, "
        f"CASE WHEN {running} THEN NULL ELSE {ended} END, "
        f"CASE WHEN {running} THEN NULL WHEN {lot} < 15 THEN 1 ELSE 0 END, 100, '' ",
    )


def _insert(database: Database, count: int, statement: str) -> None:
    """``INSERT … SELECT`` over the numbers ``n`` from 1 to ``count``."""
    for first in range(1, count + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, count)
        series = SERIES[database.dialect.name].format(first=first, last=last)
        with database.write(limited=False) as connection:
            connection.execute(text(f"{statement} FROM {series}"))


def analyze(database: Database) -> None:
    """As the servers do by themselves after a while."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("task", "run"):
            if database.dialect.name == "postgresql":
                connection.execute(text(f"VACUUM ANALYZE {table}"))
            else:
                connection.execute(text(f"ANALYZE TABLE {table}"))


if __name__ == "__main__":
    main()
