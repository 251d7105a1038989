"""Who may use the panel. Passwords are stored as argon2id hashes and checked in constant time
for known and unknown names alike."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, func, insert, select, update

from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import User
from gocron.errors import Conflict, InvalidTask, NotFound

SHORTEST_PASSWORD = 8
TRIES = 5
LOCKED_FOR = timedelta(minutes=10)
AT_A_TIME = threading.BoundedSemaphore(2)
"""A check takes 64 MiB: never more than two at once in a process."""

_hasher = PasswordHasher()
_nobody = _hasher.hash("nobody has this password")


@dataclass(frozen=True)
class Account:
    """A user as the panel needs it on every request."""

    id: int
    username: str
    role: str
    enabled: bool
    token_version: int


def create(
    database: Database, username: str, password: str, actor: Actor, *, email: str = ""
) -> int:
    """A new administrator; raises ``InvalidTask`` (with the field) or ``Conflict``."""
    username = username.strip()
    if not 1 <= len(username) <= 64:
        raise InvalidTask("username", "1 to 64 characters")
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidTask("password", f"at least {SHORTEST_PASSWORD} characters")
    hashed = _hash(password)

    def work(connection: Connection) -> int:
        if connection.execute(select(User.id).where(User.username == username)).first():
            raise Conflict(f"there is already a user {username!r}")
        key = connection.execute(
            insert(User).values(
                username=username,
                email=email,
                password_hash=hashed,
                created_at=database.dialect.now(connection),
            )
        ).inserted_primary_key
        assert key is not None
        audit.record(connection, database.dialect, actor, "user.create", username)
        return int(key[0])

    return database.transact(work)


def create_first(database: Database, username: str, password: str, email: str = "") -> bool:
    """The first administrator, only if there is no user at all yet; whether it was created."""
    if count(database):
        return False
    try:
        create(database, username, password, Actor("first start"), email=email)
    except Conflict:  # another node was quicker
        return False
    return True


def count(database: Database) -> int:
    """How many users there are."""
    with database.read() as connection:
        return int(connection.execute(select(func.count(User.id))).scalar_one())


def set_password(database: Database, username: str, password: str, actor: Actor) -> None:
    """A new password; ends all sessions and lifts a lock. Raises ``NotFound``/``InvalidTask``."""
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidTask("password", f"at least {SHORTEST_PASSWORD} characters")
    hashed = _hash(password)

    def work(connection: Connection) -> None:
        changed = connection.execute(
            update(User)
            .where(User.username == username)
            .values(
                password_hash=hashed,
                token_version=User.token_version + 1,
                failed_logins=0,
                locked_until=None,
            )
        ).rowcount
        if not changed:
            raise NotFound(f"there is no user {username!r}")
        audit.record(connection, database.dialect, actor, "user.password", username)

    database.transact(work)


def authenticate(database: Database, username: str, password: str) -> Account | None:
    """The account behind a name and a password, or None: unknown, wrong, disabled, locked.

    ``TRIES`` wrong passwords lock an account for ten minutes, on all nodes: it is counted in the
    database, before the password is looked at, so that parallel guesses count too.
    """
    with database.read() as connection:
        now = database.dialect.now(connection)
        row = connection.execute(
            select(User.id, User.username, User.role, User.enabled, User.token_version)
            .add_columns(User.password_hash, User.locked_until)
            .where(User.username == username)
        ).one_or_none()
    locked = row is not None and row.locked_until is not None and row.locked_until > now
    right = _verify(row.password_hash if row is not None and not locked else _nobody, password)
    if row is None:
        return None
    if not right or locked or not row.enabled:
        if not locked:
            _count_failure(database, row.id)
        return None
    values: dict[str, object] = {"failed_logins": 0, "locked_until": None, "last_login_at": now}
    if _hasher.check_needs_rehash(row.password_hash):
        values["password_hash"] = _hash(password)
    database.transact(
        lambda connection: connection.execute(
            update(User).where(User.id == row.id).values(**values)
        )
    )
    return Account(row.id, row.username, row.role, True, row.token_version)


def _count_failure(database: Database, user_id: int) -> None:
    def work(connection: Connection) -> None:
        connection.execute(
            update(User).where(User.id == user_id).values(failed_logins=User.failed_logins + 1)
        )
        failed = connection.execute(
            select(User.failed_logins).where(User.id == user_id)
        ).scalar_one_or_none()
        if failed is not None and failed >= TRIES:
            until = database.dialect.now(connection) + LOCKED_FOR
            connection.execute(
                update(User).where(User.id == user_id).values(locked_until=until, failed_logins=0)
            )

    database.transact(work)


def find(database: Database, user_id: int) -> Account | None:
    """The account with this id; None if it is gone or disabled."""
    with database.read() as connection:
        row = connection.execute(
            select(User.id, User.username, User.role, User.enabled, User.token_version).where(
                User.id == user_id, User.enabled
            )
        ).one_or_none()
    return None if row is None else Account(*row)


def end_sessions(database: Database, user_id: int) -> None:
    """Log a user out everywhere."""
    database.transact(
        lambda connection: connection.execute(
            update(User).where(User.id == user_id).values(token_version=User.token_version + 1)
        )
    )


def _hash(password: str) -> str:
    with AT_A_TIME:
        return _hasher.hash(password)


def _verify(hashed: str, password: str) -> bool:
    with AT_A_TIME:
        try:
            return _hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False
