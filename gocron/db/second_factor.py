"""The second factor of a user: a secret shared with an app, and recovery codes.

::

    none --begin--> waiting, for ten minutes --confirm--> in force --disable, reset--> none

The secret is stored sealed for its user. A code is taken once: the step it belongs to has to be
later than that of the last one, which is compared and set in one statement, so that of two nodes
that are shown the same code one takes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from gocron.core import one_time_codes
from gocron.core.sealing import Seal
from gocron.db import audit, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import RecoveryCode, Session, User
from gocron.errors import Conflict, InvalidTask, NotFound
from gocron.sayings import say

WAITS = timedelta(minutes=10)
"""For the code that confirms a setup."""


@dataclass(frozen=True)
class State:
    """``since`` is None unless the factor is in force; ``recovery_codes`` are those left."""

    since: Any
    recovery_codes: int


def state(database: Database, user_id: int) -> State:
    """How it stands with a user. Raises ``NotFound``."""
    with database.read() as connection:
        row = _row(connection, user_id)
        mine = select(func.count()).where(RecoveryCode.user_id == user_id)
        return State(row.totp_since, int(connection.execute(mine).scalar_one()))


def begin(database: Database, seal: Seal, user_id: int) -> str:
    """A new secret that waits to be confirmed, in place of one that was waiting. Raises
    ``Unsealed``, ``NotFound``, and ``Conflict`` while a factor is in force."""
    secret = one_time_codes.new_secret()
    sealed = seal.seal(secret, _context(user_id))

    def work(connection: Connection) -> None:
        if _row(connection, user_id, lock=True).totp_since is not None:
            raise Conflict(say("there is a second factor already: turn it off first"))
        now = database.dialect.now(connection)
        values = {"totp_secret": sealed, "totp_begun_at": now}
        connection.execute(update(User).where(User.id == user_id).values(**values))

    database.transact(work)
    return secret


def waiting(database: Database, seal: Seal, user_id: int) -> str | None:
    """The secret that waits to be confirmed, if one does. Raises ``Unsealed``, ``NotFound``."""
    with database.read() as connection:
        row = _row(connection, user_id)
        if not _is_waiting(row, database, connection):
            return None
    return seal.open(row.totp_secret, _context(user_id))


def confirm(
    database: Database, seal: Seal, user_id: int, code: str, session_id: int, actor: Actor
) -> list[str]:
    """Put the waiting secret in force, and end all sessions but one; recovery codes, which nobody
    sees again. Raises ``InvalidTask`` if the code is wrong, ``Conflict`` if nothing waits."""
    codes = one_time_codes.new_recovery_codes()

    def work(connection: Connection) -> None:
        row = _row(connection, user_id, lock=True)
        if not _is_waiting(row, database, connection):
            raise Conflict(say("no setup is waiting for a code (any more): begin anew"))
        secret = seal.open(row.totp_secret, _context(user_id))
        now = database.dialect.now(connection)
        step = one_time_codes.matching_step(secret, one_time_codes.plain(code), now)
        if step is None:
            raise InvalidTask("code", say("this is not the code that the app shows now"))
        values = {"totp_since": now, "totp_begun_at": None, "totp_step": step}
        connection.execute(update(User).where(User.id == user_id).values(**values))
        others = (Session.user_id == user_id, Session.id != session_id)
        connection.execute(delete(Session).where(*others))
        _store_codes(connection, user_id, codes)
        audit.record(connection, database.dialect, actor, "user.totp_enable", row.username)

    database.transact(work)
    return codes


def check(database: Database, seal: Seal, user_id: int, typed: str) -> bool:
    """Whether this is a code of the app or a recovery code; it is spent by that. Raises
    ``Unsealed`` for codes of the app."""
    code = one_time_codes.plain(typed)
    if one_time_codes.is_recovery(code):
        return _spend_recovery(database, user_id, code)
    return one_time_codes.is_of_app(code) and _spend(database, seal, user_id, code)


def _spend(database: Database, seal: Seal, user_id: int, code: str) -> bool:
    with database.read() as connection:
        row = _row(connection, user_id)
        now = database.dialect.now(connection)
    if row.totp_since is None:
        return False
    secret = seal.open(row.totp_secret, _context(user_id))
    step = one_time_codes.matching_step(secret, code, now)
    if step is None:
        return False

    def work(connection: Connection) -> bool:
        unspent = (User.totp_secret == row.totp_secret, User.totp_step < step)
        taken = update(User).where(User.id == user_id, *unspent).values(totp_step=step)
        return connection.execute(taken).rowcount == 1

    return database.transact(work)


def _spend_recovery(database: Database, user_id: int, code: str) -> bool:
    digest = one_time_codes.recovery_hash(user_id, code)

    def work(connection: Connection) -> bool:
        mine = (RecoveryCode.user_id == user_id, RecoveryCode.code_hash == digest)
        spent = connection.execute(delete(RecoveryCode).where(*mine)).rowcount == 1
        if spent:
            name = _row(connection, user_id).username
            who = Actor(name)
            audit.record(connection, database.dialect, who, "user.recovery_code", name)
        return spent

    return database.transact(work)


def new_recovery_codes(database: Database, user_id: int, actor: Actor) -> list[str]:
    """In place of those there are. Raises ``Conflict`` without a second factor."""
    codes = one_time_codes.new_recovery_codes()

    def work(connection: Connection) -> None:
        row = _row(connection, user_id, lock=True)
        if row.totp_since is None:
            raise Conflict(say("there is no second factor (any more)"))
        _store_codes(connection, user_id, codes)
        audit.record(connection, database.dialect, actor, "user.recovery_codes", row.username)

    database.transact(work)
    return codes


def disable(database: Database, user_id: int, actor: Actor) -> None:
    """Turn it off, for somebody who has just shown it. Raises ``NotFound``."""
    database.transact(lambda c: _forget(c, database, user_id, actor, "user.totp_disable"))


def reset(database: Database, user_id: int, actor: Actor) -> str:
    """Turn it off for somebody who has lost it, and log them out everywhere; the name. Raises
    ``NotFound``, and ``Conflict`` if it is one's own."""

    def work(connection: Connection) -> str:
        if _row(connection, user_id).username == actor.name:
            raise Conflict(say("this is your own second factor: turn it off in your profile"))
        users.forget_sessions(connection, user_id)
        return _forget(connection, database, user_id, actor, "user.totp_reset")

    return database.transact(work)


