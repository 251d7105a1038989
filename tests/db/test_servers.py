"""The private servers do what every other test takes for granted."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg2
import pymysql
import pytest

from tests.helpers import private_server
from tests.helpers.private_server import children_of, find_binary
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres, PrivateServer, ServerError

REPOSITORY = Path(__file__).parents[2]
WAIT_S = 10.0


@pytest.fixture(params=[PrivatePostgres, PrivateMariaDB], ids=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """One that a test may kill."""
    with request.param() as server:
        yield server


def connect(env: dict[str, str], **overrides: Any) -> Any:
    """A plain connection to the database of GOCRON_DB_*."""
    options: dict[str, Any] = {
        "host": env["GOCRON_DB_HOST"],
        "port": int(env["GOCRON_DB_PORT"]),
        "user": env["GOCRON_DB_USER"],
        "password": env["GOCRON_DB_PASSWORD"],
        "database": env["GOCRON_DB_DATABASE"],
        **overrides,
    }
    if env["GOCRON_DB_ENGINE"] == "postgres":
        return psycopg2.connect(**options)
    return pymysql.connect(**options)


def rows(connection: Any, statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def tables(env: dict[str, str]) -> int:
    schema = {"postgres": "public", "mysql": env["GOCRON_DB_DATABASE"]}[env["GOCRON_DB_ENGINE"]]
    question = f"SELECT count(*) FROM information_schema.tables WHERE table_schema = '{schema}'"
    with closing(connect(env)) as connection:
        return int(rows(connection, question)[0][0])


def exists(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not so after {WAIT_S:.0f} s: {what}"
        time.sleep(0.01)


def test_a_fresh_database_is_empty_on_every_engine(database_env):
    if database_env["GOCRON_DB_ENGINE"] == "sqlite":
        path = Path(database_env["GOCRON_DB_DATABASE"])
        assert not path.exists()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    else:
        assert tables(database_env) == 0


@pytest.mark.parametrize("repetition", [1, 2])
def test_what_one_test_writes_the_next_one_does_not_find(server_env, repetition):
    assert tables(server_env) == 0
    with closing(connect(server_env)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE left_behind (id int PRIMARY KEY)")
        connection.commit()
    assert tables(server_env) == 1


def test_a_wrong_password_is_refused_over_tcp(server_env):
    with pytest.raises(
        (psycopg2.OperationalError, pymysql.OperationalError), match=r"(?i)denied|fail"
    ):
        connect(server_env, password="wrong")


def test_the_account_makes_databases_but_is_no_administrator(server_env):
    with closing(connect(server_env)) as connection:
        if server_env["GOCRON_DB_ENGINE"] == "postgres":
            facts = rows(
                connection,
                "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user",
            )
            assert facts == [(False, True)]
        else:
            grants = " ".join(grant for (grant,) in rows(connection, "SHOW GRANTS"))
            assert "CREATE" in grants
            assert "ALL PRIVILEGES" not in grants
            assert "SUPER" not in grants
            assert "READ_ONLY ADMIN" not in grants


def test_a_commit_survives_sigkill_of_the_whole_server(server):
    env = server.environment(server.create_database())
    with closing(connect(env)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (id int PRIMARY KEY)")
            cursor.execute("INSERT INTO kept VALUES (1)")
        connection.commit()
        family = [server.pid, *children_of(server.pid)]

        server.kill()

        assert not server.running
        assert not any(exists(pid) for pid in family)
    server.start()
    with closing(connect(env)) as connection:
        assert rows(connection, "SELECT id FROM kept") == [(1,)]


def test_a_restart_keeps_port_and_data(server):
    env = server.environment(server.create_database())
    before = server.pid
    server.restart()
    assert server.pid != before
    assert env == server.environment(env["GOCRON_DB_DATABASE"])
    assert tables(env) == 0


def test_a_database_is_dropped_under_an_open_transaction(server):
    env = server.environment(server.create_database())
    with closing(connect(env)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE held (id int PRIMARY KEY)")
        connection.commit()
        assert rows(connection, "SELECT id FROM held FOR UPDATE") == []

        started = time.monotonic()
        server.drop_database(env["GOCRON_DB_DATABASE"])

        assert time.monotonic() - started < WAIT_S
    with pytest.raises((psycopg2.OperationalError, pymysql.OperationalError)):
        connect(env)


def test_close_leaves_neither_processes_nor_files(server):
    family = [server.pid, *children_of(server.pid)]
    server.close()
    assert not any(exists(pid) for pid in family)
    assert not server.directory.exists()
    server.close()


def test_a_server_outlives_the_thread_that_started_it(server):
    thread = Thread(target=server.restart)
    thread.start()
    thread.join()
    server.execute_as_admin("SELECT 1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_a_server_ends_with_the_process_that_wanted_it(engine, number):
    with subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.servers", engine],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as owner:
        assert owner.stdout is not None
        lines = [owner.stdout.readline() for _ in range(7)]
        directory = Path(lines[-1].split()[2].rstrip(";")).parent
        (guard,) = children_of(owner.pid)
        (server,) = children_of(guard)
        assert "export GOCRON_DB_DATABASE=gocron\n" in lines
        assert directory.is_dir()

        owner.send_signal(number)

        wait_until(lambda: not exists(server), f"{server} is gone")
        wait_until(lambda: not directory.exists(), f"{directory} is gone")


def test_a_server_ends_with_its_guard(server):
    pid = server.pid
    (guard,) = (child for child in children_of(os.getpid()) if pid in children_of(child))

    os.kill(guard, signal.SIGKILL)

    wait_until(lambda: not exists(pid), f"{pid} is gone")
    server.close()
    assert not server.directory.exists()


def test_a_missing_program_is_an_error_that_names_the_package():
    with pytest.raises(ServerError, match=r"apt-get install .* the-package"):
        find_binary("no-such-program", package="the-package")


def test_a_server_that_does_not_start_shows_the_end_of_its_log(server):
    server.stop()
    with socket.create_server((server.host, server.port)):
        with pytest.raises(ServerError, match=r"cannot start[\s\S]*Address already in use"):
            server.start()
        assert not server.running
    server.start()


def test_a_port_that_was_taken_meanwhile_is_exchanged_for_another(monkeypatch, mariadb_server):
    ports = iter([mariadb_server.port, private_server.unused_port()])
    monkeypatch.setattr(private_server, "unused_port", lambda: next(ports))
    with PrivateMariaDB() as second:
        assert second.port != mariadb_server.port
