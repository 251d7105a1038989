"""Whoever starts first migrates, the others wait, and whatever was begun is finished."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text

from gocron.clock import DatabaseClock
from gocron.config import Settings
from gocron.core.definition import define
from gocron.core.policies import Policies
from gocron.db import follow_ups, migrate, runs, starts, tasks
from gocron.db.audit import Actor
from gocron.db.claims import Claimant, due
from gocron.db.engine import Database
from gocron.db.models import Base, Node, Run, SchedulerLock, Setting, Task, User
from gocron.db.references import GUARD
from gocron.errors import SchemaNotCurrent
from tests.helpers.databases import on_servers, settings_for, statements_of
from tests.helpers.migrating import differences, migrate_in_processes
from tests.helpers.rows import FAR, begin_term, insert_node, rows

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


def test_the_newest_revision_is_the_one_that_alembic_leads_to():
    config = Config()
    config.set_main_option("script_location", str(migrate.folder()))
    assert migrate.newest() == ScriptDirectory.from_config(config).get_current_head()


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


@pytest.mark.parametrize("die_after", [5, 12], ids=["in the first", "in the second"])
def test_when_the_one_that_migrates_is_killed_another_one_finishes(
    database_env, fresh, tmp_path, die_after
):
    answers = migrate_in_processes(database_env, tmp_path, 8, die_after=die_after)
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
            connection.execute(text("DROP TABLE pause"))
            connection.execute(text("DROP INDEX ix_run_follow_up_id ON run"))
            connection.execute(text("ALTER TABLE task DROP COLUMN parameters, DROP COLUMN broken"))
            connection.execute(text("DELETE FROM setting"))
        assert migrate.upgrade(database) == migrate.newest()
        assert differences(database) == []
        assert len(rows(database, SchedulerLock)) == 1
        assert [found.name for found in rows(database, Setting)] == [GUARD]
    finally:
        database.close()
        server.drop_database(env["GOCRON_DB_DATABASE"])


# from the first revision ------------------------------------------------------------------------


OLD_TASK = {
    "name": "nightly 😀",
    "spec": "0 0 4 * * *",
    "timezone": "Europe/Berlin",
    "protocol": "shell",
    "command": "true",
    "working_dir": "",
    "environment": '{"A": "ü"}',
    "http_method": "GET",
    "http_headers": "{}",
    "http_body": "",
    "http_statuses": "200-299",
    "success_pattern": "",
    "timeout": 5,
    "overlap": "queue",
    "max_parallel": 0,
    "misfire": "run_all",
    "tag": "etl",
    "remark": "",
    "enabled": True,
    "revision": 3,
    "next_fire_at": FAR,
    "created_at": FAR,
    "updated_at": FAR,
}
"""A task as the first version writes it: it knows no other columns."""

OLD_RUN = {
    "task_id": 1,
    "task_name": "nightly 😀",
    "scheduled_at": FAR,
    "attempt": 0,
    "start_at": FAR,
    "trigger_kind": "schedule",
    "triggered_by": "",
    "state": "queued",
    "reason": "",
    "owner_id": 1,
    "term": 0,
    "revision": 3,
    "created_at": FAR,
    "output_bytes": 0,
    "stop_requested_by": "",
}


@pytest.fixture
def old(fresh: Database) -> Database:
    """At the first revision, with a task and two runs."""
    with fresh.engine.connect() as connection:
        connection.execution_options(sqlite_begin="IMMEDIATE")
        migrate.step_to(connection, "0001")
        connection.commit()
    insert_old(fresh, "task", OLD_TASK)
    insert_old(fresh, "run", OLD_RUN)
    insert_old(fresh, "run", OLD_RUN | {"attempt": 1, "state": "failed", "finished_at": FAR})
    insert_old(fresh, "setting", {"name": "theirs", "value": "kept"})
    return fresh


def insert_old(database: Database, name: str, values: dict[str, Any]) -> None:
    """A plain INSERT, with the columns that are named and no others."""
    read = database.dialect.time
    bound = {key: read(at) if isinstance(at, datetime) else at for key, at in values.items()}
    marks = ", ".join(f":{column}" for column in values)
    with database.write() as connection:
        connection.execute(
            text(f"INSERT INTO {name} ({', '.join(values)}) VALUES ({marks})"), bound
        )


def test_tables_of_the_first_revision_are_extended_with_everything_that_is_in_them(old):
    with old.read() as connection:
        before = connection.execute(text("SELECT * FROM run ORDER BY id")).all()

    assert migrate.upgrade(old) == migrate.newest()

    assert differences(old) == []
    (task,) = rows(old, Task)
    assert task.environment == {"A": "ü"}
    known = set(OLD_TASK) - {"environment", "http_headers"}
    assert {name: getattr(task, name) for name in known} == {n: OLD_TASK[n] for n in known}
    with old.read() as connection:
        after = connection.execute(text("SELECT * FROM run ORDER BY id")).all()
    columns = before[0]._fields
    assert [tuple(getattr(run, name) for name in columns) for run in after] == before
    assert {(found.name, found.value) for found in rows(old, Setting)} == {
        ("theirs", "kept"),
        (GUARD, "0"),
    }


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_a_node_of_the_first_version_writes_asks_for_none_of_the_new_policies(old, when):
    """Before the migration, or beside it during a rolling upgrade: with the old columns only."""
    migrate.upgrade(old)
    if when == "after":
        insert_old(old, "task", OLD_TASK | {"name": "new"})
        insert_old(old, "run", OLD_RUN | {"task_id": 2})
    task = rows(old, Task)[-1]
    stored = {name: getattr(task, name) for name in Policies.model_fields if name != "group"}
    asked = {"overlap": "queue", "misfire": "run_all"}
    assert stored == Policies().model_dump(exclude={"group"}) | asked
    assert (task.concurrency_group, task.followed, task.broken) == ("", False, "")
    run = rows(old, Run)[-1]
    assert (run.held_at, run.follow_up, run.generation) == (None, False, 0)
    assert (run.backfill_id, run.parents, run.parameters) == (None, [], {})


def test_what_was_queued_before_the_migration_runs_after_it(old):
    migrate.upgrade(old)
    me = insert_node(old)
    insert_old(old, "run", OLD_RUN | {"attempt": 2, "trigger_kind": "manual"})
    works = runs.load(old, me.id, runs.queued_ids(old, me.id))
    assert [(work.id, work.scheduled) for work in works] == [(1, True), (3, False)]
    decided = old.transact(lambda connection: starts.start(connection, old.dialect, me, works))
    assert [work.id for work in decided.started] == [1]
    assert list(decided.held) == [3]
    assert [task.name for task in due(old, DatabaseClock(), 10**9, None)] == ["nightly 😀"]
    ended = [runs.End(1, "success", "", 0, FAR, 0)]
    runs.finish(old, me.id, ended)
    assert follow_ups.look_after(old, Claimant(me.id, 0)) == 0


def test_a_task_of_the_first_version_is_edited_and_run_as_any_other(old):
    migrate.upgrade(old)
    ada = Actor("Ada")
    tasks.edit(old, 1, define({"name": "nightly", "spec": "@daily", "command": "x"}), ada)
    tasks.run_now(old, 1, ada)
    tasks.set_enabled(old, [1], False, ada)
    tasks.set_enabled(old, [1], True, ada)
    tasks.delete(old, [1], ada)
    assert rows(old, Task) == []


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
