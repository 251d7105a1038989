"""Connections and transactions as everybody else takes them for granted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gocron.config import Settings
from gocron.db.engine import (
    DATABASE_ERRORS,
    DEADLOCK_TRIES,
    Database,
    describe,
    is_deadlock,
    limit_waits,
    unavailable,
    url,
)
from gocron.db.models import Setting
from tests.helpers.databases import (
    PATIENCE_S,
    at_once,
    on_servers,
    settings_for,
    statements_of,
)
from tests.helpers.rows import insert_node, row, rows, scalar

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
only_mysql = pytest.mark.parametrize("engine", ["mysql"], indirect=True)


def put(database: Database, **values: str) -> None:
    with database.write() as connection:
        connection.execute(
            insert(Setting), [{"name": name, "value": value} for name, value in values.items()]
        )


def value_of(database: Database, name: str) -> str:
    return str(row(database, Setting, name).value)


def set_to(connection: Connection, name: str, value: str) -> None:
    connection.execute(update(Setting).where(Setting.name == name).values(value=value))


# transactions -----------------------------------------------------------------------------------


def test_a_read_leaves_nothing_behind(database):
    put(database, a="before")
    with database.read() as connection:
        set_to(connection, "a", "after")
    assert value_of(database, "a") == "before"


def test_a_write_that_fails_leaves_nothing_behind(database):
    put(database, a="before")

    def work(connection: Connection) -> None:
        set_to(connection, "a", "after")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.transact(work)
    assert value_of(database, "a") == "before"


@on_servers
def test_a_select_after_a_wait_sees_what_was_waited_for(database):
    put(database, a="before")
    with database.read() as connection:
        one = select(Setting.value).where(Setting.name == "a")
        assert connection.execute(one).scalar_one() == "before"
        with database.write() as other:
            set_to(other, "a", "after")
        assert connection.execute(one).scalar_one() == "after"


@on_servers
def test_of_two_transactions_in_a_deadlock_both_are_carried_out(database):
    put(database, a="0", b="0")
    met = threading.Barrier(2)
    attempts: list[str] = []
    done: list[str] = []

    def crosswise(first: str, second: str) -> Callable[[], None]:
        def work(connection: Connection) -> None:
            attempts.append(first)
            set_to(connection, first, first)
            if len(attempts) <= 2:
                met.wait(10)
            set_to(connection, second, first)
            done.append(first)

        return lambda: database.transact(work)

    at_once(crosswise("a", "b"), crosswise("b", "a"))

    # Three, or more: who tries again may get its row before the one that has waited for it.
    assert 3 <= len(attempts) <= 1 + DEADLOCK_TRIES
    assert {value_of(database, "a"), value_of(database, "b")} == {done[-1]}
    assert sorted(done) == ["a", "b"]


def test_a_transaction_is_not_repeated_for_ever(database, monkeypatch):
    class Deadlock(Exception):
        pgcode = "40P01"

    attempts = 0

    def work(_connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        raise DBAPIError("", {}, Deadlock())

    with pytest.raises(DBAPIError):
        database.transact(work)
    assert attempts == DEADLOCK_TRIES


def test_other_errors_are_not_repeated(database):
    attempts = 0

    def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(DBAPIError) as failed:
        database.transact(work)
    assert attempts == 1
    assert not is_deadlock(failed.value)


def test_transact_returns_what_its_work_returns(database):
    assert database.transact(lambda _connection: 7) == 7


# sessions ---------------------------------------------------------------------------------------


@only_mysql
def test_what_does_not_fit_is_refused_and_not_cut_off(database):
    with pytest.raises(DataError):
        insert_node(database, "x" * 129)


@only_mysql
def test_sessions_live_in_utc(database):
    assert scalar(database, "SELECT @@session.time_zone") == "+00:00"
    assert scalar(database, "SELECT @@global.time_zone") == "+05:45"


@on_servers
def test_a_connection_that_the_server_has_ended_is_replaced(database, server, settings):
    lasting = Database(settings, size=1)
    try:
        ours = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}
        session = scalar(lasting, ours[lasting.dialect.name])
        kill = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}
        server.execute_as_admin(kill[lasting.dialect.name].format(session))
        time.sleep(0.1)
        assert scalar(lasting, ours[lasting.dialect.name]) != session
    finally:
        lasting.close()


@on_servers
def test_waiting_for_a_connection_of_the_pool_ends_with_an_error_of_the_database(
    settings, monkeypatch
):
    small = Database(settings, size=1)
    monkeypatch.setattr(small.engine.pool, "_timeout", 0.05)
    try:
        with small.read(), pytest.raises(PoolTimeout) as failed, small.read():
            pass
        assert isinstance(failed.value, DATABASE_ERRORS)
    finally:
        small.close()


def test_a_server_that_takes_everything_and_never_answers_is_given_up(tmp_path, request):
    """A hung server, or a proxy in front of none: TCP sees nothing wrong."""
    request.addfinalizer(lambda: limit_waits(PATIENCE_S))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings_for(
            {
                "GOCRON_DB_ENGINE": "postgres",
                "GOCRON_DB_HOST": "127.0.0.1",
                "GOCRON_DB_PORT": str(silent.getsockname()[1]),
                "GOCRON_DB_USER": "me",
                "GOCRON_DB_DATABASE": "gocron",
            },
            tmp_path,
        )
        started = time.monotonic()
        with pytest.raises(OperationalError, match="no answer from the server"):
            Database(settings, silence_s=0.3).engine.connect()
        assert 0.3 <= time.monotonic() - started < 3.0


# sqlite -----------------------------------------------------------------------------------------


@only_sqlite
def test_a_file_survives_a_power_cut_and_is_read_while_it_is_written(database):
    assert scalar(database, "PRAGMA journal_mode") == "wal"
    assert scalar(database, "PRAGMA synchronous") == 2
    assert scalar(database, "PRAGMA foreign_keys") == 1


@only_sqlite
def test_a_transaction_that_writes_says_so_when_it_begins(database):
    with statements_of(database) as sent:
        put(database, a="1")
        database.transact(lambda connection: set_to(connection, "a", "2"))
        value_of(database, "a")
    begins = [sql for sql, _values in sent if sql.startswith("BEGIN")]
    assert begins == ["BEGIN IMMEDIATE", "BEGIN IMMEDIATE", "BEGIN DEFERRED"]


VALUE_OF_A = select(Setting.value).where(Setting.name == "a")


@only_sqlite
def test_readers_and_writers_do_not_wait_for_each_other(database):
    put(database, a="before")
    with database.read() as reader:
        assert reader.execute(VALUE_OF_A).scalar_one() == "before"
        started = time.monotonic()
        with database.write() as writer:
            set_to(writer, "a", "after")
            assert value_of(database, "a") == "before"
        assert time.monotonic() - started < 1.0
        assert reader.execute(VALUE_OF_A).scalar_one() == "before"
    assert value_of(database, "a") == "after"


@only_sqlite
def test_writers_take_turns_and_lose_nothing(database):
    put(database, a="0")

    def count_up() -> None:
        for _time in range(40):
            with database.write() as connection:
                value = int(connection.execute(VALUE_OF_A).scalar_one())
                set_to(connection, "a", str(value + 1))

    at_once(*[count_up] * 4)
    assert value_of(database, "a") == "160"


def test_many_who_open_a_new_file_at_the_same_moment_all_succeed(tmp_path: Path):
    for number in range(20):
        settings = settings_for(
            {"GOCRON_DB_ENGINE": "sqlite", "GOCRON_DB_DATABASE": f"new-{number}.db"}, tmp_path
        )

        def use(settings: Settings = settings) -> None:
            database = Database(settings)
            try:
                with database.write() as connection:
                    connection.execute(text("CREATE TABLE IF NOT EXISTS t (a int)"))
            finally:
                database.close()

        at_once(*[use] * 8)


# words ------------------------------------------------------------------------------------------


def test_an_error_is_described_in_one_line_without_the_statement(database):
    with pytest.raises(DBAPIError) as failed, database.read() as connection:
        connection.execute(text("SELECT 'secret' FROM nowhere"))
    words = describe(failed.value)
    assert "nowhere" in words
    assert "secret" not in words.replace("SELECT 'secret' FROM nowhere", "")
    assert "\n" not in words
    assert len(words) < 400


@pytest.mark.parametrize("engine", ["postgres", "mysql"])
def test_a_database_that_is_away_is_described_with_the_way_out(engine, tmp_path):
    settings = settings_for(
        {
            "GOCRON_DB_ENGINE": engine,
            "GOCRON_DB_HOST": "127.0.0.1",
            "GOCRON_DB_PORT": "1",
            "GOCRON_DB_USER": "me",
            "GOCRON_DB_PASSWORD": "hunter2-hunter2",
            "GOCRON_DB_DATABASE": "gocron",
        },
        tmp_path,
    )
    database = Database(settings)
    with pytest.raises(OperationalError) as failed, database.read():
        pass
    words = str(unavailable(settings, failed.value))
    assert "me@127.0.0.1:1/gocron cannot be used" in words
    assert "GOCRON_DB_HOST" in words
    assert "hunter2" not in words
    assert "hunter2" not in str(url(settings))


def test_a_file_in_a_folder_that_is_not_there_is_described_with_the_way_out(tmp_path):
    settings = settings_for(
        {"GOCRON_DB_ENGINE": "sqlite", "GOCRON_DB_DATABASE": "missing/gocron.db"}, tmp_path
    )
    with pytest.raises(OperationalError) as failed, Database(settings).read() as connection:
        connection.execute(text("SELECT 1"))
    assert "missing/gocron.db cannot be used" in str(unavailable(settings, failed.value))


def test_settings_can_be_deleted(database):
    """The other tests of this file lean on it."""
    put(database, a="1")
    with database.write() as connection:
        connection.execute(delete(Setting))
    assert rows(database, Setting) == []
