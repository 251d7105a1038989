"""Administering users: access ends at once, and somebody who may administer always remains."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import update

from gocron.db import user_admin, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, User
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.databases import at_once
from tests.helpers.rows import row, rows

PASSWORD = "correct horse"
ADA, BOB = Actor("ada"), Actor("bob")


@pytest.fixture
def ada(database: Database) -> int:
    return users.create(database, "ada", PASSWORD, ADA)


@pytest.fixture
def bob(database: Database) -> int:
    return users.create(database, "bob", PASSWORD, ADA, email="bob@example.org")


def actions(database) -> list[tuple[str, str]]:
    return [(line.action, line.target) for line in rows(database, AuditLog)][2:]


def test_who_is_disabled_has_no_session_and_no_login_any_more(database, ada, bob):
    assert user_admin.disable(database, bob, ADA) == "bob"
    assert users.find(database, bob) is None
    assert users.authenticate(database, "bob", PASSWORD) is None
    assert row(database, User, bob).token_version == 2
    assert user_admin.enable(database, bob, ADA) == "bob"
    account = users.authenticate(database, "bob", PASSWORD)
    assert account is not None
    assert account.token_version == 2, "sessions from before stay ended"
    assert actions(database) == [("user.disable", "bob"), ("user.enable", "bob")]


def test_doing_it_twice_changes_nothing_more(database, ada, bob):
    for _time in range(2):
        user_admin.disable(database, bob, ADA)
    assert row(database, User, bob).token_version == 2
    for _time in range(2):
        user_admin.enable(database, bob, ADA)
    assert len(actions(database)) == 2


@pytest.mark.parametrize("change", [user_admin.disable, user_admin.remove])
def test_nobody_takes_away_his_own_access(database, ada, bob, change):
    with pytest.raises(Conflict, match="your own account"):
        change(database, ada, ADA)
    assert row(database, User, ada).enabled


@pytest.mark.parametrize("change", [user_admin.disable, user_admin.remove])
def test_the_last_administrator_who_can_log_in_stays(database, ada, bob, change):
    user_admin.disable(database, bob, ADA)
    with pytest.raises(Conflict, match="'ada' is the last administrator"):
        change(database, ada, BOB)
    with database.write() as connection:
        connection.execute(update(User).where(User.id == bob).values(enabled=True, role="guest"))
    with pytest.raises(Conflict, match="'ada' is the last administrator"):
        change(database, ada, BOB)
    assert row(database, User, ada).enabled


def test_two_who_disable_each_other_at_once_do_not_both_succeed(database, ada, bob):
    def attempt(user_id: int, actor: Actor) -> bool:
        try:
            user_admin.disable(database, user_id, actor)
        except Conflict:
            return False
        return True

    done = at_once(partial(attempt, ada, BOB), partial(attempt, bob, ADA))
    assert sorted(done) == [False, True]
    assert sum(user.enabled for user in rows(database, User)) == 1


def test_a_user_is_removed_and_the_log_stays(database, ada, bob):
    assert user_admin.remove(database, bob, ADA) == "bob"
    assert [user.username for user in rows(database, User)] == ["ada"]
    assert actions(database) == [("user.delete", "bob")]
    with pytest.raises(NotFound):
        user_admin.show(database, bob)
    for change in (user_admin.enable, user_admin.disable, user_admin.unlock, user_admin.remove):
        with pytest.raises(NotFound):
            change(database, bob, ADA)


def test_a_locked_user_is_shown_to_be_and_is_unlocked(database, ada, bob):
    for _time in range(users.TRIES):
        assert users.authenticate(database, "bob", "wrong") is None
    assert user_admin.show(database, bob).locked_until is not None
    assert users.authenticate(database, "bob", PASSWORD) is None
    user_admin.unlock(database, bob, ADA)
    shown = user_admin.show(database, bob)
    assert (shown.locked_until, shown.failed_logins) == (None, 0)
    assert users.authenticate(database, "bob", PASSWORD) is not None


def test_a_lock_that_is_over_is_none(database, ada, bob):
    past = user_admin.show(database, bob).created_at
    with database.write() as connection:
        connection.execute(update(User).where(User.id == bob).values(locked_until=past))
    assert user_admin.show(database, bob).locked_until is None
    assert [user.username for user in user_admin.listing(database)] == ["ada", "bob"]


def test_an_address_is_changed_and_the_old_one_is_in_the_log(database, ada, bob):
    user_admin.set_email(database, bob, " bob@example.net ", ADA)
    user_admin.set_email(database, bob, "bob@example.net", ADA)
    assert row(database, User, bob).email == "bob@example.net"
    line = rows(database, AuditLog)[-1]
    assert line.action == "user.email"
    assert line.detail == {
        "before": {"email": "bob@example.org"},
        "after": {"email": "bob@example.net"},
    }
    assert len(actions(database)) == 1


@pytest.mark.parametrize(
    "wrong", ["bob", "a@b@c", "a b@c", "@x", "x@", "a@b\n", "a" * 250 + "@x.org"]
)
def test_what_is_no_address_is_refused(database, ada, wrong):
    if wrong == "a@b\n":  # blanks around it are no part of it
        wrong = "a\n@b"
    with pytest.raises(InvalidTask) as refused:
        user_admin.set_email(database, ada, wrong, ADA)
    assert refused.value.field == "email"
    with pytest.raises(InvalidTask):
        users.create(database, "new", PASSWORD, ADA, email=wrong)
