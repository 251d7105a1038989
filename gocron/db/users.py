"""Who may use the panel. Passwords are stored as argon2id hashes and checked in constant time
for known and unknown names alike."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from gocron.allowed import found
from gocron.core.access import Access, Role
from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.dialects import Dialect, storable
from gocron.db.engine import Database
from gocron.db.models import Session, User
from gocron.db.naming import table
from gocron.errors import Conflict, InvalidTask, NotFound
from gocron.sayings import say

SHORTEST_PASSWORD = 8
EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
TRIES = 5
MOST_TAGS = 100
LOCKED_FOR = timedelta(minutes=10)
AT_A_TIME = threading.BoundedSemaphore(2)
"""A check takes 64 MiB: never more than two at once in a process."""

_hasher = PasswordHasher()


@dataclass(frozen=True)
class Account:
    """A user as panel and API need it on every request. ``language`` as in ``app.lang``; empty:
    whatever the browser asks for. ``tags``: those whose tasks an operator may change."""

    id: int
    username: str
    role: Role
    token_version: int
    language: str = ""
    tags: frozenset[str] = frozenset()

    @property
    def access(self) -> Access:
        """What they may do in person."""
        return Access(self.role, self.tags)


ACCOUNT = (
    User.id,
    User.username,
    User.role,
    User.token_version,
    User.language,
    User.tags,
)
"""What ``account_of`` needs."""


def account_of(row: Any) -> Account | None:
    """The account in a row with ``ACCOUNT``; None if its role is one of a version to come."""
    try:
        role = Role(row.role)
    except ValueError:
        return None
    tags = frozenset(row.tags)
    return Account(row.id, row.username, role, row.token_version, row.language, tags)


def create(
    database: Database,
    username: str,
    password: str,
    actor: Actor,
    *,
    email: str = "",
    role: Role = Role.ADMIN,
    tags: Iterable[str] = (),
) -> int:
    """A new user; raises ``InvalidTask`` (with the field) or ``Conflict``."""
    username, hashed = _checked(username, password)
    more = {"email": checked_email(email), "role": role, "tags": checked_tags(tags)}

    def work(connection: Connection) -> int:
        if connection.execute(select(User.id).where(User.username == username)).first():
            raise Conflict(say("there is already a user %(username)s", username=repr(username)))
        return _insert(connection, database.dialect, username, hashed, more, actor)

    try:
        return database.transact(work)
    except IntegrityError as error:  # another node inserted the name between look and insert
        raise Conflict(
            say("there is already a user %(username)s", username=repr(username))
        ) from error


def create_first(database: Database, username: str, password: str, email: str = "") -> bool:
    """The first administrator, only if there is no user at all yet; whether it was created."""
    if count(database):
        return False
    dialect = database.dialect
    username, hashed = _checked(username, password)
    more = {"email": email, "role": Role.ADMIN}

    def work(connection: Connection) -> bool:
        wait_for_turn(connection, dialect)
        if connection.execute(select(User.id).limit(1)).first():
            return False  # another node was quicker
        _insert(connection, dialect, username, hashed, more, Actor("first start"))
        return True

    return database.transact(work)


def _checked(username: str, password: str) -> tuple[str, str]:
    """The name as it is stored, and the hash; raises ``InvalidTask``."""
    username = username.strip()
    if not 1 <= len(username) <= 64 or storable(username) != username:
        raise InvalidTask("username", say("1 to 64 characters"))
    if not username.isprintable():
        raise InvalidTask("username", say("at most 64 characters on one line"))
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidTask("password", say("at least %(least)s characters", least=SHORTEST_PASSWORD))
    return username, _hash(password)


def checked_email(email: str) -> str:
    """As it is stored; raises ``InvalidTask``."""
    email = email.strip()
    if email and (len(email) > 254 or not EMAIL.fullmatch(email)):
        raise InvalidTask(
            "email",
            say("must be an address such as ada@example.org, found %(found)s", found=found(email)),
        )
    return email


def checked_tags(tags: Iterable[str]) -> list[str]:
    """As they are stored; raises ``InvalidTask``."""
    wanted = sorted({tag.strip() for tag in tags} - {""})
    for tag in wanted:
        if len(tag) > 64 or not tag.isprintable() or storable(tag) != tag:
            raise InvalidTask("tags", say("at most 64 characters on one line"))
    if len(wanted) > MOST_TAGS:
        raise InvalidTask("tags", say("at most %(most)s", most=MOST_TAGS))
    return wanted


def wait_for_turn(connection: Connection, dialect: Dialect) -> None:
    """Nodes that start at once look for users one after another, each to the end of its
    transaction: all of them lock the same row, which has no other meaning."""
    setting, name = table("setting"), {"name": "first_user"}
    connection.execute(
        text(
            f"INSERT INTO {setting} (name, value) VALUES (:name, '')"
            f"{dialect.ignore_conflicts(setting, 'name')}"
        ),
        name,
    )
    connection.execute(
        text(f"SELECT value FROM {setting} WHERE name = :name{dialect.for_update}"), name
    )


def _insert(
    connection: Connection,
    dialect: Dialect,
    username: str,
    hashed: str,
    more: Mapping[str, object],
    actor: Actor,
) -> int:
    now = dialect.now(connection)
    values = {"username": username, "password_hash": hashed, "created_at": now, **more}
    key = connection.execute(insert(User).values(**values)).inserted_primary_key
    assert key is not None
    audit.record(connection, dialect, actor, "user.create", username, dict(more))
    return int(key[0])


def count(database: Database) -> int:
    """How many users there are."""
    with database.read() as connection:
        return int(connection.execute(select(func.count(User.id))).scalar_one())


def set_password(database: Database, username: str, password: str, actor: Actor) -> None:
    """A new password; ends all sessions and lifts a lock. Raises ``NotFound``/``InvalidTask``."""
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidTask("password", say("at least %(least)s characters", least=SHORTEST_PASSWORD))
    hashed = _hash(password)

    def work(connection: Connection) -> None:
        user_id = connection.execute(
            select(User.id).where(User.username == username).with_for_update()
        ).scalar_one_or_none()
        if user_id is None:
            raise NotFound(say("there is no user %(username)s", username=repr(username)))
        connection.execute(
            update(User)
            .where(User.id == user_id)
            .values(
                password_hash=hashed,
                token_version=User.token_version + 1,
                failed_logins=0,
                locked_until=None,
            )
        )
        forget_sessions(connection, user_id)
        audit.record(connection, database.dialect, actor, "user.password", username)

    database.transact(work)


def authenticate(database: Database, username: str, password: str) -> Account | None:
    """The account behind a name and a password, or None: unknown, wrong, disabled, locked. A second
    factor is not asked for (``logins`` does)."""
    proved = prove(database, username, password)
    if proved is None:
        return None
    welcome(database, proved.account.id)
    return proved.account


@dataclass(frozen=True)
class Proved:
    """Somebody whose password was right. Their try still counts as a failure, until ``welcome`` or
    ``take_back``; ``locked_until`` if it locked the account. ``has_second``: a second factor."""

    account: Account
    has_second: bool
    locked_until: datetime | None


def prove(database: Database, username: str, password: str) -> Proved | None:
    """Who this is by their password, or None: unknown, wrong, disabled, locked.

    ``TRIES`` wrong passwords lock an account for ten minutes, on all nodes: a try is counted in
    the database before the password is looked at, so that parallel guesses count too.
    """
    named = User.username == storable(username)
    row, locked = database.transact(lambda connection: _admit(connection, database.dialect, named))
    if row is None:
        _hash(password)  # as long as a look at one: nobody learns from it which names there are
        return None
    if not _verify(row.password_hash, password) or not row.enabled:
        return None
    if _hasher.check_needs_rehash(row.password_hash):
        stronger = {"password_hash": _hash(password)}
        database.transact(
            lambda connection: connection.execute(
                update(User).where(User.id == row.id).values(**stronger)
            )
        )
    return _proved(row, locked)


def prove_again(database: Database, user_id: int, token_version: int) -> Proved | None:
    """Whose password was right a moment ago, for another try with a code. It is counted too; None
    if nothing may be tried any more."""
    same = and_(User.id == user_id, User.token_version == token_version, User.enabled)
    row, locked = database.transact(lambda connection: _admit(connection, database.dialect, same))
    return None if row is None else _proved(row, locked)


def _proved(row: Row[Any], locked: datetime | None) -> Proved | None:
    account = account_of(row)
    return None if account is None else Proved(account, row.totp_since is not None, locked)


def welcome(database: Database, user_id: int) -> None:
    """Somebody was let in: what failed before is forgotten."""

    def work(connection: Connection) -> None:
        now = database.dialect.now(connection)
        values = {"last_login_at": now, "failed_logins": 0, "locked_until": None}
        connection.execute(update(User).where(User.id == user_id).values(**values))

    database.transact(work)


def take_back(database: Database, proved: Proved) -> None:
    """The password was right, and nothing else has been tried: this was no failure."""
    changed = update(User).where(User.id == proved.account.id)
    if proved.locked_until is None:
        less = {"failed_logins": User.failed_logins - 1}
        changed = changed.where(User.failed_logins > 0).values(less)
    else:
        as_before = {"failed_logins": TRIES - 1, "locked_until": None}
        changed = changed.where(User.locked_until == proved.locked_until).values(**as_before)
    database.transact(lambda connection: connection.execute(changed))


def _admit(
    connection: Connection, dialect: Dialect, wanted: ColumnElement[bool]
) -> tuple[Row[Any] | None, datetime | None]:
    """The user whose password may be looked at; None if there is none, or the account is locked.
    The try is counted as a failure; until when that locks the account, if it does."""
    row: Any = connection.execute(
        select(*ACCOUNT, User.enabled, User.password_hash, User.failed_logins, User.locked_until)
        .add_columns(User.totp_since)
        .where(wanted)
        .with_for_update()
    ).one_or_none()
    now = dialect.now(connection)
    if row is None or (row.locked_until is not None and row.locked_until > now):
        return None, None
    tries = row.failed_logins + 1
    counted: dict[str, object] = {"failed_logins": tries, "locked_until": None}
    locked = now + LOCKED_FOR if tries >= TRIES else None
    if locked is not None:
        counted = {"failed_logins": 0, "locked_until": locked}
    connection.execute(update(User).where(User.id == row.id).values(**counted))
    admitted: Row[Any] = row
    return admitted, locked


def find(database: Database, user_id: int) -> Account | None:
    """The account with this id; None if it is gone or disabled."""
    with database.read() as connection:
        wanted = select(*ACCOUNT).where(User.id == user_id, User.enabled)
        row = connection.execute(wanted).one_or_none()
    return None if row is None else account_of(row)


def set_language(database: Database, user_id: int, language: str) -> None:
    """Which language somebody wants to read."""
    database.transact(
        lambda connection: connection.execute(
            update(User).where(User.id == user_id).values(language=language)
        )
    )


def forget_sessions(connection: Connection, user_id: int) -> None:
    """In the transaction that takes away the reason for them."""
    connection.execute(delete(Session).where(Session.user_id == user_id))


def _hash(password: str) -> str:
    with AT_A_TIME:
        return _hasher.hash(password)


def _verify(hashed: str, password: str) -> bool:
    with AT_A_TIME:
        try:
            return _hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False
