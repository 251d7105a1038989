"""How many runs a second the hot transactions carry: read what is due, claim, adopt, load, start,
finish. On private servers that flush to disk as in production.

    python -m benchmarks.claims [--engine postgres|mysql] [--rounds 15] [--batch 1000] [--json FILE]

Beside each of them, batch by batch in the same run, the same work by the plain driver with nothing
around it: psycopg2's ``execute_values``, PyMySQL's ``executemany``. Absolute figures are of the
machine they were taken on; the ratio is what says something.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2.extras
from sqlalchemy import update

from benchmarks.database import connect
from gocron.clock import DatabaseClock
from gocron.core.firing import Plan, PlannedRun
from gocron.core.identity import Identity
from gocron.core.states import Overlap, RunState
from gocron.db import adoption, migrate, runs, starts
from gocron.db.claims import Claimant, claim, due
from gocron.db.engine import Database
from gocron.db.models import Task
from gocron.db.runs import End
from tests.helpers.big import TASKS, fill
from tests.helpers.databases import settings_for
from tests.helpers.rows import begin_term, insert_node
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres

SERVERS = {"postgres": PrivatePostgres, "mysql": PrivateMariaDB}
OPERATIONS = ("due", "claim", "adopt", "load", "start", "finish")
MOMENT = timedelta(milliseconds=1)
"""From one slot to the next: tasks that are due stay due for all rounds."""

NODES_OF_FILL = 3
"""Their ids are the owners of the rows that are there from the beginning."""


def main() -> None:
    """Measure what was asked for; a table, and one JSON line an engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=sorted(SERVERS), action="append")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1000, help="rows a transaction, at most 1000")
    parser.add_argument("--json", type=Path, help="write the results here as well")
    arguments = parser.parse_args()
    results = [
        measure(engine, arguments.rounds, arguments.batch)
        for engine in arguments.engine or sorted(SERVERS)
    ]
    print(table(results))
    for result in results:
        print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


@dataclass
class Watch:
    """Seconds per operation, one figure a batch."""

    product: dict[str, list[float]] = field(default_factory=dict)
    yardstick: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def timed(figures: dict[str, list[float]], operation: str) -> Iterator[None]:
    gc.collect()
    started = time.perf_counter()
    yield
    figures.setdefault(operation, []).append(time.perf_counter() - started)


def measure(engine: str, rounds: int, batch: int) -> dict[str, Any]:
    """All operations on one server, among 100,000 tasks and 200,000 ended runs."""
    with (
        tempfile.TemporaryDirectory(prefix="gocron-claims-") as folder,
        SERVERS[engine](durable=True) as server,
    ):
        environment = server.environment(server.create_database())
        database = Database(settings_for(environment, Path(folder)), size=1)
        migrate.upgrade(database)
        for number in range(NODES_OF_FILL):
            insert_node(database, f"old {number}")
        fill(database)
        with database.write() as connection:  # some have runs that are going on already
            connection.execute(update(Task).values(overlap=Overlap.PARALLEL))
        yardstick = YARDSTICKS[engine](environment)
        watch = Watch()
        one_round(database, yardstick, Watch(), batch, 1)  # plans, caches, and connections
        for number in range(rounds):
            one_round(database, yardstick, watch, batch, number + 2)
        yardstick.close()
        database.close()
    return {
        "engine": engine,
        "rounds": rounds,
        "batch": batch,
        "tasks": TASKS,
        "product": figures(watch.product, batch),
        "yardstick": figures(watch.yardstick, batch),
        "ratio": {
            name: round(
                statistics.median(watch.yardstick[name]) / statistics.median(watch.product[name]), 2
            )
            for name in OPERATIONS
            if name in watch.yardstick
        },
    }


def figures(seconds: dict[str, list[float]], batch: int) -> dict[str, dict[str, float]]:
    """Medians."""
    return {
        name: {
            "ms": round(1000 * statistics.median(found), 1),
            "rows_per_s": round(batch / statistics.median(found)),
        }
        for name, found in seconds.items()
    }


def one_round(
    database: Database, yardstick: Yardstick, watch: Watch, batch: int, number: int
) -> None:
    """A batch through its whole life, by the product; then by the bare driver."""
    first = insert_node(database, f"first {number}")
    second = insert_node(database, f"second {number}")
    begin_term(database, 2 * number)
    with timed(watch.product, "due"):
        found = due(database, DatabaseClock(), 1.5, None)[:batch]
    plans = [
        Plan(
            task,
            (PlannedRun(task.id, task.name, task.revision, task.next_fire_at),),
            task.next_fire_at + MOMENT,
        )
        for task in found
    ]
    with timed(watch.product, "claim"):
        assert claim(database, Claimant(first.id, 2 * number), plans) == batch
    ids = runs.queued_ids(database, first.id)
    begin_term(database, 2 * number + 1)
    with timed(watch.product, "adopt"):
        assert adoption.adopt(database, Claimant(second.id, 2 * number + 1), ids, {}) == batch
    start_and_finish(database, second, ids, watch)

    bare = [(task.id, task.name, task.revision, task.next_fire_at + MOMENT) for task in found]
    with timed(watch.yardstick, "claim"):
        yardstick.claim(bare)
    ids = yardstick.ids()
    with timed(watch.yardstick, "adopt"):
        yardstick.update(ids, "owner_id", second.id)
    with timed(watch.yardstick, "start"):
        yardstick.update(ids, "state", "running")
    with timed(watch.yardstick, "finish"):
        yardstick.finish(ids)


