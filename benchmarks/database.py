"""Looking into a database from outside, with the plain drivers: benchmarks and tests must not
judge the product by its own code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import psycopg2
import psycopg2.extras
import pymysql
import pymysql.cursors


def connect(database: Mapping[str, str]) -> Any:
    """A connection for the GOCRON_DB_* in ``database``."""
    place: dict[str, Any] = {
        "host": database["GOCRON_DB_HOST"],
        "port": int(database["GOCRON_DB_PORT"]),
        "user": database["GOCRON_DB_USER"],
        "password": database["GOCRON_DB_PASSWORD"],
    }
    name = database["GOCRON_DB_DATABASE"]
    if database["GOCRON_DB_ENGINE"] == "postgres":
        return psycopg2.connect(**place, dbname=name, cursor_factory=psycopg2.extras.RealDictCursor)
    return pymysql.connect(**place, database=name, cursorclass=pymysql.cursors.DictCursor)


def query(database: Mapping[str, str], sql: str) -> list[dict[str, Any]]:
    """All rows of one statement, naive times made UTC."""
    connection = connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = [dict(row) for row in cursor.fetchall()]
        connection.commit()
    finally:
        connection.close()
    for row in rows:
        for name, value in row.items():
            if hasattr(value, "astimezone"):
                row[name] = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return rows


def execute(database: Mapping[str, str], sql: str) -> None:
    """One statement, committed."""
    connection = connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.commit()
    finally:
        connection.close()


def rows_of_runs(database: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is needed to account for slots."""
    return query(
        database,
        "SELECT task_name, scheduled_at, state, reason, missed_until FROM run "
        "WHERE trigger_kind = 'schedule'",
    )
