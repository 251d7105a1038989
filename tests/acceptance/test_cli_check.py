"""``gocron check``: what is in force, where it is from, and whether the database will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gocron.config import KEYS
from tests.helpers.command import Gocron, assert_refused, copy_of

SQLITE = {"GOCRON_DB_ENGINE": "sqlite"}


@pytest.fixture
def gocron(tmp_path: Path) -> Gocron:
    return Gocron(tmp_path, {})


def _row(page: str, key: str) -> list[str]:
    """The words of a setting's line: key, variable, value, source."""
    return next(line.split() for line in page.splitlines() if line.startswith(f"{key} "))


def test_before_the_first_start_there_is_no_database_and_nothing_wrong(gocron, tmp_path):
    page = gocron.must("check", **SQLITE)
    assert "no database yet, it will be created at first start" in page
    assert "(there is none yet)" in page
    assert list(tmp_path.iterdir()) == []


def test_before_the_installation_it_says_where_the_wizard_is(gocron, tmp_path):
    page = gocron.must("check")
    assert "none yet: `gocron web` opens the install wizard" in page
    assert list(tmp_path.iterdir()) == []


def test_every_value_has_its_source(gocron):
    file = gocron.write_ini("app.name = Night shift", "election.lease = 12", "db.engine = sqlite")
    page = gocron.must("check", GOCRON_LEASE="14", GOCRON_TIMEZONE="Europe/Berlin")
    assert _row(page, "app.name")[2:] == ["Night", "shift", f"{file},", "line", "2"]
    assert _row(page, "election.lease")[2:] == ["14", "GOCRON_LEASE"]
    assert _row(page, "timezone")[2:] == ["Europe/Berlin", "GOCRON_TIMEZONE"]
    assert _row(page, "election.renew")[2:] == ["5", "default"]
    assert f"file  {file}\n" in page


def test_the_columns_stand_below_each_other(gocron):
    lines = gocron.must("check").splitlines()
    head = next(line for line in lines if line.startswith("SETTING"))
    rows = lines[lines.index(head) + 1 :]
    rows = rows[: rows.index("")]
    for title in ("VARIABLE", "VALUE", "FROM"):
        column = head.index(title)
        assert all(row[column - 2 : column] == "  " and row[column] != " " for row in rows)


def test_an_empty_variable_is_one_that_was_not_set(gocron):
    gocron.write_ini("web.port = 6000")
    page = gocron.must("check", GOCRON_WEB_PORT="", GOCRON_LEASE=" ", GOCRON_ALLOW_IPS="")
    assert _row(page, "web.port")[2] == "6000"
    assert _row(page, "election.lease")[2:] == ["15", "default"]


def test_a_server_is_shown_with_version_and_tables_and_no_secret(server_env, tmp_path):
    gocron = Gocron(tmp_path, server_env)
    secret = "0123456789abcdef0123456789abcdef"
    page = gocron.must("check", GOCRON_AUTH_SECRET=secret, GOCRON_METRICS_TOKEN="hush")
    assert "no tables yet, the first node to start makes them" in page
    for key in ("db.password", "auth_secret", "metrics.token"):
        assert _row(page, key)[2] == "****"
    assert _row(page, "admin.password")[2:] == ["-", "default"]
    assert secret not in page
    assert "hush" not in page
    assert server_env["GOCRON_DB_PASSWORD"] not in page
    assert {line.split()[0] for line in page.splitlines() if " GOCRON_" in line} >= {
        key for key, _variable in KEYS.values()
    }
    gocron.must("migrate")
    page = gocron.must("check")
    product = "PostgreSQL" if server_env["GOCRON_DB_ENGINE"] == "postgres" else "MariaDB"
    assert f"server    {product} " in page
    assert ", writable" in page
    assert "tables    revision " in page


def test_checking_changes_nothing(gocron):
    gocron.must("migrate")
    before = copy_of(gocron.home)
    gocron.must("check")
    assert copy_of(gocron.home) == before


def test_a_file_with_secrets_that_others_may_read_is_warned_about_and_used(gocron):
    file = gocron.write_ini("auth_secret = 0123456789abcdef0123456789abcdef")
    assert "warning" not in gocron.must("check")
    file.chmod(0o644)
    assert f"warning: {file} holds auth_secret" in gocron.must("check")
    assert f"chmod 600 {file}" in gocron.must("check")


def test_a_relative_home_is_below_the_working_directory_and_shown_in_full(gocron):
    page = gocron.must("check", GOCRON_HOME="some/where")
    assert f"home  {Path.cwd()}/some/where (there is none yet)" in page


def test_servers_that_are_set_without_an_engine_are_no_reason_to_use_sqlite(gocron):
    said = gocron("check", GOCRON_DB_HOST="db.example.org")
    assert_refused(said, "GOCRON_DB_HOST (environment) is set, but no engine", "GOCRON_DB_ENGINE")
