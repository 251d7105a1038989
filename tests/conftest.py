"""Fixtures of all suites: real database servers, started once a session, and empty databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from gocron.db import users
from tests.helpers.cluster import Node, forked
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres, PrivateServer

Node.launch = staticmethod(forked)
"""Tests start nodes by the hundred; benchmarks as a user does."""

SERVER_FIXTURES = {"postgres": "postgres_server", "mysql": "mariadb_server"}


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """A hash worth its name takes 50 ms on several cores. Not those that tests make by themselves;
    processes of the product know nothing of it."""
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(users, "_hasher", quick)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PrivatePostgres]:
    with PrivatePostgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[PrivateMariaDB]:
    with PrivateMariaDB() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def database_env(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """GOCRON_DB_* of a fresh, empty database; once for each of the three engines."""
    if request.param == "sqlite":
        yield {
            "GOCRON_DB_ENGINE": "sqlite",
            "GOCRON_DB_DATABASE": str(tmp_path / "gocron.db"),
        }
    else:
        yield from fresh_database(request.getfixturevalue(SERVER_FIXTURES[request.param]))


@pytest.fixture(params=["postgres", "mysql"])
def server_env(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """GOCRON_DB_* of a fresh, empty database; once for each engine that several nodes can share."""
    yield from fresh_database(request.getfixturevalue(SERVER_FIXTURES[request.param]))


@pytest.fixture
def one_server_env(postgres_server: PrivatePostgres) -> Iterator[dict[str, str]]:
    """The same on one of them, for what happens in processes and not in the database."""
    yield from fresh_database(postgres_server)


def fresh_database(server: PrivateServer) -> Iterator[dict[str, str]]:
    server.start()  # does nothing, unless an earlier test has left it stopped
    name = server.create_database()
    yield server.environment(name)
    server.start()
    server.drop_database(name)
