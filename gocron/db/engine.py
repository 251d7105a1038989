"""Connections: engines made from settings, and the two kinds of transaction.

An engine is made *after* the fork, by the child that uses it: a connection that two processes
share is closed for both when one of them ends.
"""

from __future__ import annotations

import random
import re
import select
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
import psycopg2.extensions
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from gocron.config import Settings
from gocron.db.dialects import DIALECTS, IDLE_S, LOCK_WAIT_S, Dialect
from gocron.errors import DatabaseUnavailable

CONNECT_TIMEOUT_S = 5
SQLITE_PATIENCE_S = 20
"""How long a statement waits for another process that writes to the file."""

MYSQL_IDLE_S = 30
"""MySQL cannot end idle transactions only, so it ends idle sessions; the pool notices."""

DRIVERS = {"postgres": "postgresql+psycopg2", "mysql": "mysql+pymysql"}

T = TypeVar("T")

DEADLOCK_TRIES = 5
DEADLOCK_PAUSE_S = 0.02
"""At most so long, by chance: at once it might take its row before the one that waits for it."""

DATABASE_ERRORS = (DBAPIError, PoolTimeout, DatabaseUnavailable)
"""What any statement may raise when the database is away, slow or refusing."""

DEADLOCKS = frozenset({"40P01", "40001", 1213})
"""PostgreSQL SQLSTATE and MySQL code of transactions that may simply be tried again."""

LOCKS_TAKEN = frozenset({1205, 1213})
"""MySQL's codes for a row lock that was not to be had."""


def url(settings: Settings) -> URL:
    """The SQLAlchemy URL, with the driver named: the bare names mean other drivers by now."""
    db = settings.db
    if db.engine == "sqlite":
        return URL.create("sqlite", database=str(settings.sqlite_path))
    return URL.create(
        DRIVERS[db.engine],
        username=db.user,
        password=db.password.get_secret_value(),
        host=db.host,
        port=db.port,
        database=db.database,
        query={"charset": db.charset} if db.engine == "mysql" else {},
    )


MYSQL_SESSION = (
    "SET time_zone = '+00:00', SESSION sql_mode = "
    "'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
    f"SESSION innodb_lock_wait_timeout = {LOCK_WAIT_S}"
)

MYSQL_LIMITS = (
    # What only one of the two servers knows: the other takes it for a comment.
    f" /*M!100300 , SESSION idle_transaction_timeout = {IDLE_S} */"
    f" /*!80000 , SESSION wait_timeout = {MYSQL_IDLE_S} */"
)
"""Not for the elector: it holds its transaction open on purpose, and sets limits of its own."""


def connect_args(settings: Settings, *, silence_s: float, limited: bool) -> dict[str, Any]:
    """Driver options; a peer that stays silent for ``silence_s`` counts as gone. The server ends
    ``limited`` sessions that leave a transaction lying open."""
    if settings.db.engine == "postgres":
        return {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "gocron",
            "keepalives_idle": max(1, int(silence_s / 3)),
            "keepalives_interval": max(1, int(silence_s / 6)),
            "keepalives_count": 3,
            "tcp_user_timeout": int(silence_s * 1000),
        }
    if settings.db.engine == "mysql":
        return {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": silence_s,
            "write_timeout": silence_s,
            "init_command": MYSQL_SESSION + (MYSQL_LIMITS if limited else ""),
        }
    return {"timeout": SQLITE_PATIENCE_S, "check_same_thread": False}


def limit_waits(limit_s: float) -> None:
    """Give every wait for PostgreSQL in this process a limit.

    libpq waits for ever on a peer that acknowledges packets and does not answer: a hung server, a
    proxy whose other side is gone. TCP's own limits do not see that.
    """

    def wait(connection: psycopg2.extensions.connection) -> None:
        until = time.monotonic() + limit_s
        while True:
            state = connection.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            event = select.POLLIN if state == psycopg2.extensions.POLL_READ else select.POLLOUT
            poll = select.poll()
            poll.register(connection.fileno(), event)
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise psycopg2.OperationalError(f"no answer from the server for {limit_s:g} s")

    psycopg2.extensions.set_wait_callback(wait)


