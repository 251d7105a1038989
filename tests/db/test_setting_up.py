"""The first look of an installation at its database, and what it makes there; on all engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from gocron.core.definition import define
from gocron.core.installing import Administrator, Found, Reason, Refused, SetUp
from gocron.db import migrate, nodes, setting_up, tasks, users
from gocron.db.engine import Database
from gocron.db.requirements import require_version
from tests.helpers.cluster import free_port
from tests.helpers.databases import at_once, settings_for
from tests.helpers.product import SOMEBODY

ADA = Administrator("ada", "difference engine", "ada@example.org")


@pytest.fixture
def settings(database_env, tmp_path):
    return settings_for(database_env, tmp_path, GOCRON_NODE_NAME="node2")


@pytest.fixture
def on_server(server_env, tmp_path):
    return lambda **more: settings_for({**server_env, **more}, tmp_path)


@pytest.fixture
def database(settings):
    found = Database(settings)
    yield found
    found.close()


def _why(answer: object) -> Reason:
    assert isinstance(answer, Refused), answer
    return answer.reason


def test_an_empty_database_will_do_and_is_left_empty(settings):
    found = setting_up.look(settings)
    assert isinstance(found, Found)
    assert found.server.split()[0] in ("SQLite", "PostgreSQL", "MariaDB")
    assert not found.tables
    assert not settings.single_node or not settings.sqlite_path.exists()
    assert setting_up.look(settings) == found


def test_tables_and_administrator_are_made_once(settings, database):
    assert setting_up.set_up(settings, ADA) == SetUp(created=True)
    assert setting_up.set_up(settings, Administrator("eve", "somebody else")) == SetUp(False)
    assert setting_up.set_up(settings, None) == SetUp(created=False)
    assert users.authenticate(database, "ada", "difference engine") is not None
    assert users.count(database) == 1
    with database.read() as connection:
        (email,) = connection.execute(
            text(
                "SELECT email FROM audit_log JOIN "
                + ('"user"' if database.dialect.name != "mysql" else "`user`")
                + " ON target = username"
            )
        ).scalars()
    assert email == "ada@example.org"


def test_an_existing_cluster_is_described(settings, database):
    migrate.upgrade(database)
    users.create(database, "ada", "difference engine", SOMEBODY)
    nodes.register(database, nodes.Newcomer("node1", "host1", 1, 5920, "0"))
    gone = nodes.register(database, nodes.Newcomer("node0", "host0", 1, 5920, "0"))
    nodes.stopped(database, gone)
    for name in ("one", "two"):
        tasks.create(
            database, define({"name": name, "spec": "@daily", "command": "true"}), SOMEBODY
        )
    found = setting_up.look(settings)
    assert isinstance(found, Found)
    assert (found.tables, found.outdated) == (True, False)
    assert (found.nodes, found.tasks, found.users) == (1, 2, 1)


def test_nothing_is_made_as_long_as_nobody_is_named(settings):
    assert _why(setting_up.set_up(settings, None)) is Reason.NO_ADMINISTRATOR
    found = setting_up.look(settings)
    assert isinstance(found, Found)
    assert not found.tables


def test_a_name_that_a_live_node_has_is_refused(settings, database):
    migrate.upgrade(database)
    users.create(database, "ada", "difference engine", SOMEBODY)
    taken = nodes.register(database, nodes.Newcomer("node2", "host1", 1, 5920, "0"))
    assert _why(setting_up.set_up(settings, None)) is Reason.NAME_TAKEN
    nodes.stopped(database, taken)
    assert setting_up.set_up(settings, None) == SetUp(created=False)


def test_a_wrong_password_user_name_or_port_is_told_apart(on_server):
    assert _why(setting_up.look(on_server(GOCRON_DB_PASSWORD="swordfish"))) is Reason.LOGIN
    assert _why(setting_up.look(on_server(GOCRON_DB_USER="nobody_here"))) is Reason.LOGIN
    assert _why(setting_up.look(on_server(GOCRON_DB_DATABASE="nowhere"))) is Reason.DATABASE
    port = str(free_port())
    assert _why(setting_up.look(on_server(GOCRON_DB_PORT=port))) is Reason.UNREACHABLE
    unknown = setting_up.look(on_server(GOCRON_DB_HOST="no-such-host.invalid"))
    assert _why(unknown) is Reason.UNREACHABLE


def test_no_refusal_tells_the_password(on_server):
    refused = setting_up.look(on_server(GOCRON_DB_PASSWORD="swordfish"))
    assert isinstance(refused, Refused)
    assert "swordfish" not in refused.detail


def test_a_server_that_is_too_old_is_refused(settings, database, monkeypatch):
    def too_old(_dialect: object, _connection: object) -> str:
        return require_version("Server", "5.0", (8, 0))

    if settings.single_node:
        settings.sqlite_path.touch()
    monkeypatch.setattr(type(database.dialect), "check_server", too_old)
    assert _why(setting_up.look(settings)) is Reason.UNSUPPORTED


def test_a_read_only_server_is_refused(settings, database, monkeypatch):
    if settings.single_node:
        migrate.upgrade(database)
    monkeypatch.setattr(type(database.dialect), "is_read_only", lambda *_a: True)
    assert _why(setting_up.look(settings)) is Reason.READ_ONLY


def test_tables_that_need_a_newer_version_are_refused(settings, database):
    assert isinstance(setting_up.set_up(settings, ADA), SetUp)
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO setting (name, value) VALUES ('schema_floor', '9999')")
        )
    assert _why(setting_up.look(settings)) is Reason.SCHEMA


def test_of_several_that_set_up_at_once_one_makes_the_administrator(settings):
    names = ("ada", "eve", "ida")
    done = at_once(
        *(
            lambda name=name: setting_up.set_up(settings, Administrator(name, "at the same time"))
            for name in names
        )
    )
    assert sorted(isinstance(one, SetUp) and one.created for one in done) == [False, False, True]


def test_a_file_where_nothing_can_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    settings = settings_for(
        {"GOCRON_DB_ENGINE": "sqlite", "GOCRON_DB_DATABASE": "file/gocron.db"}, tmp_path
    )
    assert _why(setting_up.look(settings)) is Reason.FOLDER
    folder = settings_for({"GOCRON_DB_ENGINE": "sqlite", "GOCRON_DB_DATABASE": "."}, tmp_path)
    assert _why(setting_up.look(folder)) is Reason.FOLDER


def test_a_file_that_is_no_database_is_refused_and_stays(tmp_path: Path):
    (tmp_path / "file").write_text("a text, and not a database at all" * 100)
    settings = settings_for({"GOCRON_DB_ENGINE": "sqlite", "GOCRON_DB_DATABASE": "file"}, tmp_path)
    before = (tmp_path / "file").read_bytes()
    assert _why(setting_up.look(settings)) is Reason.OTHER
    assert (tmp_path / "file").read_bytes() == before
