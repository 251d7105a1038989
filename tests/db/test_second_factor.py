"""Second factors: a code once, on paper or from an app; the secret is not to be read in its row."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import update

from gocron.core.sealing import Seal
from gocron.db import login_limits, logins, second_factor, sessions, user_admin, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.logins import WRONG, WRONG_CODE, CodeNeeded, Refused
from gocron.db.models import AuditLog, LoginAttempts, RecoveryCode, Session, User
from gocron.db.sessions import Client, Kind
from gocron.db.users import TRIES, Account
from gocron.errors import Conflict, InvalidTask, Unsealed
from tests.helpers.authenticator import KEY, Authenticator, stop_clock
from tests.helpers.databases import at_once
from tests.helpers.rows import row, rows

SEAL = Seal(KEY)
OTHER_SEAL = Seal("another secret key of tests, and no other")
PASSWORD = "correct horse"
ADA, BOB = Actor("ada"), Actor("bob")
HERE = "192.0.2.1"


@pytest.fixture
def ada(database: Database) -> int:
    return users.create(database, "ada", PASSWORD, ADA)


@pytest.fixture(autouse=True)
def now(monkeypatch, database: Database) -> datetime:
    return stop_clock(monkeypatch, database)


@pytest.fixture
def app(database: Database, ada: int, now: datetime) -> Authenticator:
    """Her second factor is in force, confirmed with the code of the step before this one."""
    found = Authenticator(second_factor.begin(database, SEAL, ada), now)
    second_factor.confirm(database, SEAL, ada, found.code(-1), 0, ADA)
    return found


def log_in(database, code: str = "", password: str = PASSWORD, seal: Seal = SEAL):
    return logins.log_in(database, seal, "ada", password, HERE, code)


def actions(database) -> list[str]:
    return [line.action for line in rows(database, AuditLog)][1:]


# setting up -------------------------------------------------------------------------------------


def test_a_secret_counts_only_once_a_code_has_confirmed_it(database, ada, now):
    app = Authenticator(second_factor.begin(database, SEAL, ada), now)
    assert isinstance(log_in(database), Account)
    assert not second_factor.check(database, SEAL, ada, app.code())
    with pytest.raises(InvalidTask, match="not the code"):
        second_factor.confirm(database, SEAL, ada, "000000", 0, ADA)
    assert second_factor.waiting(database, SEAL, ada) == app.secret
    codes = second_factor.confirm(database, SEAL, ada, app.code(), 0, ADA)
    assert len(set(codes)) == 10
    assert second_factor.waiting(database, SEAL, ada) is None
    assert isinstance(log_in(database), CodeNeeded)
    assert second_factor.state(database, ada).recovery_codes == 10
    assert user_admin.show(database, ada).totp_since == now
    assert actions(database) == ["user.totp_enable"]


def test_the_code_that_confirms_is_spent(database, ada, now):
    app = Authenticator(second_factor.begin(database, SEAL, ada), now)
    code = app.code()
    second_factor.confirm(database, SEAL, ada, code, 0, ADA)
    assert not second_factor.check(database, SEAL, ada, code)


def test_confirming_ends_the_other_sessions(database, ada, now):
    kept, ended = [sessions.begin(database, ada, Kind.PANEL, Client(HERE)) for _n in range(2)]
    app = Authenticator(second_factor.begin(database, SEAL, ada), now)
    second_factor.confirm(database, SEAL, ada, app.code(), kept.id, ADA)
    assert [found.id for found in rows(database, Session)] == [kept.id]
    assert sessions.look(database, ended.key) is None


def test_a_setup_that_waited_too_long_is_none(database, ada, now):
    app = Authenticator(second_factor.begin(database, SEAL, ada), now)
    with database.write() as connection:
        long_ago = now - second_factor.WAITS
        connection.execute(update(User).values(totp_begun_at=long_ago))
    assert second_factor.waiting(database, SEAL, ada) is None
    with pytest.raises(Conflict, match="begin anew"):
        second_factor.confirm(database, SEAL, ada, app.code(), 0, ADA)


def test_one_in_force_is_not_replaced(database, ada, app):
    with pytest.raises(Conflict, match="turn it off first"):
        second_factor.begin(database, SEAL, ada)
    assert second_factor.check(database, SEAL, ada, app.code())


def test_the_row_shows_neither_secret_nor_codes(database, ada, now):
    app = Authenticator(second_factor.begin(database, SEAL, ada), now)
    codes = second_factor.confirm(database, SEAL, ada, app.code(), 0, ADA)
    stored = repr(rows(database, User)) + repr(rows(database, RecoveryCode))
    stored += repr(rows(database, AuditLog))
    assert app.secret not in stored
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)


def test_the_secret_of_one_is_nothing_in_the_row_of_another(database, ada, app):
    bob = users.create(database, "bob", PASSWORD, ADA)
    stolen = row(database, User, ada)
    with database.write() as connection:
        values = {"totp_secret": stolen.totp_secret, "totp_since": stolen.totp_since}
        connection.execute(update(User).where(User.id == bob).values(**values))
    with pytest.raises(Unsealed, match="belongs to something else"):
        second_factor.check(database, SEAL, bob, app.code())


# logging in -------------------------------------------------------------------------------------


def test_a_code_is_taken_once(database, ada, app):
    code = app.code()
    assert isinstance(log_in(database, code), Account)
    assert log_in(database, code) == Refused(WRONG_CODE)


def test_of_two_that_show_the_same_code_at_once_one_gets_in(database, ada, app):
    code = app.code()
    shown = [lambda: second_factor.check(database, SEAL, ada, code)] * 4
    assert sorted(at_once(*shown)) == [False, False, False, True]


@pytest.mark.parametrize(("steps", "taken"), [(1, True), (-1, False), (3, False), (-3, False)])
def test_a_clock_may_be_one_step_ahead_and_no_step_is_taken_twice(database, ada, app, steps, taken):
    """The step before was spent when the factor was confirmed."""
    assert second_factor.check(database, SEAL, ada, app.code(steps)) == taken


def test_after_a_later_code_an_earlier_one_is_worth_nothing(database, ada, app):
    earlier = app.code()
    assert second_factor.check(database, SEAL, ada, app.code(1))
    assert not second_factor.check(database, SEAL, ada, earlier)


def test_a_recovery_code_works_once_even_for_two_at_once(database, ada, app):
    codes = second_factor.new_recovery_codes(database, ada, ADA)
    assert isinstance(log_in(database, codes[0].upper()), Account)
    assert log_in(database, codes[0]) == Refused(WRONG_CODE)
    shown = [lambda: second_factor.check(database, SEAL, ada, codes[1])] * 4
    assert sorted(at_once(*shown)) == [False, False, False, True]
    assert second_factor.state(database, ada).recovery_codes == 8
    assert actions(database).count("user.recovery_code") == 2


def test_new_recovery_codes_take_the_place_of_the_old_ones(database, ada, app):
    old = second_factor.new_recovery_codes(database, ada, ADA)
    new = second_factor.new_recovery_codes(database, ada, ADA)
    assert not second_factor.check(database, SEAL, ada, old[0])
    assert second_factor.check(database, SEAL, ada, new[0])


def test_only_who_knows_the_password_learns_that_a_code_is_needed(database, ada, app):
    assert log_in(database, password="wrong") == Refused(WRONG)
    assert log_in(database, app.code(), password="wrong") == Refused(WRONG)
    assert isinstance(log_in(database), CodeNeeded)
    assert isinstance(log_in(database, app.code()), Account), "a wrong password spends no code"


def test_wrong_codes_count_like_wrong_passwords(database, ada, app):
    for _time in range(TRIES):
        assert log_in(database, "000000") == Refused(WRONG_CODE)
    assert log_in(database, app.code()) == Refused(WRONG)
    assert user_admin.show(database, ada).locked_until is not None
    assert rows(database, LoginAttempts)[0].failures == TRIES + 1


def test_the_right_password_alone_forgives_no_wrong_codes(database, ada, app):
    account = users.find(database, ada)
    assert account is not None
    for _time in range(TRIES):
        assert isinstance(log_in(database), CodeNeeded)
        refused = logins.go_on(database, SEAL, ada, account.token_version, HERE, "000000")
        assert refused == Refused(WRONG_CODE)
    assert log_in(database) == Refused(WRONG)
    right = logins.go_on(database, SEAL, ada, account.token_version, HERE, app.code())
    assert right == Refused(WRONG_CODE), "the lock holds for the second half too"


def test_asking_for_the_code_often_locks_nobody(database, ada, app):
    for _time in range(TRIES * 2):
        assert isinstance(log_in(database), CodeNeeded)
    assert isinstance(log_in(database, app.code()), Account)
    assert row(database, User, ada).failed_logins == 0
    assert rows(database, LoginAttempts)[0].failures == 0


def test_the_second_half_is_none_after_a_new_password_or_from_an_address_that_must_wait(
    database, ada, app
):
    version = row(database, User, ada).token_version
    users.set_password(database, "ada", "another one", ADA)
    assert logins.go_on(database, SEAL, ada, version, HERE, app.code()) == Refused(WRONG_CODE)
    with database.write() as connection:
        connection.execute(update(LoginAttempts).values(failures=login_limits.TRIES))
    waiting = logins.go_on(database, SEAL, ada, version + 1, HERE, app.code())
    assert isinstance(waiting, Refused)
    assert waiting.wait is not None


@pytest.mark.parametrize(
    ("seal", "said"), [(OTHER_SEAL, "another one than"), (Seal(None), "there is no secret key")]
)
def test_a_node_without_the_right_key_lets_nobody_past_and_says_why(database, ada, app, seal, said):
    refused = log_in(database, app.code(), seal=seal)
    assert isinstance(refused, Refused)
    assert said in refused.words
    assert app.secret not in refused.words
    (code, *_others) = second_factor.new_recovery_codes(database, ada, ADA)
    assert isinstance(log_in(database, code, seal=seal), Account), "paper needs no key"


# turning it off ---------------------------------------------------------------------------------


def test_it_is_turned_off_with_all_that_belongs_to_it(database, ada, app):
    second_factor.disable(database, ada, ADA)
    assert isinstance(log_in(database), Account)
    assert rows(database, RecoveryCode) == []
    assert row(database, User, ada).totp_secret == ""
    assert not second_factor.check(database, SEAL, ada, app.code())
    with pytest.raises(Conflict, match="no second factor"):
        second_factor.new_recovery_codes(database, ada, ADA)
    assert actions(database) == ["user.totp_enable", "user.totp_disable"]


def test_an_administrator_resets_that_of_somebody_else(database, ada, app):
    sessions.begin(database, ada, Kind.PANEL, Client(HERE))
    with pytest.raises(Conflict, match="your own"):
        second_factor.reset(database, ada, ADA)
    assert second_factor.reset(database, ada, BOB) == "ada"
    assert rows(database, Session) == []
    assert isinstance(log_in(database), Account)
    line = rows(database, AuditLog)[-1]
    assert (line.action, line.actor, line.target) == ("user.totp_reset", "bob", "ada")
