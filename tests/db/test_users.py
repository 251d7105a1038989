"""Who may use the panel, and who may not any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, update

from gocron.db import users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, User
from gocron.db.users import LOCKED_FOR, TRIES, authenticate
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.databases import at_once
from tests.helpers.rows import now_of, row, rows

ADMIN = Actor("cli")
RIGHT = "correct horse"
WRONG = "battery staple"


@pytest.fixture
def ada(database: Database) -> int:
    return users.create(database, "Ada", RIGHT, ADMIN, email="ada@example.org")


def wrong(database: Database, times: int) -> None:
    for _time in range(times):
        assert authenticate(database, "Ada", WRONG) is None


# creating ---------------------------------------------------------------------------------------


def test_a_user_is_stored_without_the_password(database, ada):
    user = row(database, User, ada)
    assert (user.username, user.email, user.role) == ("Ada", "ada@example.org", "admin")
    assert (user.enabled, user.token_version, user.failed_logins) == (True, 1, 0)
    assert user.password_hash.startswith("$argon2id$")
    assert RIGHT not in repr(rows(database, User)) + repr(rows(database, AuditLog))
    assert [(line.action, line.target) for line in rows(database, AuditLog)] == [
        ("user.create", "Ada")
    ]


def test_a_name_is_given_once(database, ada):
    with pytest.raises(Conflict, match="'Ada'"):
        users.create(database, " Ada ", RIGHT, ADMIN)
    assert users.count(database) == 1


@pytest.mark.parametrize(
    ("name", "password", "field"),
    [("", RIGHT, "username"), ("x" * 65, RIGHT, "username"), ("Ada", "1234567", "password")],
)
def test_what_will_not_do_is_refused_by_field(database, name, password, field):
    with pytest.raises(InvalidTask) as refused:
        users.create(database, name, password, ADMIN)
    assert refused.value.field == field
    assert users.count(database) == 0


def test_the_first_user_is_created_only_while_there_is_none(database):
    assert users.create_first(database, "admin", RIGHT, "a@example.org")
    assert not users.create_first(database, "admin", WRONG)
    assert not users.create_first(database, "another", WRONG)
    assert [user.username for user in rows(database, User)] == ["admin"]
    assert authenticate(database, "admin", RIGHT) is not None


@pytest.mark.parametrize("names", [("admin", "admin"), ("admin", "boss")])
def test_of_two_nodes_that_start_at_once_one_creates_the_first_user(database, names):
    for _round in range(5):
        created = at_once(
            lambda: users.create_first(database, names[0], RIGHT),
            lambda: users.create_first(database, names[1], RIGHT),
        )
        assert sorted(created) == [False, True]
        assert users.count(database) == 1
        with database.write() as connection:
            connection.execute(delete(User))


# logging in -------------------------------------------------------------------------------------


def test_the_right_password_opens_the_account(database, ada):
    account = authenticate(database, "Ada", RIGHT)
    assert account is not None
    assert (account.id, account.username, account.role) == (ada, "Ada", "admin")
    assert account.token_version == 1
    assert abs(row(database, User, ada).last_login_at - now_of(database)) < timedelta(seconds=5)


@pytest.mark.parametrize("name", ["Grace", "ada", "ADA", "", "Ada\0"])
def test_nobody_else_is_let_in(database, ada, name):
    assert authenticate(database, name, RIGHT) is None


@pytest.mark.parametrize("password", ["", WRONG, RIGHT + " ", RIGHT.upper(), "x" * 10_000])
def test_no_other_password_is_taken(database, ada, password):
    assert authenticate(database, "Ada", password) is None


def test_a_disabled_account_stays_closed(database, ada):
    with database.write() as connection:
        connection.execute(update(User).values(enabled=False))
    assert authenticate(database, "Ada", RIGHT) is None
    assert users.find(database, ada) is None


def test_a_success_forgets_earlier_failures(database, ada):
    for _round in range(3):
        wrong(database, TRIES - 1)
        assert authenticate(database, "Ada", RIGHT) is not None
    assert row(database, User, ada).failed_logins == 0


def test_the_last_try_may_still_be_the_right_one(database, ada):
    wrong(database, TRIES - 1)
    assert authenticate(database, "Ada", RIGHT) is not None
    assert row(database, User, ada).locked_until is None


def test_wrong_passwords_lock_the_account_even_for_the_right_one(database, ada):
    wrong(database, TRIES)
    until = row(database, User, ada).locked_until
    assert abs(until - now_of(database) - LOCKED_FOR) < timedelta(seconds=5)
    assert authenticate(database, "Ada", RIGHT) is None
    assert row(database, User, ada).locked_until == until, "tries while locked prolong nothing"


def test_a_lock_ends_with_its_time_and_then_counts_anew(database, ada):
    wrong(database, TRIES)
    with database.write() as connection:
        past = now_of(database) - timedelta(seconds=1)
        connection.execute(update(User).values(locked_until=past))
    wrong(database, TRIES - 1)
    assert authenticate(database, "Ada", RIGHT) is not None
    assert row(database, User, ada).locked_until is None


def test_a_locked_account_does_not_lock_others(database, ada):
    users.create(database, "Grace", RIGHT, ADMIN)
    wrong(database, TRIES)
    assert authenticate(database, "Grace", RIGHT) is not None


def test_guesses_at_the_same_moment_count_each(database, ada, monkeypatch):
    """However many are under way when the first one fails: no more than ``TRIES`` passwords are
    compared with the hash."""
    compared: list[str] = []
    verify = users._verify
    real_hash = row(database, User, ada).password_hash

    def note(hashed: str, password: str) -> bool:
        if hashed == real_hash:
            compared.append(password)
        return verify(hashed, password)

    monkeypatch.setattr(users, "_verify", note)

    for _round in range(3):
        at_once(*[lambda: authenticate(database, "Ada", WRONG)] * 8)

    assert len(compared) <= TRIES
    assert row(database, User, ada).locked_until is not None
    assert authenticate(database, "Ada", RIGHT) is None


def test_an_unknown_name_costs_as_much_as_a_known_one(database, ada, monkeypatch):
    made: list[str] = []
    monkeypatch.setattr(users, "_hash", made.append)
    assert authenticate(database, "Bob", RIGHT) is None
    assert made == [RIGHT]
    assert authenticate(database, "Ada", RIGHT) is not None
    assert made == [RIGHT]


def test_a_hash_of_weaker_parameters_is_replaced_at_the_next_login(database, ada, monkeypatch):
    before = row(database, User, ada).password_hash
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(users, "_hasher", stronger)
    assert authenticate(database, "Ada", RIGHT) is not None
    after = row(database, User, ada).password_hash
    assert after != before
    assert "m=16,t=2" in after
    assert authenticate(database, "Ada", RIGHT) is not None


def test_a_hash_that_is_none_opens_nothing(database, ada):
    with database.write() as connection:
        connection.execute(update(User).values(password_hash="plain"))
    assert authenticate(database, "Ada", "plain") is None


# sessions ---------------------------------------------------------------------------------------


def test_a_new_password_ends_sessions_and_lifts_a_lock(database, ada):
    wrong(database, TRIES)
    users.set_password(database, "Ada", "another one", ADMIN)
    account = authenticate(database, "Ada", "another one")
    assert account is not None
    assert account.token_version == 2
    assert authenticate(database, "Ada", RIGHT) is None
    assert [line.action for line in rows(database, AuditLog)] == ["user.create", "user.password"]
    assert "another one" not in repr(rows(database, AuditLog))


def test_a_password_of_nobody_and_one_that_is_too_short_are_refused(database, ada):
    with pytest.raises(NotFound, match="'Grace'"):
        users.set_password(database, "Grace", RIGHT, ADMIN)
    with pytest.raises(InvalidTask, match="8 characters"):
        users.set_password(database, "Ada", "short", ADMIN)


def test_an_account_is_found_by_its_id_while_it_exists(database, ada):
    account = users.find(database, ada)
    assert account is not None
    assert account.username == "Ada"
    assert users.find(database, ada + 999) is None
