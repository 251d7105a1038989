"""How long the API takes to list and show, at a fixed rate, with 100,000 tasks and 1,000,000 runs.

    python -m benchmarks.api [--engine postgres|mysql] [--tasks 100000] [--runs 1000000]
                             [--rate 100] [--seconds 20] [--json FILE]

A private server of each engine is filled as by ``benchmarks.panel``; then a node is started on it,
as a user starts it, and asked over HTTP with an API token. Requests are sent when they are due,
whether or not the ones before have been answered, and a request's time begins when it is due: what
waits for a slow one is counted too. Client, node and server share the machine. Median and 95th
percentile in milliseconds. Exits with 1 if a 95th percentile is above ``GOAL_MS`` or an answer is
not 200.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.panel import SERVERS, filled
from gocron.core.access import Scope
from gocron.db import api_tokens
from gocron.db.api_tokens import Wanted
from gocron.db.models import User
from tests.helpers.cluster import Node
from tests.helpers.panel import TESTER
from tests.helpers.rows import rows

GOAL_MS = 50.0
THREADS = 32

KINDS: tuple[tuple[str, str], ...] = (
    ("list tasks", "/tasks?limit=50"),
    ("list tasks, by name", "/tasks?limit=50&sort=name"),
    ("list tasks, by next slot", "/tasks?limit=50&sort=next_fire_at"),
    ("list tasks of a tag", "/tasks?limit=50&tag=tag+7"),
    ("show a task", "/tasks/{task}"),
    ("list runs", "/runs?limit=50"),
    ("list runs that failed", "/runs?limit=50&state=failed"),
    ("list runs of a task", "/runs?limit=50&task_id={busy}"),
    ("show a run", "/runs/{run}"),
    ("cluster", "/cluster"),
)


def main() -> None:
    """Measure, print a table, exit with 1 if something is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=sorted(SERVERS), action="append")
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each kind of request")
    parser.add_argument("--json", type=Path, help="write the results here as well")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for engine in arguments.engine or sorted(SERVERS):
        for result in measure(engine, arguments):
            print_line(result)
            results.append(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    good = all(r["p95_ms"] <= GOAL_MS and not r["failed"] for r in results)
    sys.exit(0 if good else 1)


def measure(engine: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every kind of request, one after the other."""
    with filled(engine, arguments.tasks, arguments.runs) as (panel, words):
        (user,) = rows(panel.database, User)
        wanted = Wanted("benchmark", Scope.READ, 1)
        token = api_tokens.create(panel.database, user.id, wanted, TESTER).token
        node = Node(panel.context.settings.home, words["environment"], "measured")  # type: ignore[arg-type]
        try:
            node.start()
            for name, address in KINDS:
                numbers = itertools.count(arguments.tasks // 3)
                addresses = (
                    address.format(task=n % arguments.tasks + 1, run=n + 1, busy=words["busy"])
                    for n in numbers
                )
                taken, failed = ask_at(
                    node.port, token, addresses, arguments.rate, arguments.seconds
                )
                yield {
                    "engine": engine,
                    "request": name,
                    "rate": arguments.rate,
                    "median_ms": round(statistics.median(taken), 1),
                    "p95_ms": round(percentile(taken, 0.95), 1),
                    "most_ms": round(max(taken), 1),
                    "failed": failed,
                }
        finally:
            node.end()


def ask_at(
    port: int, token: str, addresses: Iterator[str], rate: float, seconds: float
) -> tuple[list[float], int]:
    """Milliseconds from when each request was due to the end of its answer, and how many answers
    were not 200."""
    own = threading.local()

    def ask(due: float, path: str) -> tuple[float, bool]:
        connection = getattr(own, "connection", None)
        if connection is None:
            connection = own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("GET", f"/api/v1{path}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        return (time.perf_counter() - due) * 1000, answer.status == 200

    with ThreadPoolExecutor(THREADS) as threads:
        for _ in range(THREADS):  # to warm up
            ask(time.perf_counter(), next(addresses))
        began = time.perf_counter() + 0.1
        asked = []
        for number in range(int(rate * seconds)):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            asked.append(threads.submit(ask, due, next(addresses)))
        answers = [one.result() for one in asked]
    return [taken for taken, _ok in answers], sum(not ok for _taken, ok in answers)


def percentile(taken: Sequence[float], share: float) -> float:
    """The smallest value that so many are not above."""
    return sorted(taken)[max(0, int(len(taken) * share) - 1)]


def print_line(result: dict[str, Any]) -> None:
    """A line of the table, as soon as it is known."""
    bad = result["p95_ms"] > GOAL_MS or result["failed"]
    print(
        f"{result['engine']:9} {result['request']:26} {result['median_ms']:8.1f} "
        f"{result['p95_ms']:8.1f} {result['most_ms']:8.1f} ms {result['failed']:5} failed"
        f"{'  !' if bad else ''}",
        flush=True,
    )


if __name__ == "__main__":
    main()
