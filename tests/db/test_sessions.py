"""Sessions: begun, looked at, ended, renewed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.db import sessions, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Session, User
from gocron.db.sessions import LASTS, MOST, Client, Kind
from tests.helpers.rows import now_of, rows

ACTOR = Actor("tester")
HERE = Client("192.0.2.1", "curl/8")
THERE = Client("192.0.2.2")


@pytest.fixture
def ada(database: Database) -> int:
    return users.create(database, "ada", "correct horse", ACTOR)


def change(database: Database, statement) -> None:
    with database.write() as connection:
        connection.execute(statement)


def test_a_session_opens_with_its_key_only(database, ada):
    begun = sessions.begin(database, ada, Kind.PANEL, HERE)
    seen = sessions.look(database, begun.key)
    assert seen is not None
    assert (seen.id, seen.account.username) == (begun.id, "ada")
    assert sessions.look_by_id(database, begun.id) == seen
    assert sessions.look(database, begun.key + "x") is None
    (row,) = rows(database, Session)
    assert begun.key not in str(row._asdict())


def test_a_session_expires_unless_it_is_used(database, ada):
    begun = sessions.begin(database, ada, Kind.PANEL, HERE)
    now = now_of(database)
    used = {"last_seen_at": now - timedelta(hours=1), "expires_at": now + timedelta(minutes=1)}
    change(database, update(Session).values(**used))
    assert sessions.look(database, begun.key) is not None
    (row,) = rows(database, Session)
    assert row.expires_at >= now + LASTS[Kind.PANEL], "a look prolongs it"
    change(database, update(Session).values(expires_at=now - timedelta(seconds=1)))
    assert sessions.look(database, begun.key) is None
    assert sessions.listing(database, ada) == []
    assert sessions.purge(database) == 1


@pytest.mark.parametrize(
    "values",
    [{"enabled": False}, {"token_version": 99}, {"role": "emperor"}],
    ids=["disabled", "another token version", "a role of a version to come"],
)
def test_a_user_who_may_not_log_in_has_no_session(database, ada, values):
    begun = sessions.begin(database, ada, Kind.PANEL, HERE)
    change(database, update(User).values(**values))
    assert sessions.look(database, begun.key) is None


def test_sessions_are_ended_one_or_all_others_and_only_ones_own(database, ada):
    bob = users.create(database, "bob", "correct horse", ACTOR)
    first, second, third = (sessions.begin(database, ada, Kind.API, HERE) for _ in range(3))
    his = sessions.begin(database, bob, Kind.PANEL, HERE)
    assert not sessions.end(database, ada, his.id, ACTOR)
    assert sessions.end(database, ada, first.id, ACTOR)
    assert not sessions.end(database, ada, first.id, ACTOR)
    assert sessions.look(database, first.key) is None
    assert sessions.end_others(database, ada, second.id, ACTOR) == 1
    assert sessions.look(database, second.key) is not None
    assert sessions.look(database, third.key) is None
    assert sessions.look(database, his.key) is not None
    actions = [line.action for line in rows(database, AuditLog)]
    assert actions.count("session.end") == 2


def test_a_renewed_key_replaces_the_old_one(database, ada):
    begun = sessions.begin(database, ada, Kind.API, HERE)
    renewed = sessions.renew(database, begun.key, THERE)
    assert renewed is not None
    seen, key = renewed
    assert seen.id == begun.id
    assert sessions.look(database, begun.key) is None
    assert sessions.look(database, key) is not None
    assert sessions.listing(database, ada)[0].address == THERE.address


def test_a_key_that_is_used_twice_ends_the_session(database, ada):
    begun = sessions.begin(database, ada, Kind.API, HERE)
    renewed = sessions.renew(database, begun.key, HERE)
    assert renewed is not None
    assert sessions.renew(database, begun.key, THERE) is None
    assert sessions.look(database, renewed[1]) is None
    (line,) = rows(database, AuditLog, AuditLog.action == "session.reused")
    assert (line.actor, line.address) == ("ada", THERE.address)
    assert sessions.renew(database, "never drawn", HERE) is None


def test_the_session_that_was_unused_for_longest_makes_room(database, ada):
    begun = [sessions.begin(database, ada, Kind.PANEL, HERE) for _ in range(MOST + 1)]
    assert len(rows(database, Session)) == MOST
    assert sessions.look(database, begun[0].key) is None
    assert sessions.look(database, begun[1].key) is not None
