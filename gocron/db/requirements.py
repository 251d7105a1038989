"""What a server must be to carry gocron's promises; a clear refusal otherwise."""

from __future__ import annotations

import re

from sqlalchemy import Connection, text

from gocron.db.naming import table
from gocron.errors import DatabaseUnsupported


def require_version(product: str, found: str, least: tuple[int, int]) -> str:
    """``product`` and version in words; raises ``DatabaseUnsupported`` if it is too old."""
    match = re.search(r"(\d+)\.(\d+)", found) or re.search(r"(\d+)()", found)
    numbers = (int(match[1]), int(match[2] or 0)) if match else (0, 0)
    if numbers < least:
        raise DatabaseUnsupported(
            f"{product} {found} is too old: gocron needs at least {least[0]}.{least[1]} "
            "(PostgreSQL 12, MySQL 8.0, MariaDB 10.6, SQLite 3.35)"
        )
    return f"{product} {found}"


def require_writable(server: str, read_only: bool) -> None:
    """A node on a server that takes no writes can neither lead nor record runs."""
    if read_only:
        raise DatabaseUnsupported(
            f"the server ({server}) is read-only: a replica, or in maintenance, and a node has to "
            "write what it does. Let db.host lead to the primary, or wait until it takes writes"
        )


def require_innodb(connection: Connection) -> None:
    """The leader is elected by a row lock: an engine that locks tables, or nothing, will not do."""
    engines = {
        str(row[0]).lower(): str(row[1]).upper()
        for row in connection.execute(
            text("SELECT engine, support FROM information_schema.engines")
        )
    }
    if engines.get("innodb") not in ("YES", "DEFAULT"):
        raise DatabaseUnsupported(
            "the server offers no InnoDB, and gocron's election needs its row locks; "
            "enable InnoDB (no skip-innodb / disabled_storage_engines) and start again"
        )
    tables = connection.execute(
        text(
            "SELECT table_name, engine FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = :name"
        ),
        {"name": table("scheduler_lock")},
    ).all()
    for name, engine in tables:
        if str(engine).lower() != "innodb":
            raise DatabaseUnsupported(
                f"the table {name} uses the storage engine {engine}, which has no row locks; "
                f"convert it with: ALTER TABLE {name} ENGINE=InnoDB"
            )


def require_utf8(connection: Connection) -> None:
    """Output and error messages are made of any characters: one that the database cannot store
    would keep the end of a run from being recorded."""
    encoding = str(connection.execute(text("SHOW server_encoding")).scalar_one())
    if encoding != "UTF8":
        raise DatabaseUnsupported(
            f"the database has the encoding {encoding}, which cannot store every character; make "
            "one with: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )
