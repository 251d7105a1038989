"""Who may use the panel. Passwords are stored as argon2id hashes and checked in constant time
for known and unknown names alike."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
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
    """The account behind a name and a password, or None: unknown, wrong, disabled, locked.

    ``TRIES`` wrong passwords lock an account for ten minutes, on all nodes: a try is counted in
    the database before the password is looked at, so that parallel guesses count too.
    """
    row = database.transact(lambda connection: _admit(connection, database.dialect, username))
    if row is None:
        _hash(password)  # as long as a look at one: nobody learns from it which names there are
        return None
    if not _verify(row.password_hash, password) or not row.enabled:
        return None
    values: dict[str, object] = {"failed_logins": 0, "locked_until": None}
    if _hasher.check_needs_rehash(row.password_hash):
        values["password_hash"] = _hash(password)

    def work(connection: Connection) -> None:
        now = database.dialect.now(connection)
        connection.execute(
            update(User).where(User.id == row.id).values(last_login_at=now, **values)
        )

    database.transact(work)
    return account_of(row)


def _admit(connection: Connection, dialect: Dialect, username: str) -> Row[Any] | None:
    """The user whose password may be looked at; None if there is none, or the account is locked.
    The try is counted as a failure, which a success takes back."""
    row: Any = connection.execute(
        select(*ACCOUNT, User.enabled, User.password_hash, User.failed_logins, User.locked_until)
        .where(User.username == storable(username))
        .with_for_update()
    ).one_or_none()
    now = dialect.now(connection)
    if row is None or (row.locked_until is not None and row.locked_until > now):
        return None
    tries = row.failed_logins + 1
    counted: dict[str, object] = {"failed_logins": tries, "locked_until": None}
    if tries >= TRIES:
        counted = {"failed_logins": 0, "locked_until": now + LOCKED_FOR}
    connection.execute(update(User).where(User.id == row.id).values(**counted))
    admitted: Row[Any] = row
    return admitted


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


def end_sessions(database: Database, user_id: int) -> None:
    """Log a user out everywhere."""

    def work(connection: Connection) -> None:
        values = {"token_version": User.token_version + 1}
        connection.execute(update(User).where(User.id == user_id).values(**values))
        forget_sessions(connection, user_id)

    database.transact(work)


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
