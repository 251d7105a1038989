"""Migrated databases on all engines: migrated once a session, emptied before each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gocron.config import Settings
from gocron.db import migrate
from gocron.db.engine import Database, limit_waits
from gocron.db.lock import LockSession
from tests.helpers.big import fill
from tests.helpers.candidates import LEASE_S
from tests.helpers.databases import CONNECTIONS, PATIENCE_S, settings_for
from tests.helpers.rows import empty
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres, PrivateServer


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine a test runs on; ``tests.helpers.databases.on_servers`` leaves SQLite out."""
    return str(request.param)


@pytest.fixture
def settings(engine: str, request: pytest.FixtureRequest) -> Settings:
    """The settings of a node that shares the database under test."""
    chosen: Settings = request.getfixturevalue(f"{engine}_settings")
    return chosen


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest) -> Database:
    """Migrated and empty, once for each engine."""
    opened: Database = request.getfixturevalue(f"{engine}_database")
    limit_waits(PATIENCE_S)  # of this process: a test of something impatient may have set it
    empty(opened)
    return opened


@pytest.fixture
def server(engine: str, request: pytest.FixtureRequest) -> PrivateServer:
    """The server behind ``database``, for what only an administrator may do."""
    names = {"postgres": "postgres_server", "mysql": "mariadb_server"}
    chosen: PrivateServer = request.getfixturevalue(names[engine])
    return chosen


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Settings under which an election takes a moment."""
    changes = {"lease_s": LEASE_S, "renew_s": 0.5, "grace_s": 0.4, "poll_s": 0.05}
    return settings.model_copy(update=changes)


@pytest.fixture
def open_session(quick: Settings, database: Database) -> Iterator[Callable[[str], LockSession]]:
    """Makes connected sessions and closes them at the end."""
    opened: list[LockSession] = []

    def make(name: str) -> LockSession:
        session = LockSession(quick, f"{name}:1", name)
        session.connect()
        opened.append(session)
        return session

    yield make
    for session in opened:
        session.close()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def sqlite_settings(home: Path) -> Settings:
    return settings_for({"GOCRON_DB_ENGINE": "sqlite"}, home)


@pytest.fixture(scope="session")
def postgres_settings(postgres_server: PrivatePostgres, home: Path) -> Settings:
    return settings_for(postgres_server.environment(postgres_server.create_database()), home)


@pytest.fixture(scope="session")
def mysql_settings(mariadb_server: PrivateMariaDB, home: Path) -> Settings:
    return settings_for(mariadb_server.environment(mariadb_server.create_database()), home)


@pytest.fixture(scope="session")
def sqlite_database(sqlite_settings: Settings) -> Iterator[Database]:
    yield from _migrated(sqlite_settings)


@pytest.fixture(scope="session")
def postgres_database(postgres_settings: Settings) -> Iterator[Database]:
    yield from _migrated(postgres_settings)


@pytest.fixture(scope="session")
def mysql_database(mysql_settings: Settings) -> Iterator[Database]:
    yield from _migrated(mysql_settings)


def _migrated(settings: Settings) -> Iterator[Database]:
    database = Database(settings, size=CONNECTIONS)
    migrate.upgrade(database)
    yield database
    database.close()


@pytest.fixture(scope="session")
def big_postgres(postgres_server: PrivatePostgres, home: Path) -> Iterator[Database]:
    yield from _big(postgres_server, home)


@pytest.fixture(scope="session")
def big_mysql(mariadb_server: PrivateMariaDB, home: Path) -> Iterator[Database]:
    yield from _big(mariadb_server, home)


@pytest.fixture
def big_database(engine: str, request: pytest.FixtureRequest) -> Database:
    """100,000 tasks of which 2,500 are due, 200,000 ended runs; not emptied between tests."""
    opened: Database = request.getfixturevalue(f"big_{engine}")
    return opened


def _big(server: PrivateServer, home: Path) -> Iterator[Database]:
    name = server.create_database()
    databases = _migrated(settings_for(server.environment(name), home))
    database = next(databases)
    fill(database)
    yield database
    database.close()
    server.drop_database(name)