def make_engine(settings: Settings, *, size: int = 2, silence_s: float = 20.0) -> Engine:
    """An engine with a pool of at most ``size`` connections.

    READ COMMITTED everywhere: a plain SELECT after a wait must see what was waited for.
    """
    options: dict[str, Any] = {"pool_size": size, "max_overflow": 0, "pool_timeout": 5}
    if settings.db.engine == "sqlite":
        engine = create_engine(
            url(settings),
            connect_args=connect_args(settings, silence_s=silence_s, limited=True),
            **options,
        )
        _teach_sqlite_transactions(engine)
        return engine
    if settings.db.engine == "postgres":
        limit_waits(silence_s)
    return create_engine(
        url(settings),
        connect_args=connect_args(settings, silence_s=silence_s, limited=True),
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_recycle=1800,
        **options,
    )


def make_single_connection_engine(settings: Settings, *, silence_s: float) -> Engine:
    """An engine without a pool: closing a connection closes it. For the elector."""
    if settings.db.engine == "postgres":
        limit_waits(silence_s)
    return create_engine(
        url(settings),
        connect_args=connect_args(settings, silence_s=silence_s, limited=False),
        isolation_level="READ COMMITTED",
        poolclass=NullPool,
    )


def _teach_sqlite_transactions(engine: Engine) -> None:
    """pysqlite begins transactions when it likes; we say BEGIN ourselves, and which one.

    A transaction that will write has to begin IMMEDIATE: one that turns from reading to writing
    fails at once when somebody else wrote meanwhile, however long the timeout is.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Two that switch a new file at the same moment are told at once that it is locked, however
    long the timeout is."""
    until = time.monotonic() + SQLITE_PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
        time.sleep(0.01)


class Database:
    """An engine together with its dialect: what every function of this package is given."""

    def __init__(self, settings: Settings, *, size: int = 2, silence_s: float = 20.0) -> None:
        self.dialect: Dialect = DIALECTS[settings.db.engine]
        self.engine = make_engine(settings, size=size, silence_s=silence_s)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for looking; whatever it did is rolled back."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, limited: bool = True) -> Iterator[Connection]:
        """A transaction; committed at the end, rolled back on any error. ``limited`` ones are
        ended by the server when they wait or idle for long; migrations are not."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")
            with connection.begin():
                if limited:
                    self.dialect.limit_write(connection)
                yield connection

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a write transaction; once more from the start after a deadlock."""
        for _attempt in range(DEADLOCK_TRIES - 1):
            try:
                with self.write() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not is_deadlock(error):
                    raise
                time.sleep(random.uniform(0, DEADLOCK_PAUSE_S))  # noqa: S311
        with self.write() as connection:
            return work(connection)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def is_deadlock(error: BaseException) -> bool:
    """Whether the same transaction may succeed if it is simply tried again."""
    return _code(error) in DEADLOCKS


def is_lock_taken(error: BaseException) -> bool:
    """Whether MySQL gave up because somebody else holds the row: after ``LOCK_WAIT_S``, or at once
    because both waited for each other."""
    return _code(error) in LOCKS_TAKEN


def _code(error: BaseException) -> str | int | None:
    """PostgreSQL's SQLSTATE or MySQL's number."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    code: str | int | None = getattr(error.orig, "pgcode", None)
    return code or (error.orig.args or (None,))[0]


def describe(error: BaseException) -> str:
    """A database error in one line, without the statement and without secrets."""
    cause = getattr(error, "orig", None) or error
    lines = re.sub(r"\s+", " ", str(cause)).strip()
    return f"{type(cause).__name__}: {lines[:300]}"


def place(settings: Settings) -> str:
    """Where the database is, without the password."""
    db = settings.db
    if settings.single_node:
        return str(settings.sqlite_path)
    return f"{db.user}@{db.host}:{db.port}/{db.database}"


def unavailable(settings: Settings, error: BaseException) -> DatabaseUnavailable:
    """The paragraph for somebody whose database cannot be reached."""
    engine = settings.db.engine
    hint = (
        "Check that the folder exists and may be written by this user."
        if engine == "sqlite"
        else "Check GOCRON_DB_HOST, _PORT, _USER, _PASSWORD and _DATABASE (or db.* in "
        "conf/app.ini), that the server is up, and that it accepts connections from this host."
    )
    return DatabaseUnavailable(
        f"the {engine} database {place(settings)} cannot be used: {describe(error)}. {hint} "
        "`gocron check` tries it again."
    )
