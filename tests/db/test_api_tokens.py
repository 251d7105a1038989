"""Tokens with which programs use the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.core.access import Role, Scope
from gocron.db import api_tokens, user_admin, users
from gocron.db.api_tokens import MOST, Wanted
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import ApiToken, AuditLog
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.rows import now_of, rows

ADMIN = Actor("cli")


@pytest.fixture
def ada(database: Database) -> int:
    return users.create(database, "ada", "correct horse", ADMIN)


def test_a_token_is_kept_as_its_hash_and_known_by_its_beginning(database, ada):
    made = api_tokens.create(database, ada, Wanted(" deploy ", Scope.RUN, 30, "etl"), ADMIN)
    assert made.token.startswith("gct_")
    shown = api_tokens.look(database, made.token, "192.0.2.7")
    assert shown is not None
    assert (shown.id, shown.account.id, shown.scope, shown.tag) == (made.id, ada, "run", "etl")
    (facts,) = api_tokens.listing(database, ada)
    assert (facts.name, facts.username, facts.scope, facts.tag) == ("deploy", "ada", "run", "etl")
    assert made.token.startswith(facts.hint)
    assert len(facts.hint) == 10
    assert made.token not in repr(rows(database, ApiToken)) + repr(rows(database, AuditLog))
    for other in ("", made.token[:-1], "gct_", facts.hint):
        assert api_tokens.look(database, other, "") is None


def test_its_last_use_is_known_to_the_minute(database, ada):
    made = api_tokens.create(database, ada, Wanted("t", Scope.READ, None), ADMIN)
    (before,) = api_tokens.listing(database)
    assert (before.last_used_at, before.expires_at) == (None, None)
    api_tokens.look(database, made.token, "192.0.2.7")
    api_tokens.look(database, made.token, "192.0.2.8")  # within the minute: not written again
    (after,) = api_tokens.listing(database)
    assert after.last_used_from == "192.0.2.7"
    assert after.last_used_at is not None
    assert now_of(database) - after.last_used_at < timedelta(seconds=30)


def test_it_ends_when_it_expires_is_revoked_or_its_user_may_not_log_in(database, ada):
    bob = users.create(database, "bob", "correct horse", ADMIN, role=Role.VIEWER)
    tokens = {
        name: api_tokens.create(database, bob, Wanted(name, Scope.READ, 1), ADMIN)
        for name in ("expired", "revoked", "kept")
    }
    with database.write() as connection:
        past = now_of(database) - timedelta(seconds=1)
        mine = ApiToken.id == tokens["expired"].id
        connection.execute(update(ApiToken).where(mine).values(expires_at=past))
    assert api_tokens.revoke(database, tokens["revoked"].id, ADMIN) == "revoked"
    found = {name: api_tokens.look(database, one.token, "") for name, one in tokens.items()}
    assert [name for name, shown in found.items() if shown] == ["kept"]
    user_admin.disable(database, bob, ADMIN)
    assert api_tokens.look(database, tokens["kept"].token, "") is None
    user_admin.enable(database, bob, ADMIN)
    assert api_tokens.look(database, tokens["kept"].token, "") is not None
    user_admin.remove(database, bob, ADMIN)
    assert api_tokens.look(database, tokens["kept"].token, "") is None
    assert rows(database, ApiToken) == []


def test_nobody_revokes_a_token_of_somebody_else_as_their_own(database, ada):
    bob = users.create(database, "bob", "correct horse", ADMIN)
    made = api_tokens.create(database, ada, Wanted("t", Scope.READ, 1), ADMIN)
    with pytest.raises(NotFound):
        api_tokens.revoke(database, made.id, Actor("bob"), bob)
    assert api_tokens.revoke(database, made.id, Actor("ada"), ada) == "t"
    with pytest.raises(NotFound):
        api_tokens.revoke(database, made.id, ADMIN)


def test_a_name_is_given_once_for_each_user(database, ada):
    bob = users.create(database, "bob", "correct horse", ADMIN)
    wanted = Wanted("t", Scope.READ, 1)
    api_tokens.create(database, ada, wanted, ADMIN)
    api_tokens.create(database, bob, wanted, ADMIN)
    with pytest.raises(Conflict, match="'t'"):
        api_tokens.create(database, ada, wanted, ADMIN)


def test_there_are_not_more_than_somebody_can_keep_track_of(database, ada):
    for number in range(MOST):
        api_tokens.create(database, ada, Wanted(f"t{number}", Scope.READ, 1), ADMIN)
    with pytest.raises(Conflict, match="revoke one first"):
        api_tokens.create(database, ada, Wanted("more", Scope.READ, 1), ADMIN)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted("", Scope.READ, 1), "name"),
        (Wanted(" ", Scope.READ, 1), "name"),
        (Wanted("x" * 65, Scope.READ, 1), "name"),
        (Wanted("a\nb", Scope.READ, 1), "name"),
        (Wanted("t", Scope.READ, 0), "days"),
        (Wanted("t", Scope.READ, 3651), "days"),
        (Wanted("t", Scope.READ, 1, "x" * 65), "tag"),
        (Wanted("t", Scope.READ, 1, "a\0"), "tag"),
    ],
)
def test_what_will_not_do_is_refused_by_field(database, ada, wanted, field):
    with pytest.raises(InvalidTask) as refused:
        api_tokens.create(database, ada, wanted, ADMIN)
    assert refused.value.field == field
    assert rows(database, ApiToken) == []


def test_nobody_gets_a_token_who_does_not_exist(database, ada):
    with pytest.raises(NotFound):
        api_tokens.create(database, ada + 999, Wanted("t", Scope.READ, 1), ADMIN)
