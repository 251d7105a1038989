"""The first time that an installation meets its database: what is there, and making what is not.

For ``processes.setting_up`` only, which runs in a process that has the table prefix that somebody
typed in.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from gocron.config import Settings
from gocron.core.installing import Administrator, Found, Reason, Refused, SetUp
from gocron.db import migrate, users
from gocron.db.engine import Database
from gocron.db.models import Node, Task, User
from gocron.db.nodes import LOST_AFTER_S, pulses
from gocron.db.refusals import refusal
from gocron.db.requirements import require_version
from gocron.errors import DatabaseUnsupported, GocronError, SchemaNotCurrent

SILENCE_S = 4.0


def look(settings: Settings) -> Found | Refused:
    """Whether this database will do, and what is in it. Changes nothing, makes no file."""
    if settings.single_node:
        problem = _place_of_file(settings.sqlite_path)
        if problem is not None:
            return problem
        if not settings.sqlite_path.exists():
            return Found(require_version("SQLite", sqlite3.sqlite_version, (3, 35)), tables=False)
    database = Database(settings, silence_s=SILENCE_S)
    try:
        with database.read() as connection:
            return _look(database, connection)
    except (SQLAlchemyError, OSError) as error:
        return refusal(error)
    finally:
        database.close()


def _look(database: Database, connection: Connection) -> Found | Refused:
    try:
        server = database.dialect.check_server(connection)
    except DatabaseUnsupported as error:
        return Refused(Reason.UNSUPPORTED, str(error))
    if database.dialect.is_read_only(connection):
        return Refused(Reason.READ_ONLY, server)
    revision = migrate.current(connection)
    if revision is None:
        return Found(server, tables=False)
    outdated = revision < migrate.newest()
    problem = None if outdated else migrate.check(connection)
    if problem:
        return Refused(Reason.SCHEMA, problem)
    counts = [
        int(connection.execute(select(func.count()).select_from(kind)).scalar_one())
        for kind in (Task, User)
    ]
    nodes = select(func.count(Node.id)).where(Node.stopped_at.is_(None))
    return Found(server, True, outdated, int(connection.execute(nodes).scalar_one()), *counts)


def set_up(settings: Settings, first: Administrator | None) -> SetUp | Refused:
    """Make the tables, under the lock of all migrations, and the first user if there is none.
    Nothing is changed if it turns out that somebody has to be named for that."""
    found = look(settings)
    if isinstance(found, Refused):
        return found
    if first is None and not found.users:
        return Refused(Reason.NO_ADMINISTRATOR)
    if settings.single_node:
        settings.sqlite_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings)
    try:
        if found.tables and _is_taken(database, settings.node_name):
            return Refused(Reason.NAME_TAKEN, settings.node_name)
        migrate.upgrade(database)
        return SetUp(first is not None and _create_first(database, first))
    except SchemaNotCurrent as error:
        return Refused(Reason.SCHEMA, str(error))
    except GocronError as error:
        return Refused(Reason.OTHER, str(error))
    except (SQLAlchemyError, OSError) as error:
        return refusal(error)
    finally:
        database.close()


def _is_taken(database: Database, name: str) -> bool:
    """Whether a node of this name lives."""
    return any(
        pulse.name == name and not pulse.stopped and pulse.age_s <= LOST_AFTER_S
        for pulse in pulses(database)
    )


def _create_first(database: Database, first: Administrator) -> bool:
    return users.create_first(database, first.username, first.password, first.email)


def _place_of_file(path: Path) -> Refused | None:
    """What is wrong with where the SQLite file is, or would be."""
    existing = path
    while not existing.exists():
        existing = existing.parent
    usable = existing.is_file() if existing == path else existing.is_dir()
    if not usable or not os.access(existing, os.W_OK):
        return Refused(Reason.FOLDER, str(existing))
    guard = path.with_name(path.name + ".lock")
    if not guard.exists():
        return None
    with guard.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Refused(Reason.IN_USE, str(path))
    return None
