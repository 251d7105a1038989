"""Logins in force, in browsers and of programs: begun, looked at with every request, ended.

A session is known by a random key that only the client keeps; here is its hash. Whoever ends a
session, disables a user or changes a password deletes rows, so it holds on all nodes with their
next request.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, delete, insert, literal_column, select, update

from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.dialects import storable
from gocron.db.engine import Database
from gocron.db.models import Session, User
from gocron.db.types import UtcDateTime
from gocron.db.users import ACCOUNT, Account, account_of

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used."""


class Kind(StrEnum):
    """Who keeps the key."""

    PANEL = "panel"
    API = "api"


LASTS = {Kind.PANEL: timedelta(hours=12), Kind.API: timedelta(days=30)}
"""Since the last request."""

MOST = 50
"""Of a user; the one that was unused for longest makes room."""


@dataclass(frozen=True)
class Client:
    """From where somebody logged in, and with what."""

    address: str
    agent: str = ""


@dataclass(frozen=True)
class Begun:
    """``key`` is for the client, and is not seen again."""

    id: int
    key: str


@dataclass(frozen=True)
class Seen:
    """A session that is in force, and whose it is."""

    id: int
    account: Account


@dataclass(frozen=True)
class SessionFacts:
    """As its owner sees it."""

    id: int
    kind: str
    address: str
    agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


def begin(database: Database, user_id: int, kind: Kind, client: Client) -> Begun:
    """A new session of a user who has just proved who they are."""
    key = secrets.token_urlsafe(32)

    def work(connection: Connection) -> int:
        now = database.dialect.now(connection)
        unused = (
            select(Session.id)
            .where(Session.user_id == user_id)
            .order_by(Session.last_seen_at.desc(), Session.id.desc())
            .offset(MOST - 1)
        )
        surplus = list(connection.execute(unused.limit(MOST)).scalars())
        if surplus:
            connection.execute(delete(Session).where(Session.id.in_(surplus)))
        mine = select(User.token_version).where(User.id == user_id)
        inserted = connection.execute(
            insert(Session).values(
                user_id=user_id,
                token_version=mine.scalar_subquery(),
                kind=kind,
                key_hash=_hashed(key),
                address=client.address[:64],
                agent=(storable(client.agent) or "")[:200],
                created_at=now,
                last_seen_at=now,
                expires_at=now + LASTS[kind],
            )
        ).inserted_primary_key
        assert inserted is not None
        return int(inserted[0])

    return Begun(database.transact(work), key)


def look(database: Database, key: str) -> Seen | None:
    """The session that ``key`` opens; None if it has ended, or its user may not log in."""
    return _seen(database, Session.key_hash == _hashed(key))


def look_by_id(database: Database, session_id: int) -> Seen | None:
    """The same for whoever has shown otherwise that the session is theirs."""
    return _seen(database, Session.id == session_id)


def _seen(database: Database, condition: ColumnElement[bool]) -> Seen | None:
    now = literal_column(database.dialect.clock, UtcDateTime())
    with database.read() as connection:
        row = connection.execute(
            select(Session.id.label("session_id"), Session.kind, Session.last_seen_at)
            .add_columns(now.label("now"), *ACCOUNT)
            .join(User, User.id == Session.user_id)
            .where(condition, User.enabled, Session.expires_at > now)
            .where(Session.token_version == User.token_version)
        ).one_or_none()
    if row is None:
        return None
    if row.now - row.last_seen_at >= SEEN_EVERY:
        _prolong(database, row.session_id, Kind(row.kind))
    account = account_of(row)
    return None if account is None else Seen(row.session_id, account)


def _prolong(database: Database, session_id: int, kind: Kind) -> None:
    def work(connection: Connection) -> None:
        now = database.dialect.now(connection)
        values = {"last_seen_at": now, "expires_at": now + LASTS[kind]}
        connection.execute(update(Session).where(Session.id == session_id).values(**values))

    database.transact(work)


def renew(database: Database, key: str, client: Client) -> tuple[Seen, str] | None:
    """Exchange a key for a new one; None if it opens nothing. A key that has been exchanged before
    was stolen, from one or the other: its session ends."""
    new = secrets.token_urlsafe(32)

    def work(connection: Connection) -> None:
        now = database.dialect.now(connection)
        changed = connection.execute(
            update(Session)
            .where(Session.key_hash == _hashed(key), Session.expires_at > now)
            .values(
                key_hash=_hashed(new),
                spent_hash=_hashed(key),
                address=client.address[:64],
                last_seen_at=now,
                expires_at=now + LASTS[Kind.API],
            )
        ).rowcount
        if changed:
            return
        stolen = connection.execute(
            select(Session.id, User.username)
            .join(User, User.id == Session.user_id)
            .where(Session.spent_hash == _hashed(key))
        ).one_or_none()
        if stolen is not None:
            connection.execute(delete(Session).where(Session.id == stolen.id))
            who = Actor(stolen.username, client.address)
            audit.record(
                connection, database.dialect, who, "session.reused", stolen.username,
                {"session": stolen.id},
            )  # fmt: skip

    database.transact(work)
    seen = look(database, new)
    return None if seen is None else (seen, new)


def listing(database: Database, user_id: int) -> list[SessionFacts]:
    """Those of a user that are in force, the last used first."""
    with database.read() as connection:
        now = database.dialect.now(connection)
        rows = connection.execute(
            select(
                Session.id,
                Session.kind,
                Session.address,
                Session.agent,
                Session.created_at,
                Session.last_seen_at,
                Session.expires_at,
            )
            .join(User, User.id == Session.user_id)
            .where(Session.user_id == user_id, Session.expires_at > now)
            .where(Session.token_version == User.token_version)
            .order_by(Session.last_seen_at.desc(), Session.id.desc())
        ).all()
    return [SessionFacts(*row) for row in rows]


def end(database: Database, user_id: int, session_id: int, actor: Actor) -> bool:
    """End one session of a user; whether there was one."""

    def work(connection: Connection) -> bool:
        mine = (Session.id == session_id, Session.user_id == user_id)
        gone = connection.execute(delete(Session).where(*mine)).rowcount
        if gone:
            _record_end(connection, database, user_id, actor)
        return bool(gone)

    return database.transact(work)


def end_others(database: Database, user_id: int, session_id: int, actor: Actor) -> int:
    """End all sessions of a user but one; how many."""

    def work(connection: Connection) -> int:
        others = (Session.user_id == user_id, Session.id != session_id)
        gone = connection.execute(delete(Session).where(*others)).rowcount
        if gone:
            _record_end(connection, database, user_id, actor)
        return gone

    return database.transact(work)


def _record_end(connection: Connection, database: Database, user_id: int, actor: Actor) -> None:
    name = connection.execute(select(User.username).where(User.id == user_id)).scalar_one()
    audit.record(connection, database.dialect, actor, "session.end", name)


def purge(database: Database) -> int:
    """Throw away what has expired; how many."""

    def work(connection: Connection) -> int:
        now = database.dialect.now(connection)
        return connection.execute(delete(Session).where(Session.expires_at < now)).rowcount

    return database.transact(work)


def _hashed(key: str) -> str:
    """Keys are drawn from 256 bits: nothing is gained by making this slow."""
    return hashlib.sha256(key.encode()).hexdigest()
