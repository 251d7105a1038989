"""How often an address may guess passwords. What is counted per account is in ``users``.

Counted in the database, so that guesses spread over nodes are counted together, and before a
password is looked at, so that parallel ones are too. IPv6 addresses count by their /64: whoever
has one has all of them.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, text, update

from gocron.db.engine import Database
from gocron.db.models import LoginAttempts
from gocron.db.naming import table

WINDOW = timedelta(minutes=10)

TRIES = 50
"""Of one address within ``WINDOW``: a whole office may sit behind it."""


def admit(database: Database, address: str) -> timedelta | None:
    """Count a try; None if the password may be looked at, else how long to wait."""
    source = source_of(address)
    attempts = table("login_attempts")

    def work(connection: Connection) -> timedelta | None:
        dialect = database.dialect
        now = dialect.now(connection)
        connection.execute(
            text(
                f"INSERT INTO {attempts} (address, failures, began_at) "
                f"VALUES (:source, 0, :now){dialect.ignore_conflicts(attempts, 'address')}"
            ),
            {"source": source, "now": dialect.time(now)},
        )
        mine = LoginAttempts.address == source
        row = connection.execute(
            select(LoginAttempts.failures, LoginAttempts.began_at).where(mine).with_for_update()
        ).one()
        failures: int = row.failures
        began: datetime = row.began_at
        if now - began >= WINDOW:
            failures, began = 0, now
        if failures >= TRIES:
            return began + WINDOW - now
        values = {"failures": failures + 1, "began_at": began}
        connection.execute(update(LoginAttempts).where(mine).values(**values))
        return None

    return database.transact(work)


def forgive(database: Database, address: str) -> None:
    """Take one try back: the password was right."""
    mine = LoginAttempts.address == source_of(address)

    def work(connection: Connection) -> None:
        less = {"failures": LoginAttempts.failures - 1}
        connection.execute(
            update(LoginAttempts).where(mine, LoginAttempts.failures > 0).values(less)
        )

    database.transact(work)


def purge(database: Database) -> int:
    """Forget addresses that have not tried for long; how many."""

    def work(connection: Connection) -> int:
        before = database.dialect.now(connection) - WINDOW
        old = delete(LoginAttempts).where(LoginAttempts.began_at < before)
        return connection.execute(old).rowcount

    return database.transact(work)


def source_of(address: str) -> str:
    """What counts as one: an IPv4 address, the /64 of an IPv6 address, or the text itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