def start_and_finish(database: Database, node: Identity, ids: Sequence[int], watch: Watch) -> None:
    """The runner's side; definitions are loaded before a run is due."""
    with timed(watch.product, "load"):
        works = runs.load(database, node.id, ids)
    with timed(watch.product, "start"):
        started = database.transact(
            lambda connection: starts.start(connection, database.dialect, node, works)
        ).started
    assert len(started) == len(ids)
    now = datetime.now(UTC)
    ends = [End(work.id, RunState.SUCCESS, "", 0, now, 10) for work in started]
    with timed(watch.product, "finish"):
        runs.finish(database, node.id, ends)


class Yardstick:
    """The plain driver: the same rows, one transaction a batch, no checks."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.connection = connect(environment)
        self.cursor = self.connection.cursor()

    def claim(self, tasks: Sequence[tuple[int, str, int, datetime]]) -> None:
        """Move the cursors and insert the rows."""
        raise NotImplementedError

    def update(self, ids: Sequence[int], column: str, value: object) -> None:
        """Set one column of these runs."""
        raise NotImplementedError

    def finish(self, ids: Sequence[int]) -> None:
        """Set what an end sets."""
        raise NotImplementedError

    def ids(self) -> list[int]:
        """Of the runs that the last claim inserted."""
        self.cursor.execute("SELECT id FROM run WHERE state = 'queued' AND owner_id = 0")
        found = [row["id"] for row in self.cursor.fetchall()]
        self.connection.commit()
        return found

    def close(self) -> None:
        """Disconnect."""
        self.connection.close()


COLUMNS = (
    "task_id, task_name, scheduled_at, attempt, start_at, trigger_kind, triggered_by, state, "
    "reason, owner_id, term, revision, created_at, output_bytes, stop_requested_by"
)


class Psycopg(Yardstick):
    """``execute_values``."""

    def claim(self, tasks: Sequence[tuple[int, str, int, datetime]]) -> None:
        self._values(
            "UPDATE task SET next_fire_at = v.at FROM (VALUES %s) AS v(id, at) "
            "WHERE task.id = v.id",
            [(number, at + MOMENT) for number, _name, _revision, at in tasks],
        )
        self._values(
            f"INSERT INTO run ({COLUMNS}) VALUES %s ON CONFLICT DO NOTHING",
            [
                (number, name, at, 0, at, "schedule", "", "queued", "", 0, 1, revision, at, 0, "")
                for number, name, revision, at in tasks
            ],
        )
        self.connection.commit()

    def update(self, ids: Sequence[int], column: str, value: object) -> None:
        self._values(
            f"UPDATE run SET {column} = v.value FROM (VALUES %s) AS v(id, value) "
            "WHERE run.id = v.id",
            [(number, value) for number in ids],
        )
        self.connection.commit()

    def finish(self, ids: Sequence[int]) -> None:
        now = datetime.now(UTC)
        self._values(
            "UPDATE run SET state = v.state, exit_code = v.code, finished_at = v.at, "
            "output_bytes = v.bytes FROM (VALUES %s) AS v(id, state, code, at, bytes) "
            "WHERE run.id = v.id",
            [(number, "success", 0, now, 10) for number in ids],
        )
        self.connection.commit()

    def _values(self, statement: str, values: list[tuple[Any, ...]]) -> None:
        psycopg2.extras.execute_values(self.cursor, statement, values, page_size=len(values))


class PyMySQL(Yardstick):
    """``executemany``: one statement for an INSERT, one a row for an UPDATE."""

    def claim(self, tasks: Sequence[tuple[int, str, int, datetime]]) -> None:
        self.cursor.executemany(
            "UPDATE task SET next_fire_at = %s WHERE id = %s",
            [(_naive(at + MOMENT), number) for number, _name, _revision, at in tasks],
        )
        marks = ", ".join(["%s"] * 15)
        self.cursor.executemany(
            f"INSERT IGNORE INTO run ({COLUMNS}) VALUES ({marks})",
            [
                (number, name, at, 0, at, "schedule", "", "queued", "", 0, 1, revision, at, 0, "")
                for number, name, revision, aware in tasks
                for at in [_naive(aware)]
            ],
        )
        self.connection.commit()

    def update(self, ids: Sequence[int], column: str, value: object) -> None:
        self.cursor.executemany(
            f"UPDATE run SET {column} = %s WHERE id = %s", [(value, number) for number in ids]
        )
        self.connection.commit()

    def finish(self, ids: Sequence[int]) -> None:
        now = _naive(datetime.now(UTC))
        self.cursor.executemany(
            "UPDATE run SET state = %s, exit_code = %s, finished_at = %s, output_bytes = %s "
            "WHERE id = %s",
            [("success", 0, now, 10, number) for number in ids],
        )
        self.connection.commit()


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)


YARDSTICKS: dict[str, Callable[[dict[str, str]], Yardstick]] = {
    "postgres": Psycopg,
    "mysql": PyMySQL,
}


def table(results: list[dict[str, Any]]) -> str:
    """For people."""
    lines = [
        "engine    operation   rows a batch      ms   rows/s   bare driver: ms   rows/s   ratio"
    ]
    for result in results:
        for name in OPERATIONS:
            ours, bare = result["product"][name], result["yardstick"].get(name)
            line = (
                f"{result['engine']:9} {name:9} {result['batch']:14} {ours['ms']:7.1f} "
                f"{ours['rows_per_s']:8.0f}"
            )
            if bare is not None:
                line += (
                    f" {bare['ms']:17.1f} {bare['rows_per_s']:8.0f} {result['ratio'][name]:7.2f}"
                )
            lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
