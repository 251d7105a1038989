"""API tokens: made, shown once, looked at, revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from gocron.core.access import Scope
from gocron.db import api_tokens, users
from gocron.db.api_tokens import LONGEST_DAYS, MOST, Wanted
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import ApiToken, AuditLog, User
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.rows import now_of, rows

ACTOR = Actor("tester")
CI = Wanted("ci", Scope.RUN, 90, "web")


@pytest.fixture
def ada(database: Database) -> int:
    return users.create(database, "ada", "correct horse", ACTOR)


def test_a_token_says_who_shows_it_and_when_it_was_used(database, ada):
    made = api_tokens.create(database, ada, CI, ACTOR)
    shown = api_tokens.look(database, made.token, "192.0.2.1")
    assert shown is not None
    assert (shown.account.username, shown.scope, shown.tag) == ("ada", Scope.RUN, "web")
    (facts,) = api_tokens.listing(database)
    assert facts.last_used_from == "192.0.2.1"
    assert facts.last_used_at is not None
    assert facts.expires_at is not None
    assert made.token.startswith(facts.hint)
    assert api_tokens.look(database, made.token + "x", "") is None


def test_neither_rows_nor_audit_hold_the_token(database, ada):
    made = api_tokens.create(database, ada, CI, ACTOR)
    stored = [row._asdict() for model in (ApiToken, AuditLog) for row in rows(database, model)]
    assert made.token not in str(stored)


@pytest.mark.parametrize(
    "values", [{"enabled": False}, {"role": "emperor"}], ids=["disabled", "unknown role"]
)
def test_a_token_is_worth_no_more_than_its_user(database, ada, values):
    made = api_tokens.create(database, ada, CI, ACTOR)
    with database.write() as connection:
        connection.execute(update(User).values(**values))
    assert api_tokens.look(database, made.token, "") is None


def test_a_token_expires_and_one_without_days_does_not(database, ada):
    made = api_tokens.create(database, ada, CI, ACTOR)
    forever = api_tokens.create(database, ada, Wanted("for ever", Scope.READ, None), ACTOR)
    with database.write() as connection:
        past = now_of(database) - timedelta(seconds=1)
        expiring = update(ApiToken).where(ApiToken.expires_at.is_not(None))
        connection.execute(expiring.values(expires_at=past))
    assert api_tokens.look(database, made.token, "") is None
    assert api_tokens.look(database, forever.token, "") is not None


def test_a_token_is_revoked_by_its_user_or_an_administrator(database, ada):
    bob = users.create(database, "bob", "correct horse", ACTOR)
    made = api_tokens.create(database, ada, CI, ACTOR)
    with pytest.raises(NotFound):
        api_tokens.revoke(database, made.id, ACTOR, bob)
    assert api_tokens.look(database, made.token, "") is not None
    assert api_tokens.revoke(database, made.id, ACTOR) == "ci"
    assert api_tokens.look(database, made.token, "") is None
    with pytest.raises(NotFound):
        api_tokens.revoke(database, made.id, ACTOR)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted("", Scope.READ, 1), "name"),
        (Wanted("n" * 65, Scope.READ, 1), "name"),
        (Wanted("a\nb", Scope.READ, 1), "name"),
        (Wanted("ci", Scope.READ, 0), "days"),
        (Wanted("ci", Scope.READ, LONGEST_DAYS + 1), "days"),
        (Wanted("ci", Scope.READ, 1, "t" * 65), "tag"),
    ],
)
def test_what_is_wrong_with_a_wish_is_said_with_its_field(database, ada, wanted, field):
    with pytest.raises(InvalidTask) as refusal:
        api_tokens.create(database, ada, wanted, ACTOR)
    assert refusal.value.field == field
    assert rows(database, ApiToken) == []


def test_names_are_unique_for_a_user_and_there_is_a_limit(database, ada):
    api_tokens.create(database, ada, CI, ACTOR)
    with pytest.raises(Conflict, match="already a token 'ci'"):
        api_tokens.create(database, ada, CI, ACTOR)
    with pytest.raises(NotFound):
        api_tokens.create(database, ada + 99, CI, ACTOR)
    (one,) = rows(database, ApiToken)
    values = {name: value for name, value in one._asdict().items() if name != "id"}
    with database.write() as connection:
        for number in range(MOST - 1):
            more = {"name": f"t{number}", "token_hash": str(number)}
            connection.execute(insert(ApiToken).values(**values | more))
    with pytest.raises(Conflict, match="revoke one first"):
        api_tokens.create(database, ada, Wanted("one more", Scope.READ, 1), ACTOR)
