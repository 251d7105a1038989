"""Databases under test: their settings, what their statements cost, several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import event

from gocron.config import Settings, load
from gocron.db.engine import Database

T = TypeVar("T")

CONNECTIONS = 12
"""As many as the threads of one test need at once."""

PATIENCE_S = 30.0

on_servers = pytest.mark.parametrize("engine", ["postgres", "mysql"], indirect=True)
"""For what several nodes do: SQLite has one."""


def settings_for(environment: Mapping[str, str], home: Path, **more: str) -> Settings:
    """The settings of a node in ``home`` with these GOCRON_* variables."""
    return load({"GOCRON_HOME": str(home), **environment, **more})


def at_once(*jobs: Callable[[], T]) -> list[T]:
    """Run the jobs on threads that all begin at the same moment; their results in order."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], T]) -> T:
        barrier.wait(PATIENCE_S)
        return job()

    with ThreadPoolExecutor(len(jobs)) as threads:
        return [done.result(PATIENCE_S) for done in [threads.submit(run, job) for job in jobs]]


Statement = tuple[str, Any]
"""SQL as the driver gets it, and its parameters."""


@contextmanager
def statements_of(database: Database) -> Iterator[list[Statement]]:
    """What is sent to the server meanwhile."""
    sent: list[Statement] = []

    def note(
        _connection: object, _cursor: object, sql: str, parameters: Any, *_more: object
    ) -> None:
        sent.append((sql, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def effort(database: Database, statement: Statement) -> int:
    """How much the server touches to execute a statement: blocks of 8 KiB on PostgreSQL, rows on
    MariaDB. Whatever it changes is rolled back."""
    with database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        try:
            if database.dialect.name == "postgresql":
                return _blocks(cursor, statement)
            return _rows_read(cursor, statement)
        finally:
            cursor.close()


def _blocks(cursor: Any, statement: Statement) -> int:
    sql, parameters = statement
    cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, parameters)
    ((found,),) = cursor.fetchall()
    plan = found[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _rows_read(cursor: Any, statement: Statement) -> int:
    before = _handler_reads(cursor)
    cursor.execute(*statement)
    cursor.fetchall()
    return _handler_reads(cursor) - before


def _handler_reads(cursor: Any) -> int:
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    # Reading the status itself goes through a temporary table, by Handler_read_rnd_next.
    return sum(int(count) for name, count in cursor.fetchall() if name != "Handler_read_rnd_next")


def full_scans(database: Database, statement: Statement) -> Sequence[str]:
    """Names of the tables that a statement reads from one end to the other."""
    sql, parameters = statement
    with database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        try:
            if database.dialect.name == "postgresql":
                cursor.execute("EXPLAIN (FORMAT JSON) " + sql, parameters)
                ((found,),) = cursor.fetchall()
                return _sequential(found[0]["Plan"])
            cursor.execute("EXPLAIN " + sql, parameters)
            columns = [column[0] for column in cursor.description]
            plans = [dict(zip(columns, plan, strict=True)) for plan in cursor.fetchall()]
            return [
                plan["table"]
                for plan in plans
                if plan["type"] in ("ALL", "index") and "Table function" not in plan["Extra"]
            ]
        finally:
            cursor.close()


def _sequential(plan: dict[str, Any]) -> list[str]:
    here = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return here + [name for part in plan.get("Plans", []) for name in _sequential(part)]
