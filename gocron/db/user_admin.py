"""Administering the users: who there is, disabling, unlocking, removing.

Somebody who may administer always remains: every change that could take the last one away is made
one after another, on all nodes together (``users.wait_for_turn``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from gocron.core.access import Role
from gocron.db import audit, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import ApiToken, RecoveryCode, User
from gocron.errors import Conflict, NotFound
from gocron.sayings import say


@dataclass(frozen=True)
class UserFacts:
    """A user as an administrator sees it. ``locked_until`` is None unless that lies ahead."""

    id: int
    username: str
    email: str
    role: str
    enabled: bool
    language: str
    failed_logins: int
    locked_until: datetime | None
    created_at: datetime
    last_login_at: datetime | None
    tags: list[str]
    totp_since: datetime | None


_COLUMNS = (
    User.id,
    User.username,
    User.email,
    User.role,
    User.enabled,
    User.language,
    User.failed_logins,
    User.locked_until,
    User.created_at,
    User.last_login_at,
    User.tags,
    User.totp_since,
)


def listing(database: Database) -> list[UserFacts]:
    """All users, by name."""
    with database.read() as connection:
        now = database.dialect.now(connection)
        found = connection.execute(select(*_COLUMNS).order_by(User.username)).all()
    return [_facts(row, now) for row in found]


def show(database: Database, user_id: int) -> UserFacts:
    """One user; raises ``NotFound``."""
    with database.read() as connection:
        now = database.dialect.now(connection)
        row = connection.execute(select(*_COLUMNS).where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFound(say("there is no user %(user_id)s (any more)", user_id=user_id))
    return _facts(row, now)


def _facts(row: Any, now: datetime) -> UserFacts:
    facts = UserFacts(*row)
    locked = facts.locked_until is not None and facts.locked_until > now
    return facts if locked else replace(facts, locked_until=None)


def disable(database: Database, user_id: int, actor: Actor) -> str:
    """End somebody's access at once; the name. Raises ``NotFound``, and ``Conflict`` for oneself
    and for the last enabled administrator."""

    def work(connection: Connection) -> str:
        user = _lock_others_out(connection, database, user_id, actor)
        if user.enabled:
            values = {"enabled": False, "token_version": User.token_version + 1}
            connection.execute(update(User).where(User.id == user_id).values(**values))
            users.forget_sessions(connection, user_id)
            audit.record(connection, database.dialect, actor, "user.disable", user.username)
        return str(user.username)

    return database.transact(work)


def remove(database: Database, user_id: int, actor: Actor) -> str:
    """Delete somebody; the name. What they did stays in the audit log. Raises as ``disable``."""

    def work(connection: Connection) -> str:
        user = _lock_others_out(connection, database, user_id, actor)
        users.forget_sessions(connection, user_id)
        connection.execute(delete(ApiToken).where(ApiToken.user_id == user_id))
        connection.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        connection.execute(delete(User).where(User.id == user_id))
        audit.record(connection, database.dialect, actor, "user.delete", user.username)
        return str(user.username)

    return database.transact(work)


def enable(database: Database, user_id: int, actor: Actor) -> str:
    """Let somebody in again; the name. Sessions from before stay ended. Raises ``NotFound``."""

    def work(connection: Connection) -> str:
        user = _locked(connection, user_id)
        if not user.enabled:
            connection.execute(update(User).where(User.id == user_id).values(enabled=True))
            audit.record(connection, database.dialect, actor, "user.enable", user.username)
        return str(user.username)

    return database.transact(work)


def set_role(
    database: Database, user_id: int, role: Role, tags: Iterable[str], actor: Actor
) -> str:
    """What somebody may do from now on; the name. Raises ``InvalidTask``, ``NotFound``, and
    ``Conflict`` for oneself and for the last enabled administrator."""
    wanted = {"role": role, "tags": users.checked_tags(tags)}

    def work(connection: Connection) -> str:
        user = _lock_others_out(connection, database, user_id, actor)
        before = {"role": user.role, "tags": user.tags}
        if before != wanted:
            connection.execute(update(User).where(User.id == user_id).values(**wanted))
            detail: dict[str, object] = {"before": before, "after": wanted}
            audit.record(connection, database.dialect, actor, "user.role", user.username, detail)
        return str(user.username)

    return database.transact(work)


def unlock(database: Database, user_id: int, actor: Actor) -> str:
    """Forget somebody's wrong passwords; the name. Raises ``NotFound``."""

    def work(connection: Connection) -> str:
        user = _locked(connection, user_id)
        values: dict[str, object] = {"failed_logins": 0, "locked_until": None}
        connection.execute(update(User).where(User.id == user_id).values(**values))
        audit.record(connection, database.dialect, actor, "user.unlock", user.username)
        return str(user.username)

    return database.transact(work)


def set_email(database: Database, user_id: int, email: str, actor: Actor) -> None:
    """Where mail for somebody goes; "" for nowhere. Raises ``InvalidTask`` and ``NotFound``."""
    email = users.checked_email(email)

    def work(connection: Connection) -> None:
        user = _locked(connection, user_id)
        if user.email != email:
            connection.execute(update(User).where(User.id == user_id).values(email=email))
            detail: dict[str, object] = {"before": {"email": user.email}, "after": {"email": email}}
            audit.record(connection, database.dialect, actor, "user.email", user.username, detail)

    database.transact(work)


def _lock_others_out(connection: Connection, database: Database, user_id: int, actor: Actor) -> Any:
    """The user, whom nobody needs in order to administer."""
    users.wait_for_turn(connection, database.dialect)
    user = _locked(connection, user_id)
    if user.username == actor.name:
        raise Conflict(say("this is your own account: another administrator can do it"))
    if not user.enabled or user.role != Role.ADMIN:
        return user
    others = connection.execute(
        select(func.count(User.id)).where(User.enabled, User.role == Role.ADMIN, User.id != user_id)
    ).scalar_one()
    if not others:
        raise Conflict(
            say(
                "%(username)s is the last administrator who can log in",
                username=repr(user.username),
            )
        )
    return user


def _locked(connection: Connection, user_id: int) -> Any:
    found = connection.execute(
        select(User.id, User.username, User.email, User.enabled, User.role, User.tags)
        .where(User.id == user_id)
        .with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound(say("there is no user %(user_id)s (any more)", user_id=user_id))
    return found
