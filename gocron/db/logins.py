"""Logging in, the same for panel and API: limits, password, and who it is then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gocron.db import audit, login_limits, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.users import Account
from gocron.sayings import say

WRONG = say("this name and password do not fit together")
"""Whatever the reason: unknown, wrong, disabled or locked. Nobody learns which names exist."""


@dataclass(frozen=True)
class Refused:
    """Nobody was logged in. ``wait``: the address has to wait so long first."""

    words: str
    wait: timedelta | None = None


def log_in(database: Database, username: str, password: str, address: str) -> Account | Refused:
    """Who this is, or why not."""
    wait = login_limits.admit(database, address)
    if wait is not None:
        return Refused(say("too many wrong passwords from this address"), wait)
    account = users.authenticate(database, username, password)
    if account is None:
        return Refused(WRONG)
    login_limits.forgive(database, address)
    return account


def record(database: Database, account: Account, actor: Actor) -> None:
    """In the audit log."""
    database.transact(
        lambda connection: audit.record(
            connection, database.dialect, actor, "user.login", account.username
        )
    )
