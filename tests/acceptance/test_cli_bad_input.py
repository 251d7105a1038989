"""What is refused, and how: one paragraph that says what was wrong, where, and what would be
right; exit code 1; nothing changed. Each through the real command."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from benchmarks.database import connect
from tests.conftest import fresh_database
from tests.helpers.cluster import Node, cluster_of, free_port
from tests.helpers.command import (
    WITHOUT_PRIVILEGES,
    Gocron,
    assert_refused,
    copy_of,
)
from tests.helpers.servers import PrivateMariaDB, PrivatePostgres

SQLITE = {"GOCRON_DB_ENGINE": "sqlite"}


@pytest.fixture
def gocron(tmp_path: Path) -> Gocron:
    """With SQLite in a home that does not exist yet."""
    return Gocron(tmp_path, SQLITE)


@pytest.fixture
def on_server(server_env: dict[str, str], tmp_path: Path) -> Gocron:
    """With an empty database of PostgreSQL, then of MariaDB."""
    return Gocron(tmp_path, server_env)


# settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["web", "migrate", "check", "status"])
def test_an_unknown_variable_is_refused_with_the_name_that_was_probably_meant(gocron, command):
    said = gocron(command, GOCRON_LEESE="10")
    assert_refused(said, "GOCRON_LEESE (environment)", "did you mean GOCRON_LEASE?")
    assert not gocron.home.exists()


def test_a_malformed_number_is_refused_with_its_source_and_the_range(gocron):
    said = gocron("web", GOCRON_WEB_PORT="59x20")
    assert_refused(said, "GOCRON_WEB_PORT = '59x20' (environment)", "whole number from 1 to 65535")
    assert not gocron.home.exists()


def test_a_wrong_option_is_refused_by_its_name(gocron):
    assert_refused(gocron("web", "--port", "70000"), "--port = '70000' (command line)", "65535")
    said = gocron("web", "--port", "many")
    assert said.code == 2
    assert "Traceback" not in said.err


def test_a_wrong_line_of_the_file_is_refused_with_file_and_line(gocron):
    file = gocron.write_ini("app.name = mine", "web.threads = zero")
    before = copy_of(gocron.home)
    assert_refused(
        gocron("web"), f"web.threads = 'zero' ({file}, line 3)", "whole number from 1 to 256"
    )
    assert copy_of(gocron.home) == before


def test_all_wrong_settings_are_told_at_once(gocron):
    gocron.write_ini("electoin.lease = 3")
    said = gocron("web", GOCRON_LOG_LEVEL="loud", GOCRON_NODE_NAME="a b")
    assert_refused(
        said,
        "3 settings are wrong",
        "unknown key electoin.lease; did you mean election.lease?",
        "GOCRON_LOG_LEVEL = 'loud' (environment): must be debug, info, warning or error",
        "GOCRON_NODE_NAME = 'a b' (environment)",
    )


def test_a_renewal_that_does_not_fit_into_the_lease_is_refused_with_both_values(gocron):
    gocron.write_ini("election.lease = 8")
    said = gocron("web", GOCRON_RENEW="4")
    assert_refused(
        said,
        "GOCRON_RENEW = '4' (environment) must be shorter than half of election.lease = '8' (",
        "app.ini, line 2)",
        "lease 15, renew 5",
    )


@pytest.mark.parametrize(
    ("engine", "hint"),
    [("oracle", "sqlite, postgres or mysql"), ("postgresql", "did you mean postgres?")],
)
def test_an_unsupported_engine_is_refused_with_those_that_are(gocron, engine, hint):
    said = gocron("web", GOCRON_DB_ENGINE=engine)
    assert_refused(said, f"GOCRON_DB_ENGINE = {engine!r} (environment)", hint)
    assert not gocron.home.exists()


@pytest.mark.parametrize("prefix", ["Go-", "1st_", "a" * 21, "x; DROP TABLE task"])
def test_a_bad_table_prefix_is_refused(gocron, prefix):
    said = gocron("migrate", GOCRON_DB_PREFIX=prefix)
    assert_refused(said, f"GOCRON_DB_PREFIX = {prefix!r}", "a-z, 0-9 and _")
    assert not gocron.home.exists()


def test_a_secret_is_never_shown_by_a_refusal(gocron):
    said = gocron("web", GOCRON_ADMIN_PASSWORD="tooshrt", GOCRON_AUTH_SECRET="alsoshort")
    assert_refused(said, "GOCRON_ADMIN_PASSWORD = (hidden)", "GOCRON_AUTH_SECRET = (hidden)")
    assert "tooshrt" not in said.err
    assert "alsoshort" not in said.err


# the database -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["web", "migrate", "check", "status"])
def test_a_database_that_cannot_be_reached_is_named_with_what_to_look_at(on_server, command):
    port = str(free_port())
    said = on_server(command, GOCRON_DB_PORT=port)
    assert said.out == "" or command == "check"
    assert_refused(said, f"127.0.0.1:{port}", "refused", "GOCRON_DB_HOST", "gocron check")


@pytest.mark.parametrize("command", ["web", "migrate", "check", "status"])
def test_a_wrong_password_is_told_without_the_password(on_server, command):
    said = on_server(command, GOCRON_DB_PASSWORD="swordfish")
    assert_refused(said, "gocron@127.0.0.1", "GOCRON_DB_HOST, _PORT, _USER, _PASSWORD")
    assert "swordfish" not in said.err + said.out


def test_a_database_without_tables_is_left_empty_by_commands_that_only_look(on_server):
    assert_refused(on_server("task", "list"), "no tables", "gocron migrate")
    assert "no tables yet, the first node to start makes them" in on_server.must("check")
    assert _tables(on_server) == set()


def test_a_database_that_takes_no_writes_is_refused(postgres_server, mariadb_server, tmp_path):
    for server, off, on in (
        (
            postgres_server,
            "ALTER ROLE gocron RESET default_transaction_read_only",
            "ALTER ROLE gocron SET default_transaction_read_only = on",
        ),
        (mariadb_server, "SET GLOBAL read_only = 0", "SET GLOBAL read_only = 1"),
    ):
        databases = fresh_database(server)
        gocron = Gocron(tmp_path, next(databases))
        try:
            server.execute_as_admin(on)
            assert_refused(gocron("check"), "read-only")
            assert_refused(gocron("migrate"), "read-only")
            assert_refused(gocron("web", "--port", str(free_port())), "read-only")
        finally:
            server.execute_as_admin(off)
        assert _tables(gocron) == set()
        assert list(databases) == []


def test_a_storage_engine_without_row_locks_is_refused(mariadb_server, tmp_path):
    with _database_of(mariadb_server, tmp_path) as gocron:
        gocron.must("migrate")
        _sql(gocron, "ALTER TABLE scheduler_lock ENGINE = MyISAM")
        for command in ("check", "web"):
            said = gocron(command, GOCRON_WEB_PORT=str(free_port()))
            assert_refused(said, "scheduler_lock", "MyISAM", "ENGINE=InnoDB")


def test_tables_that_need_a_newer_version_are_refused(on_server):
    on_server.must("migrate")
    _sql(on_server, "INSERT INTO setting (name, value) VALUES ('schema_floor', '9999')")
    for command in ("web", "migrate", "status", "check"):
        said = on_server(command, GOCRON_WEB_PORT=str(free_port()))
        assert_refused(said, "revision 9999", "newer version")


@pytest.mark.parametrize("damage", ["tables", "indexes", "no version"])
def test_a_half_finished_migration_is_completed_by_running_it_again(
    mariadb_server, tmp_path, damage
):
    with _database_of(mariadb_server, tmp_path) as gocron:
        gocron.must("migrate")
        whole = _structure(gocron)
        for statement in _DAMAGE[damage] or _without_indexes(gocron):
            _sql(gocron, statement)
        assert_refused(gocron("task", "list"), "no tables of gocron yet", "gocron migrate")
        assert "revision" in gocron.must("migrate")
        assert _structure(gocron) == whole
        gocron.must("task", "import", "-", stdin=_TASK)
        assert '"here"' in gocron.must("task", "list", "--json")


_DAMAGE = {
    # What a migration that was killed leaves behind: MySQL keeps every statement, and the
    # revision is written last.
    "tables": ["DELETE FROM alembic_version", "DROP TABLE user", "DROP TABLE task"],
    "indexes": [],
    "no version": ["DROP TABLE alembic_version"],
}

_TASK = '{"name": "here", "spec": "@daily", "command": "true"}'


# the host ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["web", "migrate", "check"])
def test_a_home_that_cannot_be_written_is_refused(gocron, tmp_path, command):
    tmp_path.chmod(0o555)
    try:
        said = gocron(command, before=WITHOUT_PRIVILEGES)
    finally:
        tmp_path.chmod(0o755)
    assert_refused(said, f"the home folder {gocron.home} cannot be written", "GOCRON_HOME")
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_a_file_is_refused(gocron):
    gocron.home.write_text("in the way")
    for command in ("web", "migrate", "check"):
        assert_refused(gocron(command), f"the home folder {gocron.home} cannot be written")
    assert gocron.home.read_text() == "in the way"


def test_a_port_in_use_is_refused_with_the_way_to_choose_another(gocron):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = gocron("web", "--port", str(port))
    assert_refused(said, f"127.0.0.1 port {port}", "--port", "GOCRON_WEB_PORT")
    assert not (gocron.home / "gocron.db").exists()


def test_a_file_that_everybody_may_read_is_warned_about_and_no_reason_not_to_start(gocron):
    file = gocron.write_ini("auth_secret = 0123456789abcdef0123456789abcdef")
    file.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = gocron("web", "--port", str(taken.getsockname()[1]))
    warning, refusal = said.err.splitlines()
    assert "WARNING parent[" in warning
    assert f"{file} holds auth_secret" in warning
    assert "cannot listen" in refusal


def test_a_second_node_on_the_same_sqlite_file_is_refused_and_the_first_one_goes_on(tmp_path):
    file = tmp_path / "shared.db"
    database = {**SQLITE, "GOCRON_DB_DATABASE": str(file)}
    first = Node(tmp_path, database, "first")
    try:
        first.start()
        second = Gocron(tmp_path, database)
        said = second("web", "--port", str(free_port()), GOCRON_NODE_NAME="second")
        assert_refused(said, f"another gocron is using {file}", "one node only", "PostgreSQL")
        assert first.status("/readyz") == 200
        assert '"second"' not in second.must("status", "--json")
    finally:
        first.end()


@pytest.mark.timeout(180)
def test_two_live_nodes_with_one_name_are_refused_and_the_first_one_goes_on(server_env, tmp_path):
    with cluster_of(1, tmp_path, server_env) as cluster:
        (first,) = cluster.nodes
        other = Gocron(tmp_path, server_env)
        said = other("web", "--port", str(free_port()), GOCRON_NODE_NAME=first.name)
        assert_refused(
            said,
            f"another live node calls itself {first.name!r}",
            f"process {first.pid}",
            "GOCRON_NODE_NAME",
        )
        assert first.status("/readyz") == 200
        assert first.cluster()["leader"]["node_name"] == first.name


# tasks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (
            "tasks:\n- name: a\n  command: x\n  spec: 0 0 25 * * *\n",
            ["line 4: spec: hour: '25' is out of the range 0-23"],
        ),
        (
            "tasks:\n- {name: a, command: x, spec: '@daily'}\n"
            "- name: b\n  command: x\n  spec: '@daily'\n  timezone: Europe/Berln\n",
            ["line 6: timezone: 'Europe/Berln' is not known", "did you mean Europe/Berlin?"],
        ),
        (
            '{"name": "a", "spec": "@daily", "command": "x"}\n'
            '{"name": "b", "spec": "31 2 * *", "comand": "x"}\n',
            ["line 2: spec: '31 2 * *' has 4 fields", "line 2: comand:", "did you mean command?"],
        ),
        ("tasks: [a,\n", ["line 2", "not YAML"]),
        ("", ["there is no task in the input"]),
    ],
)
def test_a_wrong_task_is_refused_with_line_and_field_and_none_is_imported(gocron, file, words):
    gocron.must("migrate")
    assert_refused(gocron("task", "import", "-", stdin=file), "nothing was imported", *words)
    assert gocron.must("task", "list", "--json") == "[]\n"


def test_a_file_that_is_not_there_is_refused(gocron, tmp_path):
    gocron.must("migrate")
    said = gocron("task", "import", str(tmp_path / "none.yaml"))
    assert_refused(said, "none.yaml", "No such file")
    assert_refused(gocron("task", "import", str(tmp_path)), "Is a directory")


def test_without_a_database_the_way_to_one_is_told(gocron):
    for command in (["task", "list"], ["run", "list"], ["user", "list"], ["status"]):
        assert_refused(gocron(*command), "there is no database at", "gocron migrate")
    assert not gocron.home.exists()


# helpers ----------------------------------------------------------------------------------------


class _database_of(ExitStack):  # noqa: N801 -- used as a function
    """A fresh database of one server, for as long as the block lasts."""

    def __init__(self, server: PrivatePostgres | PrivateMariaDB, folder: Path) -> None:
        super().__init__()
        databases: Iterator[dict[str, str]] = fresh_database(server)
        self._gocron = Gocron(folder, next(databases))
        self.callback(lambda: list(databases))

    def __enter__(self) -> Gocron:  # type: ignore[override]
        return self._gocron


def _sql(gocron: Gocron, statement: str) -> list[tuple[object, ...]]:
    with closing(connect(gocron.environment)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = [tuple(row.values()) for row in cursor.fetchall()] if cursor.description else []
        connection.commit()
    return rows


def _tables(gocron: Gocron) -> set[str]:
    schema = "'public'" if gocron.environment["GOCRON_DB_ENGINE"] == "postgres" else "DATABASE()"
    found = _sql(
        gocron, f"SELECT table_name FROM information_schema.tables WHERE table_schema = {schema}"
    )
    return {str(name) for (name,) in found}


def _without_indexes(gocron: Gocron) -> list[str]:
    """Statements that take the indexes away, and the rows that come last."""
    found = _sql(
        gocron,
        "SELECT DISTINCT table_name, index_name FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND non_unique = 1",
    )
    assert found
    drops = [f"DROP INDEX {index} ON {table}" for table, index in found]
    return ["DELETE FROM alembic_version", "DELETE FROM scheduler_lock", *drops]


def _structure(gocron: Gocron) -> set[tuple[object, ...]]:
    """Columns and indexes of a MariaDB database, and the row that elections are about."""
    columns = (
        "SELECT table_name, column_name, column_type, is_nullable "
        "FROM information_schema.columns WHERE table_schema = DATABASE()"
    )
    indexes = (
        "SELECT table_name, index_name, seq_in_index, column_name "
        "FROM information_schema.statistics WHERE table_schema = DATABASE()"
    )
    row = "SELECT lock_name, term FROM scheduler_lock"
    return {*_sql(gocron, columns), *_sql(gocron, indexes), *_sql(gocron, row)}
