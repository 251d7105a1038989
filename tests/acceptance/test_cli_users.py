"""``gocron user …`` and ``gocron resetpwd``: accounts, and passwords that nobody can read."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from gocron.db import users
from gocron.db.models import User
from tests.helpers.cluster import ROOT
from tests.helpers.command import Gocron, assert_refused
from tests.helpers.product import database_of
from tests.helpers.rows import rows

PROMPT = re.compile(rb"(Password|confirmation): ")


@pytest.fixture
def gocron(tmp_path: Path) -> Gocron:
    made = Gocron(tmp_path, {"GOCRON_DB_ENGINE": "sqlite"})
    made.must("migrate")
    return made


def _may_log_in(gocron: Gocron, name: str, password: str) -> bool:
    with database_of(gocron.environment) as database:
        return users.authenticate(database, name, password) is not None


def test_a_user_is_created_and_listed(gocron):
    gocron.must(
        *("user", "create", "ada", "--email", "ada@example.org", "--password-stdin"),
        stdin="correct horse\n",
    )
    (listed,) = json.loads(gocron.must("user", "list", "--json"))
    assert (listed["username"], listed["email"], listed["enabled"]) == (
        "ada",
        "ada@example.org",
        True,
    )
    assert listed["created_at"].endswith("Z")
    assert "argon2" not in gocron.must("user", "list")
    with database_of(gocron.environment) as database:
        assert not PasswordHasher().check_needs_rehash(rows(database, User)[0].password_hash)
    assert _may_log_in(gocron, "ada", "correct horse")
    assert_refused(
        gocron("user", "create", "ada", "--password-stdin", stdin="correct horse"),
        "there is already a user 'ada'",
    )


@pytest.mark.parametrize("command", [["user", "password"], ["resetpwd"]])
def test_a_password_is_changed(gocron, command):
    gocron.must("user", "create", "ada", GOCRON_USER_PASSWORD="correct horse")
    gocron.must(*command, "ada", "--password-stdin", stdin="battery staple\r\n")
    assert not _may_log_in(gocron, "ada", "correct horse")
    assert _may_log_in(gocron, "ada", "battery staple")


def test_a_password_is_asked_for_twice_and_not_shown(gocron):
    code, screen = _at_a_terminal(
        gocron,
        ["user", "create", "ada"],
        ["correct horse", "correct house", "staple 12", "staple 12"],
    )
    assert code == 0, screen
    assert "Password:" in screen
    assert "do not match" in screen
    assert "correct" not in screen
    assert _may_log_in(gocron, "ada", "staple 12")


def test_a_bad_password_or_name_is_refused(gocron):
    assert_refused(gocron("user", "create", "ada", GOCRON_USER_PASSWORD="short"), "at least 8")
    assert_refused(gocron("user", "create", " ", GOCRON_USER_PASSWORD="correct horse"), "username")
    assert_refused(gocron("user", "create", "ada"), "--password-stdin", "GOCRON_USER_PASSWORD")
    assert_refused(gocron("resetpwd", "eve", "--password-stdin", stdin="x"), "no user 'eve'")
    said = gocron("user", "create", "ada", "--password-stdin", stdin=b"\xff\xfe")
    assert_refused(said, "not UTF-8")
    assert json.loads(gocron.must("user", "list", "--json")) == []


def test_a_user_is_given_a_role_with_tags(gocron):
    password = {"GOCRON_USER_PASSWORD": "correct horse"}
    gocron.must("user", "create", "ada", **password)
    gocron.must("user", "create", "bob", "--role", "operator", "--tag", "web", **password)
    assert _roles(gocron) == {"ada": ("admin", []), "bob": ("operator", ["web"])}
    gocron.must("user", "role", "bob", "operator", "--tag", "db", "--tag", "web")
    assert _roles(gocron)["bob"] == ("operator", ["db", "web"])
    gocron.must("user", "role", "bob", "viewer")
    assert _roles(gocron)["bob"] == ("viewer", [])
    assert_refused(gocron("user", "role", "ada", "viewer"), "last administrator")
    assert_refused(gocron("user", "role", "eve", "viewer"), "no user 'eve'")


def _roles(gocron: Gocron) -> dict[str, tuple[str, list[str]]]:
    found = json.loads(gocron.must("user", "list", "--json"))
    return {user["username"]: (user["role"], user["tags"]) for user in found}


def test_a_token_is_printed_once_listed_and_revoked(gocron):
    gocron.must("user", "create", "ada", GOCRON_USER_PASSWORD="correct horse")
    options = ("--scope", "run", "--tag", "web", "--days", "30")
    token = gocron.must("token", "create", "ada", "ci", *options).strip()
    assert re.fullmatch(r"gct_[\w-]{43}", token)
    listed = gocron.must("token", "list", "--json")
    (facts,) = json.loads(listed)
    assert (facts["username"], facts["scope"], facts["tag"]) == ("ada", "run", "web")
    assert token not in listed
    assert token[:10] in gocron.must("token", "list")
    assert_refused(gocron("token", "create", "ada", "ci"), "already a token 'ci'")
    assert_refused(gocron("token", "create", "eve", "ci"), "no user 'eve'")
    assert_refused(gocron("token", "create", "ada", "x", "--days", "0"), "days")
    gocron.must("token", "revoke", str(facts["id"]))
    assert json.loads(gocron.must("token", "list", "--json")) == []
    assert_refused(gocron("token", "revoke", str(facts["id"])), "there is no token")


def _at_a_terminal(gocron: Gocron, arguments: list[str], typed: list[str]) -> tuple[int, str]:
    """Exit code and screen of a command that asks for each of ``typed``."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gocron", *arguments],
        cwd=ROOT,
        env=gocron.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = b""
    with open(ours, "r+b", buffering=0) as terminal:
        for answered, line in enumerate(typed):
            while len(PROMPT.findall(screen)) <= answered:
                screen += terminal.read(1000)
            terminal.write(f"{line}\n".encode())
        try:
            while piece := terminal.read(1000):
                screen += piece
        except OSError:  # how a terminal says that the other side has gone
            pass
    return process.wait(30), screen.decode()
