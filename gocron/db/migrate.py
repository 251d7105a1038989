"""Bring the tables up to date, once, whoever comes first.

All nodes may start at the same time: one migrates under a database lock, the others wait for it.
Steps are written so that they can be repeated (``schema_steps``), because MySQL cannot roll
DDL back: a migration that was killed half-way is simply run again.

An older node keeps working beside a newer schema: migrations only add. Where one day they take
away, they raise the setting ``schema_floor``, and versions below it refuse to start.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect, text

import gocron
from gocron.clock import boottime
from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.naming import table
from gocron.errors import SchemaNotCurrent

log = logging.getLogger("gocron.migrate")

WAIT_S = 120
FLOOR = "schema_floor"


def folder() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a source tree."""
    package = Path(gocron.__file__).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def newest() -> str:
    """The revision that this version of gocron wants; they are numbered 0001, 0002 …

    Read from the names of the files: Alembic, which knows it too, takes longer to load than most
    commands take to do their work, and hardly ever is there something to migrate.
    """
    return max(file.name[:4] for file in (folder() / "versions").glob("[0-9]*.py"))


def current(connection: Connection) -> str | None:
    """The revision the database is at, None if it is empty."""
    if not inspect(connection).has_table(table("alembic_version")):
        return None
    found = connection.execute(
        text(f"SELECT version_num FROM {table('alembic_version')}")
    ).scalar_one_or_none()
    return None if found is None else str(found)


def upgrade(database: Database, sleep: Callable[[float], None] = time.sleep) -> str:
    """Bring the tables to ``newest``; returns the revision in force.

    Raises ``SchemaNotCurrent`` if another node holds the lock for too long, or if the tables are
    of a version that no longer works with this one.
    """
    with database.read() as connection:
        if _settled(connection):
            return str(current(connection))
    key = table("schema")
    with database.engine.connect() as connection:
        connection.execution_options(sqlite_begin="IMMEDIATE")
        _lock(database.dialect, connection, key, sleep)
        try:
            if not _settled(connection):
                log.info("migrating the database to revision %s", newest())
                step_to(connection, "head")
            found = str(current(connection))
            # First the commit, then the lock: whoever gets it next must see what was done.
            connection.commit()
        finally:
            database.dialect.unlock_migrations(connection, key)
    return found


def step_to(connection: Connection, revision: str) -> None:
    """Take the steps that lead from what there is to ``revision``; the caller holds the lock."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = table("alembic_version")
    command.upgrade(config, revision)


def _lock(
    dialect: Dialect, connection: Connection, key: str, sleep: Callable[[float], None]
) -> None:
    """By trying again and again: a statement that waits for long looks like a dead server."""
    until = boottime() + WAIT_S
    while not dialect.try_lock_migrations(connection, key):
        if boottime() >= until:
            raise SchemaNotCurrent(
                f"another node has been migrating the database for more than {WAIT_S} s; "
                "look at its log, then start this node again"
            )
        sleep(0.1)


def check(connection: Connection) -> str | None:
    """What is wrong with the schema, in words; None if nothing is."""
    found = current(connection)
    if found is None:
        return "the database has no tables of gocron yet: run `gocron migrate`"
    if found < newest():
        return (
            f"the tables are at revision {found}, this version needs {newest()}: "
            "run `gocron migrate`"
        )
    return _below_floor(connection)


def _settled(connection: Connection) -> bool:
    """Whether there is nothing to do; raises if nothing *can* be done."""
    found = current(connection)
    if found is None or found < newest():
        return False
    problem = _below_floor(connection)
    if problem:
        raise SchemaNotCurrent(problem)
    if found > newest():
        log.warning(
            "the tables are at revision %s, newer than this version's %s: carrying on, as during "
            "a rolling upgrade",
            found,
            newest(),
        )
    return True


def _below_floor(connection: Connection) -> str | None:
    floor = connection.execute(
        text(f"SELECT value FROM {table('setting')} WHERE name = :name"), {"name": FLOOR}
    ).scalar_one_or_none()
    if floor is not None and str(floor) > newest():
        return (
            f"the tables need a gocron that knows revision {floor}; this version knows "
            f"{newest()}: install the newer version that the other nodes run"
        )
    return None
