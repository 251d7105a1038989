"""What the servers do differently, seen from where it must make no difference."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gocron.db import adoption, runs
from gocron.db.claims import Claimant, claim
from gocron.db.dialects import DIALECTS, Columns, storable
from gocron.db.engine import Database
from gocron.db.models import SchedulerLock
from gocron.db.requirements import require_innodb
from gocron.errors import DatabaseUnsupported
from tests.helpers.databases import on_servers, settings_for, statements_of
from tests.helpers.rows import FAR, insert_task, next_slot_of, rows

SOME: Columns = {"id": "int", "name": "text", "at": "time"}

only_mysql = pytest.mark.parametrize("engine", ["mysql"], indirect=True)
only_postgres = pytest.mark.parametrize("engine", ["postgres"], indirect=True)


class Answers:
    """A connection that answers every statement with the same rows."""

    def __init__(self, *found: tuple[Any, ...]) -> None:
        self._found = list(found)

    def execute(self, *_arguments: object) -> Answers:
        return self

    def all(self) -> list[tuple[Any, ...]]:
        return self._found

    def one(self) -> tuple[Any, ...]:
        return self._found[0]

    def scalar_one(self) -> Any:
        return self._found[0][0]

    def __iter__(self) -> Any:
        return iter(self._found)


# batches ----------------------------------------------------------------------------------------


def unpacked(database: Database, given: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    dialect = database.dialect
    with database.read() as connection:
        found = connection.execute(
            text(f"SELECT r.id, r.name, r.at FROM {dialect.unpack(SOME, 'rows', 'r')}"),
            {"rows": dialect.pack(SOME, given)},
        ).all()
    return [(row.id, row.name, dialect.read_time(row.at)) for row in found]


def test_rows_arrive_at_the_server_as_they_were_packed_and_in_order(database):
    at = datetime(2031, 5, 17, 10, 0, 0, 123_456, UTC)
    given = [
        (1, "plain", at),
        (None, None, None),
        (-(2**63), "", at),
        (2**63 - 1, "'\"\\ :name %s ` \n\r\t\x1b \u2028 ä 😀", at + timedelta(microseconds=1)),
        (0, '{"id": 5}', datetime(2999, 1, 1, tzinfo=UTC)),
        (5, "x" * 200_000, at),
    ]
    assert unpacked(database, given) == given


def test_no_rows_are_no_rows(database):
    assert unpacked(database, []) == []


def test_instants_of_any_zone_arrive_as_the_same_instant(database):
    kathmandu = datetime(2031, 5, 17, 0, 15, tzinfo=ZoneInfo("Asia/Kathmandu"))
    ((_id, _name, at),) = unpacked(database, [(1, "", kathmandu)])
    assert at == datetime(2031, 5, 16, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (None, None),
        ("", ""),
        ("plain", "plain"),
        ("ä😀", "ä😀"),
        ("a\0b", "a\u2400b"),
        ("ä\0", "ä\u2400"),
        ("\ud83d", "\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\udcff.txt", "\ufffd.txt"),
    ],
)
def test_texts_lose_only_what_no_server_stores(text, kept):
    assert storable(text) == kept


def test_a_row_must_have_a_value_for_every_column():
    with pytest.raises((ValueError, IndexError)):
        DIALECTS["sqlite"].pack(SOME, [(1, "a")])
    with pytest.raises(ValueError, match="zip"):
        DIALECTS["sqlite"].pack(SOME, [(1, "a", None, "too many")])
    assert json.loads(DIALECTS["sqlite"].pack(SOME, [(1, "a", None)])) == [
        {"id": 1, "name": "a", "at": None}
    ]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_batch_is_unfolded_once_and_not_once_for_each_row_of_the_table(database):
    """A thousand of five thousand took seconds."""
    task = insert_task(database)
    with statements_of(database) as sent:
        claim(database, Claimant(1, 0), [next_slot_of(task)])
        runs.finish(database, 1, [runs.End(1, "success", "", 0, FAR, 0)])
        adoption.adopt(database, Claimant(2, 0), [1], {2: "late"})
        runs.hand_back(database, 2, [1])
        runs.load(database, 1, [1])
    batches = [one for one in sent if "json_each" in one[0] and "INSERT" not in one[0]]
    assert len(batches) >= 7
    for sql, values in batches:
        with database.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
        steps = [step.detail for step in plan]
        (unfolding,) = (n for n, step in enumerate(steps) if "json_each" in step)
        tables = [n for n, step in enumerate(steps) if " t " in step or " r " in step]
        assert unfolding < min(tables), steps


# the clock --------------------------------------------------------------------------------------


def test_the_clock_is_utc_and_goes_on_within_a_transaction(database):
    with database.read() as connection:
        first = database.dialect.now(connection)
        while (second := database.dialect.now(connection)) == first:
            pass
    assert second > first
    assert abs(first - datetime.now(UTC)) < timedelta(seconds=2)


@on_servers
def test_the_clock_shows_the_time_after_a_wait_for_a_lock(database):
    """What is written then must not carry the time of the beginning of the transaction. (On
    PostgreSQL not even that of an UPDATE that waits itself: lock first, then write.)"""
    dialect = database.dialect
    lock = text(f"SELECT term FROM scheduler_lock{dialect.for_update}")

    def write() -> None:
        with database.write() as writer:
            writer.execute(lock)
            writer.execute(text(f"UPDATE scheduler_lock SET renewed_at = {dialect.clock}"))

    waiting = threading.Thread(target=write)
    with database.read() as holder:
        holder.execute(lock)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        released = dialect.now(holder)
    waiting.join()

    (found,) = rows(database, SchedulerLock)
    assert found.renewed_at >= released


@on_servers
def test_a_duration_can_be_added_to_the_clock(database):
    dialect = database.dialect
    with database.read() as connection:
        later, now = connection.execute(
            text(f"SELECT {dialect.clock} + {dialect.interval(1.25)} AS a, {dialect.clock} AS b")
        ).one()
    assert abs((later - now) - timedelta(seconds=1.25)) < timedelta(milliseconds=50)


def test_an_instant_that_is_missing_is_an_error_where_there_must_be_one():
    with pytest.raises(ValueError, match="NULL"):
        DIALECTS["mysql"].instant(None)
    assert DIALECTS["mysql"].read_time(None) is None


# which servers will do --------------------------------------------------------------------------


def test_the_server_under_test_will_do(database):
    with database.read() as connection:
        words = database.dialect.check_server(connection)
    assert words.split()[0] in {"PostgreSQL", "MariaDB", "SQLite"}


@pytest.mark.parametrize(
    ("engine", "version", "words"),
    [
        ("postgres", "11.22 (Debian 11.22-1)", "PostgreSQL 11.22 (Debian 11.22-1) is too old"),
        ("postgres", "9.6.24", "at least 12.0"),
        ("mysql", "10.5.29-MariaDB-0+deb11u1", "MariaDB 10.5.29-MariaDB-0+deb11u1 is too old"),
        ("mysql", "10.3.39-MariaDB", "at least 10.6"),
        ("mysql", "5.7.44-log", "MySQL 5.7.44-log is too old"),
        ("sqlite", "3.34.1", "SQLite 3.34.1 is too old"),
        ("sqlite", "unknown", "too old"),
    ],
)
def test_a_server_that_is_too_old_is_refused_in_words(monkeypatch, engine, version, words):
    monkeypatch.setattr("gocron.db.dialects.require_innodb", lambda _connection: None)
    with pytest.raises(DatabaseUnsupported) as refused:
        DIALECTS[engine].check_server(Answers((version,)))  # type: ignore[arg-type]
    assert words in str(refused.value)
    assert "PostgreSQL 12, MySQL 8.0, MariaDB 10.6, SQLite 3.35" in str(refused.value)


@pytest.mark.parametrize(
    ("engine", "version"),
    [
        ("mysql", "10.6.0-MariaDB"),
        ("mysql", "11.8.2-MariaDB-ubu2404"),
        ("mysql", "8.0.36"),
        ("mysql", "8.4.0-commercial"),
        ("sqlite", "3.35.0"),
    ],
)
def test_the_oldest_that_will_do_will_do(monkeypatch, engine, version):
    monkeypatch.setattr("gocron.db.dialects.require_innodb", lambda _connection: None)
    words = DIALECTS[engine].check_server(Answers((version,)))  # type: ignore[arg-type]
    assert version in words


@pytest.mark.parametrize("version", ["12.0", "16beta1", "17.4 (Debian 17.4-1.pgdg120+2)"])
def test_a_postgresql_of_any_later_version_will_do(monkeypatch, version):
    monkeypatch.setattr("gocron.db.dialects.require_utf8", lambda _connection: None)
    words = DIALECTS["postgres"].check_server(Answers((version,)))  # type: ignore[arg-type]
    assert words == f"PostgreSQL {version}"


@only_postgres
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_store_every_character_is_refused(server, home, encoding):
    server.execute_as_admin(
        f"CREATE DATABASE narrow_{encoding.lower()} OWNER {server.user} "
        f"ENCODING '{encoding}' TEMPLATE template0"
    )
    narrow = Database(settings_for(server.environment(f"narrow_{encoding.lower()}"), home))
    try:
        with narrow.read() as connection, pytest.raises(DatabaseUnsupported) as refused:
            narrow.dialect.check_server(connection)
    finally:
        narrow.close()
    assert encoding in str(refused.value)
    assert "ENCODING 'UTF8'" in str(refused.value)


@pytest.mark.parametrize("support", ["NO", "DISABLED", None])
def test_a_server_without_innodb_is_refused(support):
    engines = [("MyISAM", "DEFAULT")] + ([("InnoDB", support)] if support else [])
    with pytest.raises(DatabaseUnsupported, match="no InnoDB"):
        require_innodb(Answers(*engines))  # type: ignore[arg-type]


@only_mysql
def test_a_lock_table_that_locks_no_rows_is_refused_with_the_way_out(server, home):
    env = server.environment(server.create_database())
    other = Database(settings_for(env, home))
    try:
        with other.write() as connection:
            connection.execute(text("CREATE TABLE scheduler_lock (a int) ENGINE=MyISAM"))
        with other.read() as connection, pytest.raises(DatabaseUnsupported) as refused:
            other.dialect.check_server(connection)
        assert "ALTER TABLE scheduler_lock ENGINE=InnoDB" in str(refused.value)
        with other.write() as connection:
            connection.execute(text("ALTER TABLE scheduler_lock ENGINE=InnoDB"))
            # Somebody else's, with another prefix: none of our business.
            connection.execute(text("CREATE TABLE x_scheduler_lock (a int) ENGINE=MyISAM"))
        with other.read() as connection:
            assert "MariaDB" in other.dialect.check_server(connection)
    finally:
        other.close()
        server.drop_database(env["GOCRON_DB_DATABASE"])


# where locks hold, and writes are taken ---------------------------------------------------------


@on_servers
def test_the_server_under_test_takes_writes_and_its_locks_reach_everybody(database):
    with database.read() as connection:
        assert not database.dialect.is_read_only(connection)
        assert not database.dialect.locks_are_local(connection)


@pytest.mark.parametrize(
    ("variables", "local"),
    [
        ([], False),
        ([("wsrep_on", "OFF")], False),
        ([("wsrep_on", "ON")], True),
        ([("wsrep_on", "1")], True),
        ([("group_replication_single_primary_mode", "ON")], False),
        ([("wsrep_on", "OFF"), ("group_replication_single_primary_mode", "OFF")], True),
    ],
)
def test_several_servers_that_accept_writes_are_recognised(variables, local):
    answers: Any = Answers(*variables)
    assert DIALECTS["mysql"].locks_are_local(answers) is local
    assert DIALECTS["postgres"].locks_are_local(answers) is False


@pytest.mark.parametrize(
    ("answer", "read_only"), [((False, "off"), False), ((True, "on"), True), ((False, "on"), True)]
)
def test_a_replica_of_postgresql_is_recognised(answer, read_only):
    fake: Any = Answers(answer)
    assert DIALECTS["postgres"].is_read_only(fake) is read_only


# small things -----------------------------------------------------------------------------------


def test_a_row_that_is_there_is_left_alone_and_every_other_error_is_not_swallowed(database):
    dialect = database.dialect
    insert = (
        f"INSERT INTO setting (name, value) VALUES (:name, :value)"
        f"{dialect.ignore_conflicts('setting', 'name')}"
    )
    with database.write() as connection:
        connection.execute(text(insert), {"name": "a", "value": "first"})
        connection.execute(text(insert), {"name": "a", "value": "second"})
        found = connection.execute(text("SELECT value FROM setting WHERE name = 'a'"))
        assert found.scalar_one() == "first"
    with pytest.raises(DBAPIError), database.write() as connection:
        connection.execute(text(insert), {"name": "b", "value": None})


def test_a_number_may_be_missing(database):
    as_int = database.dialect.as_int(":number")
    with database.read() as connection:
        for number in (None, 7, 2**40):
            found = connection.execute(text(f"SELECT {as_int}"), {"number": number})
            assert found.scalar_one() == number
