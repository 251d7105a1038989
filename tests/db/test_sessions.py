"""Logins that are in force: begun, looked at, exchanged, ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from gocron.core.access import Role
from gocron.db import sessions, user_admin, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, User
from gocron.db.models import Session as SessionRow
from gocron.db.sessions import LASTS, MOST, Client, Kind
from tests.helpers.databases import at_once
from tests.helpers.rows import now_of, rows

ADMIN = Actor("cli")
BROWSER = Client("192.0.2.7", "Mozilla/5.0")


@pytest.fixture
def ada(database: Database) -> int:
    return users.create(database, "ada", "correct horse", ADMIN, role=Role.OPERATOR, tags=["etl"])


def shift(database: Database, **columns: timedelta) -> None:
    """Move instants of all sessions."""
    now = now_of(database)
    with database.write() as connection:
        values = {name: now + distance for name, distance in columns.items()}
        connection.execute(update(SessionRow).values(**values))


def test_a_session_is_opened_by_its_key_and_by_nothing_else(database, ada):
    begun = sessions.begin(database, ada, Kind.PANEL, BROWSER)
    seen = sessions.look(database, begun.key)
    assert seen is not None
    assert (seen.id, seen.account.username, seen.account.role) == (begun.id, "ada", Role.OPERATOR)
    assert seen.account.access.may_edit("etl")
    (kept,) = rows(database, SessionRow)
    for other in ("", begun.key[:-1], begun.key + "x", kept.key_hash, str(begun.id)):
        assert sessions.look(database, other) is None
    assert begun.key not in repr(kept) + repr(rows(database, AuditLog))


def test_it_lasts_since_it_was_last_used(database, ada):
    begun = sessions.begin(database, ada, Kind.PANEL, BROWSER)
    shift(database, last_seen_at=-timedelta(hours=2), expires_at=timedelta(seconds=60))
    assert sessions.look(database, begun.key) is not None
    (facts,) = sessions.listing(database, ada)
    assert abs(facts.expires_at - now_of(database) - LASTS[Kind.PANEL]) < timedelta(seconds=30)
    assert (facts.address, facts.agent, facts.kind) == ("192.0.2.7", "Mozilla/5.0", "panel")
    shift(database, expires_at=-timedelta(seconds=1))
    assert sessions.look(database, begun.key) is None
    assert sessions.look_by_id(database, begun.id) is None
    assert sessions.listing(database, ada) == []


def test_looking_does_not_write_more_than_once_a_minute(database, ada):
    begun = sessions.begin(database, ada, Kind.PANEL, BROWSER)
    (before,) = rows(database, SessionRow)
    sessions.look(database, begun.key)
    assert rows(database, SessionRow) == [before]


@pytest.mark.parametrize("end", ["disable", "remove", "password", "older version", "new role"])
def test_it_ends_with_what_it_stands_on(database, ada, end):
    begun = sessions.begin(database, ada, Kind.API, BROWSER)
    if end == "password":
        users.set_password(database, "ada", "battery staple", ADMIN)
    elif end in ("older version", "new role"):
        # A node of the version before raises the number and knows nothing of sessions.
        values = {"token_version": 2} if end == "older version" else {"role": "of tomorrow"}
        with database.write() as connection:
            connection.execute(update(User).values(**values))
    else:
        getattr(user_admin, end)(database, ada, ADMIN)
    assert sessions.look(database, begun.key) is None
    assert sessions.look_by_id(database, begun.id) is None


def test_one_is_ended_by_its_owner_only(database, ada):
    bob = users.create(database, "bob", "correct horse", ADMIN)
    mine = sessions.begin(database, ada, Kind.PANEL, BROWSER)
    other = sessions.begin(database, ada, Kind.API, BROWSER)
    assert not sessions.end(database, bob, mine.id, Actor("bob"))
    assert sessions.end(database, ada, mine.id, Actor("ada"))
    assert not sessions.end(database, ada, mine.id, Actor("ada"))
    assert sessions.look(database, mine.key) is None
    assert sessions.look(database, other.key) is not None
    assert rows(database, AuditLog)[-1].action == "session.end"


def test_all_others_are_ended_at_once(database, ada):
    bob = users.create(database, "bob", "correct horse", ADMIN)
    theirs = sessions.begin(database, bob, Kind.PANEL, BROWSER)
    begun = [sessions.begin(database, ada, Kind.PANEL, BROWSER) for _ in range(3)]
    assert sessions.end_others(database, ada, begun[1].id, Actor("ada")) == 2
    alive = [sessions.look(database, one.key) is not None for one in begun]
    assert alive == [False, True, False]
    assert sessions.look(database, theirs.key) is not None


def test_the_longest_unused_one_makes_room(database, ada):
    begun = [sessions.begin(database, ada, Kind.PANEL, BROWSER) for _ in range(MOST)]
    with database.write() as connection:
        old = now_of(database) - timedelta(minutes=5)
        mine = SessionRow.id == begun[7].id
        connection.execute(update(SessionRow).where(mine).values(last_seen_at=old))
    sessions.begin(database, ada, Kind.PANEL, BROWSER)
    assert len(rows(database, SessionRow)) == MOST
    assert sessions.look(database, begun[7].key) is None
    assert sessions.look(database, begun[0].key) is not None


def test_a_key_is_exchanged_once(database, ada):
    begun = sessions.begin(database, ada, Kind.API, BROWSER)
    renewed = sessions.renew(database, begun.key, BROWSER)
    assert renewed is not None
    seen, key = renewed
    assert seen.id == begun.id
    assert sessions.look(database, begun.key) is None
    assert sessions.look(database, key) is not None
    assert sessions.renew(database, "unknown", BROWSER) is None


def test_a_key_that_is_exchanged_twice_was_stolen_and_ends_the_session(database, ada):
    begun = sessions.begin(database, ada, Kind.API, BROWSER)
    renewed = sessions.renew(database, begun.key, BROWSER)
    assert renewed is not None
    assert sessions.renew(database, begun.key, Client("198.51.100.1")) is None
    assert sessions.look(database, renewed[1]) is None
    line = rows(database, AuditLog)[-1]
    assert (line.action, line.address) == ("session.reused", "198.51.100.1")


def test_of_two_who_exchange_a_key_at_once_at_most_one_gets_in(database, ada):
    begun = sessions.begin(database, ada, Kind.API, BROWSER)
    answers = at_once(*[(lambda: sessions.renew(database, begun.key, BROWSER))] * 2)
    assert sum(answer is not None for answer in answers) <= 1


def test_what_has_expired_is_thrown_away(database, ada):
    sessions.begin(database, ada, Kind.API, BROWSER)
    shift(database, expires_at=-timedelta(seconds=1))
    sessions.begin(database, ada, Kind.API, BROWSER)
    assert sessions.purge(database) == 1
    assert len(rows(database, SessionRow)) == 1
