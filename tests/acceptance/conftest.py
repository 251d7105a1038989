"""The panel on all three databases, and on SQLite alone for what no database has a say in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.panel import Panel, Visitor, installed
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def panel(request: pytest.FixtureRequest) -> Panel:
    """Once for each database."""
    found: Panel = request.getfixturevalue(f"{request.param}_panel")
    found.begin_anew()
    return found


@pytest.fixture
def visitor(panel: Panel) -> Visitor:
    """An administrator who has logged in."""
    return panel.administrator()


@pytest.fixture
def quick_panel(sqlite_panel: Panel) -> Panel:
    """On SQLite only."""
    sqlite_panel.begin_anew()
    return sqlite_panel


@pytest.fixture(scope="session")
def sqlite_panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with installed({"GOCRON_DB_ENGINE": "sqlite"}, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="session")
def postgres_panel(
    postgres_server: PrivatePostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Panel]:
    environment = postgres_server.environment(postgres_server.create_database())
    with installed(environment, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="session")
def mysql_panel(
    mariadb_server: PrivateMariaDB, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Panel]:
    environment = mariadb_server.environment(mariadb_server.create_database())
    with installed(environment, tmp_path_factory.mktemp("home")) as found:
        yield found