def _forget(
    connection: Connection, database: Database, user_id: int, actor: Actor, action: str
) -> str:
    row = _row(connection, user_id, lock=True)
    values = {"totp_secret": "", "totp_since": None, "totp_begun_at": None}
    connection.execute(update(User).where(User.id == user_id).values(**values))
    connection.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if row.totp_since is not None:
        audit.record(connection, database.dialect, actor, action, row.username)
    return str(row.username)


def _store_codes(connection: Connection, user_id: int, codes: list[str]) -> None:
    connection.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    hashes = [one_time_codes.recovery_hash(user_id, code) for code in codes]
    connection.execute(
        insert(RecoveryCode), [{"user_id": user_id, "code_hash": found} for found in hashes]
    )


def _row(connection: Connection, user_id: int, *, lock: bool = False) -> Any:
    wanted = select(User.username, User.totp_secret, User.totp_since, User.totp_begun_at).where(
        User.id == user_id
    )
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise NotFound(say("there is no user %(user_id)s (any more)", user_id=user_id))
    return row


def _is_waiting(row: Any, database: Database, connection: Connection) -> bool:
    if row.totp_since is not None or row.totp_begun_at is None:
        return False
    waited: timedelta = database.dialect.now(connection) - row.totp_begun_at
    return waited < WAITS


def _context(user_id: int) -> str:
    return f"second factor of user {user_id}"
