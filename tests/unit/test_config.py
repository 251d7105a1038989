"""Settings: what wins over what, what is allowed, and what a wrong one is answered with."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from gocron.config import FIELDS, KEYS, Settings, load, load_with_sources
from gocron.config_keys import SECRETS
from gocron.errors import InvalidSetting

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    return tmp_path


def _write(home: Path, *lines: str, section: str = "default") -> Path:
    file = home / "conf" / "app.ini"
    file.write_text("\n".join([f"[{section}]", *lines]), encoding="utf-8")
    file.chmod(0o600)
    return file


def _refusal(home: Path, **variables: str) -> str:
    with pytest.raises(InvalidSetting) as refusal:
        load({"GOCRON_HOME": str(home), **variables})
    return str(refusal.value)


# where they come from ---------------------------------------------------------------------------


def test_without_anything_a_node_is_alone_on_sqlite(home):
    settings = load({"GOCRON_HOME": str(home)})
    assert settings.single_node
    assert settings.sqlite_path == home / "gocron.db"
    assert (settings.lease_s, settings.renew_s, settings.grace_s, settings.poll_s) == (
        15,
        5,
        0.8,
        0.2,
    )
    assert settings.node_name == f"{socket.gethostname()}:5920"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(home):
    _write(home, "web.port = 1001", "web.host = 10.0.0.1", "app.name = file")
    variables = {"GOCRON_HOME": str(home), "GOCRON_WEB_PORT": "1002", "GOCRON_WEB_HOST": "10.0.0.2"}
    settings = load(variables, web_port=1003, web_host=None)
    assert (settings.web_port, settings.web_host, settings.app_name) == (1003, "10.0.0.2", "file")


def test_each_value_says_where_it_is_from(home):
    file = _write(home, "# a comment", "", "app.name = x", "DB.Prefix: cron_")
    loaded = load_with_sources(
        {"GOCRON_HOME": str(home), "GOCRON_LEASE": "20"}, web_port="1003", web_host=None
    )
    assert loaded.source("app_name") == f"{file}, line 4"
    assert loaded.source("db.prefix") == f"{file}, line 5"
    assert loaded.source("lease_s") == "GOCRON_LEASE"
    assert loaded.source("web_port") == "--port"
    assert loaded.source("web_host") == "default"


def test_a_relative_home_is_made_absolute(home, monkeypatch):
    monkeypatch.chdir(home)
    assert load({}).home == home / ".gocron"
    assert load({"GOCRON_HOME": "a/b"}).home == home / "a" / "b"
    assert load({"GOCRON_HOME": ""}).home == home / ".gocron"


def test_the_file_is_taken_literally(home):
    _write(home, "db.engine = postgres", "db.user = me", "db.database = d", "db.password = 1%%;#x")
    assert load({"GOCRON_HOME": str(home)}).db.password.get_secret_value() == "1%%;#x"


def test_a_byte_order_mark_is_no_part_of_the_file(home):
    (home / "conf" / "app.ini").write_bytes(b"\xef\xbb\xbf[default]\r\napp.name = x\r\n")
    assert load({"GOCRON_HOME": str(home)}).app_name == "x"


def test_an_empty_value_means_not_set(home):
    _write(home, "web.port =", "app.name = file")
    settings = load({"GOCRON_HOME": str(home), "GOCRON_APP_NAME": "", "GOCRON_LEASE": "  "})
    assert (settings.web_port, settings.app_name, settings.lease_s) == (5920, "file", 15)


def test_an_empty_password_is_an_empty_password(home):
    _write(home, "db.engine = mysql", "db.user = u", "db.database = d", "db.password = from-file")
    settings = load({"GOCRON_HOME": str(home), "GOCRON_DB_PASSWORD": ""})
    assert settings.db.password.get_secret_value() == ""


@pytest.mark.parametrize(
    "variable",
    ["GOCRON_AUTH_SECRET", "GOCRON_ADMIN_PASSWORD", "GOCRON_METRICS_TOKEN", "GOCRON_SECRET_KEY"],
)
def test_an_empty_secret_is_refused_because_it_was_meant_to_be_one(home, variable):
    assert f"{variable} = (empty) (environment): must be" in _refusal(home, **{variable: ""})


def test_blanks_around_a_value_are_dropped_but_not_those_of_a_password(home):
    settings = load(
        {"GOCRON_HOME": str(home), "GOCRON_TIMEZONE": " Asia/Tokyo\n", "GOCRON_DB_PASSWORD": " x ",
         "GOCRON_DB_ENGINE": "sqlite"}
    )  # fmt: skip
    assert (settings.timezone, settings.db.password.get_secret_value()) == ("Asia/Tokyo", " x ")


def test_the_port_follows_the_engine_unless_it_is_given(home):
    common = {"GOCRON_HOME": str(home), "GOCRON_DB_USER": "u", "GOCRON_DB_DATABASE": "d"}
    assert load({**common, "GOCRON_DB_ENGINE": "postgres"}).db.port == 5432
    assert load({**common, "GOCRON_DB_ENGINE": "mysql"}).db.port == 3306
    assert load({**common, "GOCRON_DB_ENGINE": "mysql", "GOCRON_DB_PORT": "3307"}).db.port == 3307


def test_settings_are_frozen(home):
    settings = load({"GOCRON_HOME": str(home)})
    with pytest.raises(ValidationError):
        settings.web_port = 1
    with pytest.raises(ValidationError):
        settings.db.port = 1


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_secrets_do_not_appear_when_settings_are_printed(home, name):
    settings = load({"GOCRON_HOME": str(home), "GOCRON_DB_ENGINE": "sqlite", KEYS[name][1]: SECRET})
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.model_dump())


# what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("GOCRON_DB_ENGINE", "oracle", "sqlite, postgres or mysql"),
        ("GOCRON_DB_ENGINE", "postgresql", "did you mean postgres?"),
        ("GOCRON_DB_ENGINE", "mariadb", "mysql is for MariaDB too"),
        ("GOCRON_DB_HOST", "a b", "a name or an address"),
        ("GOCRON_DB_PORT", "0", "a whole number from 1 to 65535"),
        ("GOCRON_DB_PORT", "54.5", "a whole number from 1 to 65535"),
        ("GOCRON_DB_PREFIX", "9_", "at most 20 of a-z, 0-9 and _, beginning with a letter"),
        ("GOCRON_DB_CHARSET", "latin1", "utf8mb4"),
        ("GOCRON_DB_MAX_OPEN_CONNS", "-1", "a whole number from 1 to 1000"),
        ("GOCRON_WEB_PORT", "65536", "a whole number from 1 to 65535"),
        ("GOCRON_WEB_THREADS", "999", "a whole number from 1 to 256"),
        ("GOCRON_ALLOW_IPS", "10.0.0.0/33", "'10.0.0.0/33' is no address and no network"),
        ("GOCRON_ALLOW_IPS", "::1, localhost", "'localhost' is no address"),
        ("GOCRON_ALLOW_IPS", "10.1.2.3/8", "did you mean 10.0.0.0/8?"),
        ("GOCRON_HTTP_ALLOW_NETWORKS", "internal", "'internal' is no address and no network"),
        ("GOCRON_HTTP_DENY_NETWORKS", "10.1.2.3/8", "did you mean 10.0.0.0/8?"),
        ("GOCRON_APP_NAME", "x" * 65, "1 to 64 characters"),
        ("GOCRON_APP_NAME", "a\nb", "on one line"),
        ("GOCRON_TRUSTED_PROXIES", "11", "a whole number from 0 to 10"),
        ("GOCRON_NODE_NAME", "a b", "letters, digits and _ . : -"),
        ("GOCRON_TIMEZONE", "Europe/Berln", "did you mean Europe/Berlin?"),
        ("GOCRON_TIMEZONE", "CEST+2", "IANA names are allowed"),
        ("GOCRON_LEASE", "0", "a number of seconds above 0, at most 86400"),
        ("GOCRON_LEASE", "15s", "a number of seconds above 0, at most 86400"),
        ("GOCRON_MISFIRE_GRACE", "inf", "a number of seconds above 0, at most 86400"),
        ("GOCRON_DRAIN_TIMEOUT", "nan", "a number of seconds from 0 to 86400"),
        ("GOCRON_MAX_RUNNING", "1e3", "a whole number from 1 to 100000"),
        ("GOCRON_OUTPUT_LIMIT", "1M", "a number of bytes from 1024 to 1073741824"),
        ("GOCRON_ALLOW_ROOT", "perhaps", "true or false"),
        ("GOCRON_LOG_FORMAT", "xml", "text or json"),
        ("GOCRON_LOG_LEVEL", "warn", "did you mean warning?"),
        ("GOCRON_ADMIN_USERNAME", "x" * 65, "1 to 64 characters"),
        ("GOCRON_ADMIN_EMAIL", "nobody", "an e-mail address"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_answered_with_name_value_source_and_what_is_allowed(
    home, variable, text, words
):
    refusal = _refusal(home, **{variable: text})
    shown = repr(text) if len(text) <= 64 else "'x"
    assert refusal.startswith(f"{variable} = {shown}")
    assert "(environment): " in refusal
    assert words in refusal
    assert "Input should" not in refusal


@pytest.mark.parametrize("name", KEYS)
def test_no_setting_takes_what_cannot_be_meant(home, name):
    """Whatever is refused is refused in our words; the few that take any text take this one."""
    variable = KEYS[name][1]
    needed = {"GOCRON_DB_ENGINE": "sqlite"} | {variable: "\x1b" * 300}
    if name in (
        "db.user",
        "db.password",
        "db.database",
        "auth_secret",
        "secret_key",
        "admin_password",
        "metrics_token",
    ):
        load({"GOCRON_HOME": str(home), **needed})
        return
    refusal = _refusal(home, **needed)
    assert refusal.startswith(f"{variable} = ")
    assert "\x1b" not in refusal
    assert "Input should" not in refusal


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("GOCRON_AUTH_SECRET", "at least 32"),
        ("GOCRON_SECRET_KEY", "at least 32"),
        ("GOCRON_ADMIN_PASSWORD", "at least 8 characters"),
    ],
)
def test_a_short_secret_is_refused_without_showing_it(home, variable, words):
    refusal = _refusal(home, **{variable: "xyzzy"})
    assert refusal.startswith(f"{variable} = (hidden) (environment): must be {words}")
    assert "xyzzy" not in refusal


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"GOCRON_LEASE": "10", "GOCRON_RENEW": "5"},
            "GOCRON_RENEW = '5' (environment) must be shorter than half of GOCRON_LEASE = '10'",
        ),
        (
            {"GOCRON_LEASE": "6"},
            "GOCRON_RENEW = 5 (default) must be shorter than half of GOCRON_LEASE = '6'",
        ),
        (
            {"GOCRON_GRACE": "5"},
            "GOCRON_GRACE = '5' (environment) must be shorter than GOCRON_RENEW = 5 (default)",
        ),
        (
            {"GOCRON_POLL": "0.8"},
            "GOCRON_POLL = '0.8' (environment) must be shorter than GOCRON_GRACE = 0.8 (default)",
        ),
    ],
)
def test_intervals_that_contradict_each_other_are_told_with_both_values(home, variables, words):
    refusal = _refusal(home, **variables)
    assert refusal.startswith(words)
    assert "the defaults are" in refusal


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("GOCRON_LEESE", "did you mean GOCRON_LEASE?"),
        ("GOCRON_DB_PASS", "did you mean GOCRON_DB_PASSWORD?"),
        ("GOCRON_PORT", "did you mean GOCRON_DB_PORT or GOCRON_WEB_PORT?"),
        ("GOCRON_WEB__PORT", "did you mean GOCRON_WEB_PORT?"),
        ("GOCRON_XYZZY", "`gocron check` shows all settings"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_one_that_was_probably_meant(home, variable, hint):
    refusal = _refusal(home, **{variable: "1"})
    assert refusal.startswith(f"{variable} (environment): there is no such setting")
    assert refusal.endswith(hint)


def test_what_kubernetes_sets_for_services_called_gocron_is_no_setting(home):
    settings = load(
        {
            "GOCRON_HOME": str(home),
            "GOCRON_SERVICE_HOST": "10.0.0.7",
            "GOCRON_SERVICE_PORT": "80",
            "GOCRON_SERVICE_PORT_HTTP": "80",
            "GOCRON_PORT": "tcp://10.0.0.7:80",
            "GOCRON_PORT_80_TCP": "tcp://10.0.0.7:80",
            "GOCRON_PORT_80_TCP_PROTO": "tcp",
            "GOCRON_PORT_80_TCP_PORT": "80",
            "GOCRON_PORT_80_TCP_ADDR": "10.0.0.7",
            # a service called gocron-web, whose variable is called like a setting of ours
            "GOCRON_WEB_PORT": "tcp://10.0.0.8:80",
            "GOCRON_WEB_SERVICE_HOST": "10.0.0.8",
            # IPv6
            "GOCRON_DB_SERVICE_HOST": "fd00::9",
        }
    )
    assert settings.web_port == 5920


def test_what_tasks_and_commands_are_given_is_no_setting(home):
    load({"GOCRON_HOME": str(home), "GOCRON_TASK_ID": "7", "GOCRON_NODE": "a", "GOCRON_TERM": "1",
          "GOCRON_USER_PASSWORD": "x"})  # fmt: skip


def test_a_server_needs_user_and_database(home):
    refusal = _refusal(home, GOCRON_DB_ENGINE="postgres", GOCRON_DB_USER="me")
    assert refusal.startswith("GOCRON_DB_DATABASE (db.database in app.ini) is missing")


@pytest.mark.parametrize("name", ["HOST", "USER", "PASSWORD"])
def test_a_server_without_an_engine_is_no_sqlite(home, name):
    refusal = _refusal(home, **{f"GOCRON_DB_{name}": "x"})
    assert refusal.startswith(f"GOCRON_DB_{name} (environment) is set, but no engine")


# the file ---------------------------------------------------------------------------------------


def test_an_unknown_key_of_the_file_is_refused_with_its_line(home):
    file = _write(home, "app.name = x", "web.prot = 1")
    assert _refusal(home) == f"{file}, line 3: unknown key web.prot; did you mean web.port?"


def test_keys_of_gocron_that_mean_nothing_here_are_passed_over(home):
    _write(home, "api.key = x", "app.lang = en", "enable_tls = false")
    load({"GOCRON_HOME": str(home)})


@pytest.mark.parametrize("section", ["DEFAULT", "database", "Default"])
def test_another_section_is_refused_and_not_passed_over(home, section):
    file = _write(home, "app.name = x", section=section)
    assert _refusal(home).startswith(f"{file}: unknown section [{section}]")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"app.name = x", "is not an ini file"),
        (b"[default]\njust words\n", "is not an ini file"),
        (b"[default]\napp.name = a\napp.name = b\n", "already exists"),
        (b"[default]\napp.name = \xff\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(home, content, words):
    file = home / "conf" / "app.ini"
    file.write_bytes(content)
    refusal = _refusal(home)
    assert refusal.startswith(str(file))
    assert words in refusal
    assert "\n" not in refusal


def test_a_folder_in_place_of_the_file_is_refused(home):
    (home / "conf" / "app.ini").mkdir()
    assert "cannot be read: Is a directory" in _refusal(home)


def test_all_mistakes_are_told_at_once(home):
    _write(home, "web.prot = 1", "web.threads = x")
    refusal = _refusal(home, GOCRON_LEESE="1", GOCRON_DB_PORT="x")
    first, *others = refusal.split("\n")
    assert first == "4 settings are wrong:"
    assert [line.strip().split(" ")[0].split("/")[0] for line in others] == [
        "",
        "GOCRON_LEESE",
        "GOCRON_DB_PORT",
        "web.threads",
    ]


@pytest.mark.parametrize(
    ("mode", "line", "warned"),
    [
        (0o600, f"auth_secret = {SECRET}", False),
        (0o640, f"auth_secret = {SECRET}", False),
        (0o644, f"auth_secret = {SECRET}", True),
        (0o604, "db.password = x", True),
        (0o644, "db.password =", False),
        (0o644, "app.name = x", False),
    ],
)
def test_a_file_with_a_secret_that_everybody_may_read_is_warned_about(home, mode, line, warned):
    file = _write(home, line, "db.engine = sqlite")
    file.chmod(mode)
    warnings = load_with_sources({"GOCRON_HOME": str(home)}).warnings
    assert [str(file) in warning for warning in warnings] == [True] * warned


def test_a_secret_from_the_environment_is_no_reason_to_warn_about_the_file(home):
    _write(home, "app.name = x").chmod(0o644)
    loaded = load_with_sources({"GOCRON_HOME": str(home), "GOCRON_AUTH_SECRET": SECRET})
    assert loaded.warnings == ()


# the table of settings --------------------------------------------------------------------------


def test_every_setting_can_be_given_in_the_file_and_in_the_environment():
    declared = {f"db.{name}" for name in Settings.model_fields["db"].default.model_fields_set}
    declared |= {f"db.{name}" for name in type(Settings.model_fields["db"].default).model_fields}
    declared |= set(Settings.model_fields) - {"db", "home"}
    assert declared == set(KEYS) == set(FIELDS)


def test_no_two_settings_have_one_name():
    for names in zip(*KEYS.values(), strict=True):
        assert len(set(names)) == len(KEYS)


def test_what_is_secret_in_the_settings_is_treated_as_secret():
    assert {
        name for name, field in FIELDS.items() if "SecretStr" in str(field.annotation)
    } == SECRETS
