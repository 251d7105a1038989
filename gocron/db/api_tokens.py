"""Tokens with which programs use the API: made, looked at with every request, revoked.

A token begins with ``gct_`` so that scanners of source code know it. It is shown once and stored
as its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from gocron.allowed import found
from gocron.core.access import Scope
from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.dialects import storable
from gocron.db.engine import Database
from gocron.db.models import ApiToken, User
from gocron.db.types import UtcDateTime
from gocron.db.users import ACCOUNT, Account, account_of
from gocron.errors import Conflict, InvalidTask, NotFound
from gocron.sayings import say

PREFIX = "gct_"
SEEN_EVERY = timedelta(minutes=1)
LONGEST_DAYS = 3650
MOST = 100
"""Of a user."""


@dataclass(frozen=True)
class Wanted:
    """A token to be made. ``days`` until it expires, None: never. ``tag`` "": all tasks."""

    name: str
    scope: Scope
    days: int | None
    tag: str = ""


@dataclass(frozen=True)
class Made:
    """``token`` is for the client, and is not seen again."""

    id: int
    token: str


@dataclass(frozen=True)
class TokenFacts:
    """As its owner and administrators see it."""

    id: int
    user_id: int
    username: str
    name: str
    hint: str
    scope: str
    tag: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str


@dataclass(frozen=True)
class Shown:
    """A token that is in force, and in whose name."""

    id: int
    account: Account
    scope: Scope
    tag: str


def create(database: Database, user_id: int, wanted: Wanted, actor: Actor) -> Made:
    """Raises ``InvalidTask`` (with the field), ``Conflict`` and ``NotFound``."""
    name = _checked(wanted)
    token = PREFIX + secrets.token_urlsafe(32)

    def work(connection: Connection) -> int:
        user = connection.execute(
            select(User.username).where(User.id == user_id).with_for_update()
        ).one_or_none()
        if user is None:
            raise NotFound(say("there is no user %(user_id)s (any more)", user_id=user_id))
        theirs = select(ApiToken.name).where(ApiToken.user_id == user_id)
        names = set(connection.execute(theirs).scalars())
        if name in names:
            raise _taken(name)
        if len(names) >= MOST:
            raise Conflict(say("there are %(most)s tokens already: revoke one first", most=MOST))
        now = database.dialect.now(connection)
        key = connection.execute(
            insert(ApiToken).values(
                user_id=user_id,
                name=name,
                token_hash=_hashed(token),
                hint=token[: len(PREFIX) + 6],
                scope=wanted.scope,
                tag=wanted.tag,
                created_at=now,
                expires_at=None if wanted.days is None else now + timedelta(days=wanted.days),
                last_used_from="",
            )
        ).inserted_primary_key
        assert key is not None
        detail: dict[str, object] = {"token": name, "scope": str(wanted.scope), "tag": wanted.tag}
        audit.record(connection, database.dialect, actor, "token.create", user.username, detail)
        return int(key[0])

    try:
        return Made(database.transact(work), token)
    except IntegrityError as error:
        raise _taken(name) from error


def _taken(name: str) -> Conflict:
    return Conflict(say("there is already a token %(name)s", name=repr(name)))


def _checked(wanted: Wanted) -> str:
    name = wanted.name.strip()
    if not 1 <= len(name) <= 64 or storable(name) != name or not name.isprintable():
        raise InvalidTask("name", say("1 to 64 characters"))
    if len(wanted.tag) > 64 or storable(wanted.tag) != wanted.tag or not wanted.tag.isprintable():
        raise InvalidTask("tag", say("at most 64 characters on one line"))
    if wanted.days is not None and not 1 <= wanted.days <= LONGEST_DAYS:
        raise InvalidTask(
            "days",
            say(
                "must be a number of days from 1 to %(most)s, found %(found)s",
                most=LONGEST_DAYS,
                found=found(wanted.days),
            ),
        )
    return name


def look(database: Database, token: str, address: str) -> Shown | None:
    """Who shows ``token``; None if it is unknown or expired, or its user may not log in."""
    now = literal_column(database.dialect.clock, UtcDateTime())
    with database.read() as connection:
        row = connection.execute(
            select(ApiToken.id.label("token_id"), ApiToken.scope, ApiToken.tag.label("only_tag"))
            .add_columns(ApiToken.expires_at, ApiToken.last_used_at, now.label("now"), *ACCOUNT)
            .join(User, User.id == ApiToken.user_id)
            .where(ApiToken.token_hash == _hashed(token), User.enabled)
        ).one_or_none()
    if row is None:
        return None
    account = account_of(row)
    if account is None or (row.expires_at is not None and row.expires_at <= row.now):
        return None
    if row.last_used_at is None or row.now - row.last_used_at >= SEEN_EVERY:
        _note_use(database, row.token_id, address)
    return Shown(row.token_id, account, Scope(row.scope), row.only_tag)


def _note_use(database: Database, token_id: int, address: str) -> None:
    def work(connection: Connection) -> None:
        values = {
            "last_used_at": database.dialect.now(connection),
            "last_used_from": address[:64],
        }
        connection.execute(update(ApiToken).where(ApiToken.id == token_id).values(**values))

    database.transact(work)


def listing(database: Database, user_id: int | None = None) -> list[TokenFacts]:
    """Those of a user, or all, by user and name."""
    wanted = (
        select(
            ApiToken.id,
            ApiToken.user_id,
            User.username,
            ApiToken.name,
            ApiToken.hint,
            ApiToken.scope,
            ApiToken.tag,
            ApiToken.created_at,
            ApiToken.expires_at,
            ApiToken.last_used_at,
            ApiToken.last_used_from,
        )
        .join(User, User.id == ApiToken.user_id)
        .order_by(User.username, ApiToken.name)
    )
    if user_id is not None:
        wanted = wanted.where(ApiToken.user_id == user_id)
    with database.read() as connection:
        return [TokenFacts(*row) for row in connection.execute(wanted)]


def revoke(database: Database, token_id: int, actor: Actor, user_id: int | None = None) -> str:
    """End a token at once, of ``user_id`` or of anybody; its name. Raises ``NotFound``."""

    def work(connection: Connection) -> str:
        wanted = (
            select(ApiToken.name, ApiToken.user_id, User.username)
            .outerjoin(User, User.id == ApiToken.user_id)
            .where(ApiToken.id == token_id)
        )
        row = connection.execute(wanted).one_or_none()
        if row is None or user_id not in (None, row.user_id):
            raise NotFound(say("there is no token %(token_id)s (any more)", token_id=token_id))
        connection.execute(delete(ApiToken).where(ApiToken.id == token_id))
        detail: dict[str, object] = {"token": row.name}
        audit.record(
            connection, database.dialect, actor, "token.revoke", row.username or "", detail
        )
        return str(row.name)

    return database.transact(work)


def _hashed(token: str) -> str:
    """Tokens are drawn from 256 bits: nothing is gained by making this slow."""
    return hashlib.sha256(token.encode()).hexdigest()
