"""Whoever starts first migrates, the others wait, and whatever was begun is finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, inspect, text

from gocron.config import Settings
from gocron.db import migrate
from gocron.db.engine import Database
from gocron.db.models import Base, Node, Run, SchedulerLock, User
from gocron.errors import SchemaNotCurrent
from tests.helpers.databases import on_servers, settings_for, statements_of
from tests.helpers.migrating import differences, migrate_in_processes
from tests.helpers.rows import begin_term, rows

TABLES = {mapped.name for mapped in Base.metadata.sorted_tables} | {"alembic_version"}


@pytest.fixture
def fresh_settings(database_env, tmp_path) -> Settings:
    return settings_for(database_env, tmp_path)


@pytest.fixture
def fresh(fresh_settings) -> Iterator[Database]:
    """An empty database."""
    database = Database(fresh_settings)
    yield database
    database.close()


def tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


# once, by whoever comes first -------------------------------------------------------------------


def test_an_empty_database_is_brought_to_the_newest_revision(fresh):
    assert migrate.upgrade(fresh) == migrate.newest()
    assert tables(fresh) == TABLES
    (lock,) = rows(fresh, SchedulerLock)
    assert (lock.lock_name, lock.term, lock.locked_by) == ("scheduler_leader", 0, None)


def test_migrating_again_changes_nothing(database):
    begin_term(database, 7)
    assert migrate.upgrade(database) == migrate.newest()
    assert [lock.term for lock in rows(database, SchedulerLock)] == [7]


def test_models_and_migrations_agree(database):
    assert differences(database) == []


def test_of_eight_that_start_at_once_one_migrates_and_all_succeed(database_env, tmp_path):
    answers = migrate_in_processes(database_env, tmp_path, 8, slowly_s=0.05)
    assert len(answers) == 8
    assert [answer for answer in answers if "error" in answer] == []
    assert {answer["revision"] for answer in answers} == {migrate.newest()}
    assert [answer["migrated"] for answer in answers].count(True) == 1


def test_when_the_one_that_migrates_is_killed_another_one_finishes(database_env, fresh, tmp_path):
    answers = migrate_in_processes(database_env, tmp_path, 8, die_after=5)
    assert (tmp_path / "killed").exists()
    assert len(answers) == 7
    assert [answer for answer in answers if "error" in answer] == []
    assert [answer["migrated"] for answer in answers].count(True) == 1
    assert differences(fresh) == []


@pytest.mark.parametrize("engine", ["mysql"], indirect=True)
def test_every_step_may_have_been_done_already(server, home):
    """What a migration that was killed leaves behind on a server that cannot roll DDL back."""
    env = server.environment(server.create_database())
    database = Database(settings_for(env, home))
    try:
        migrate.upgrade(database)
        with database.write() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            connection.execute(text("DROP TABLE `user`"))
            connection.execute(text("DROP INDEX ix_run_scheduled_at ON run"))
            connection.execute(text("DELETE FROM scheduler_lock"))
        assert migrate.upgrade(database) == migrate.newest()
        assert differences(database) == []
        assert len(rows(database, SchedulerLock)) == 1
    finally:
        database.close()
        server.drop_database(env["GOCRON_DB_DATABASE"])


# the table prefix -------------------------------------------------------------------------------


def test_a_prefix_goes_before_every_table_and_everything_works_with_it(
    database_env, fresh, tmp_path
):
    migrate.upgrade(fresh)  # another installation, without a prefix, in the same database
    finished = subprocess.run(
        [sys.executable, "-m", "tests.helpers.prefixed"],
        env={
            **os.environ,
            **database_env,
            "GOCRON_HOME": str(tmp_path),
            "GOCRON_DB_PREFIX": "cron_of_departments_",
        },
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    seen = json.loads(finished.stdout)
    assert set(seen["tables"]) - TABLES == {f"cron_of_departments_{name}" for name in TABLES}
    assert all(found == [] for found in (rows(fresh, Run), rows(fresh, Node), rows(fresh, User)))
    assert set(seen["mapped"]) == {
        f"cron_of_departments_{name}" for name in TABLES - {"alembic_version"}
    }
    assert seen["differences"] == []
    assert seen["problem"] is None
    assert (seen["claimed"], seen["started"]) == (1, seen["runs"]["success"])
    assert seen["started"] >= 2
    assert (seen["user"], seen["secret"], seen["members"]) == (True, True, ["stopped"])


# waiting for each other -------------------------------------------------------------------------


@on_servers
def test_a_node_waits_for_another_one_longer_than_its_connection_would_stay_silent(server, home):
    env = server.environment(server.create_database())
    migrating = Database(settings_for(env, home))
    waiting = Database(settings_for(env, home), silence_s=1.0)
    outcome: list[str] = []
    thread = threading.Thread(target=lambda: outcome.append(migrate.upgrade(waiting)))
    try:
        with migrating.write() as connection:
            assert migrating.dialect.try_lock_migrations(connection, "schema")
            thread.start()
            thread.join(1.5)
            assert thread.is_alive()
            migrating.dialect.unlock_migrations(connection, "schema")
        thread.join(20)
        assert outcome == [migrate.newest()]
    finally:
        migrating.close()
        waiting.close()
        server.drop_database(env["GOCRON_DB_DATABASE"])


@pytest.mark.parametrize("engine", ["mysql"], indirect=True)
def test_the_lock_is_given_back_only_after_what_was_done_can_be_seen(server, home):
    """Or the next node would migrate once more."""
    env = server.environment(server.create_database())
    database = Database(settings_for(env, home))
    happened: list[str] = []
    event.listen(database.engine, "commit", lambda _connection: happened.append("commit"))
    try:
        with statements_of(database) as sent:
            event.listen(
                database.engine,
                "before_cursor_execute",
                lambda _c, _cursor, sql, *_more: happened.append(sql.split("(")[0]),
            )
            migrate.upgrade(database)
    finally:
        database.close()
        server.drop_database(env["GOCRON_DB_DATABASE"])
    assert any("INSERT INTO alembic_version" in sql for sql, _values in sent)
    assert happened[-2:] == ["commit", "SELECT RELEASE_LOCK"]


@on_servers
def test_a_node_that_has_waited_too_long_says_for_what(server, home, monkeypatch):
    monkeypatch.setattr(migrate, "WAIT_S", 0.3)
    env = server.environment(server.create_database())
    stuck, waiting = (Database(settings_for(env, home)) for _time in range(2))
    try:
        with stuck.write() as connection:
            assert stuck.dialect.try_lock_migrations(connection, "schema")
            started = time.monotonic()
            with pytest.raises(SchemaNotCurrent, match="another node has been migrating"):
                migrate.upgrade(waiting)
            assert 0.3 <= time.monotonic() - started < 5
            stuck.dialect.unlock_migrations(connection, "schema")
        assert migrate.upgrade(waiting) == migrate.newest()
    finally:
        stuck.close()
        waiting.close()
        server.drop_database(env["GOCRON_DB_DATABASE"])


@on_servers
def test_two_installations_on_one_server_do_not_wait_for_each_other(server, home):
    names = [server.create_database() for _time in range(2)]
    one, other = (Database(settings_for(server.environment(name), home)) for name in names)
    try:
        with one.write() as connection:
            assert one.dialect.try_lock_migrations(connection, "schema")
            started = time.monotonic()
            assert migrate.upgrade(other) == migrate.newest()
            assert time.monotonic() - started < 5
            one.dialect.unlock_migrations(connection, "schema")
    finally:
        for database, name in zip((one, other), names, strict=True):
            database.close()
            server.drop_database(name)


def test_a_migration_that_fails_leaves_the_lock_to_the_next_one(fresh, monkeypatch):
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("alembic.command.upgrade", fail)
        with pytest.raises(ZeroDivisionError):
            migrate.upgrade(fresh)
    assert migrate.upgrade(fresh) == migrate.newest()


# versions ---------------------------------------------------------------------------------------


@pytest.fixture
def current(database) -> Iterator[Database]:
    """Migrated; what a test does to the revision is undone."""
    yield database
    set_revision(database, migrate.newest())


def set_revision(database: Database, revision: str, floor: str | None = None) -> None:
    with database.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": revision})
        if floor is not None:
            connection.execute(
                text("INSERT INTO setting (name, value) VALUES ('schema_floor', :v)"), {"v": floor}
            )


def problem(database: Database) -> str | None:
    with database.read() as connection:
        return migrate.check(connection)


def test_an_empty_database_is_not_current_and_the_way_out_is_said(fresh):
    assert "gocron migrate" in str(problem(fresh))


def test_tables_of_this_version_are_current(current):
    assert problem(current) is None


def test_tables_of_an_older_revision_are_not_current(current):
    set_revision(current, "0000")
    assert "revision 0000" in str(problem(current))
    assert "gocron migrate" in str(problem(current))


def test_an_older_node_carries_on_beside_newer_tables(current, caplog):
    set_revision(current, "9999")
    assert migrate.upgrade(current) == "9999"
    assert problem(current) is None
    assert "rolling upgrade" in caplog.text


@pytest.mark.parametrize("revision", ["9999", None])
def test_below_the_floor_a_node_refuses_to_work(current, revision):
    set_revision(current, revision or migrate.newest(), floor="9998")
    with pytest.raises(SchemaNotCurrent, match=r"knows revision 9998.*install the newer version"):
        migrate.upgrade(current)
    assert "install the newer version" in str(problem(current))


def test_a_floor_that_this_version_reaches_is_no_obstacle(current):
    set_revision(current, "9999", floor=migrate.newest())
    assert migrate.upgrade(current) == "9999"
    assert problem(current) is None


def test_the_term_survives_a_migration_that_is_run_again(current):
    begin_term(current, 41)
    with current.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    assert migrate.upgrade(current) == migrate.newest()
    assert [lock.term for lock in rows(current, SchedulerLock)] == [41]
