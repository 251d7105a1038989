"""Logging in, the same for panel and API: limits, password, second factor, and who it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from gocron.core.sealing import Seal
from gocron.db import audit, login_limits, second_factor, users
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.users import Account, Proved
from gocron.errors import Unsealed
from gocron.sayings import said, say

log = logging.getLogger("gocron.logins")

WRONG = say("this name and password do not fit together")
"""Whatever the reason: unknown, wrong, disabled or locked. Nobody learns which names exist."""

WRONG_CODE = say(
    "this code is wrong or was used before; a code of your app, or one of your recovery codes, "
    "is needed"
)
TOO_MANY = say("too many wrong passwords from this address")


@dataclass(frozen=True)
class Refused:
    """Nobody was logged in. ``wait``: the address has to wait so long first."""

    words: str
    wait: timedelta | None = None


@dataclass(frozen=True)
class CodeNeeded:
    """The password was right; a code of the second factor has to follow."""

    account: Account


def log_in(
    database: Database, seal: Seal, username: str, password: str, address: str, code: str = ""
) -> Account | CodeNeeded | Refused:
    """Who this is, or why not. Whether there is a second factor learns only who knows the
    password; wrong codes count like wrong passwords."""
    wait = login_limits.admit(database, address)
    if wait is not None:
        return Refused(TOO_MANY, wait)
    proved = users.prove(database, username, password)
    if proved is None:
        return Refused(WRONG)
    if proved.has_second and not code:
        users.take_back(database, proved)
        login_limits.forgive(database, address)
        return CodeNeeded(proved.account)
    return _finish(database, seal, proved, address, code)


def go_on(
    database: Database, seal: Seal, user_id: int, token_version: int, address: str, code: str
) -> Account | Refused:
    """The second half of a login whose password was right a moment ago."""
    wait = login_limits.admit(database, address)
    if wait is not None:
        return Refused(TOO_MANY, wait)
    proved = users.prove_again(database, user_id, token_version)
    if proved is None:
        return Refused(WRONG_CODE)
    return _finish(database, seal, proved, address, code)


def _finish(
    database: Database, seal: Seal, proved: Proved, address: str, code: str
) -> Account | Refused:
    try:
        if proved.has_second and not second_factor.check(database, seal, proved.account.id, code):
            return Refused(WRONG_CODE)
    except Unsealed as error:
        log.error("no code of %r can be checked: %s", proved.account.username, error)
        return Refused(said(error))
    users.welcome(database, proved.account.id)
    login_limits.forgive(database, address)
    return proved.account


def record(database: Database, account: Account, actor: Actor) -> None:
    """In the audit log."""
    database.transact(
        lambda connection: audit.record(
            connection, database.dialect, actor, "user.login", account.username
        )
    )
