"""Times in which nothing starts by itself: of the whole cluster, or of the tasks with a tag.

What falls due meanwhile follows each task's misfire policy afterwards. What somebody starts by hand
runs all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.models import Pause, Task
from gocron.db.names import one_line
from gocron.db.naming import table
from gocron.errors import InvalidTask
from gocron.sayings import say

LONGEST_TAG = 64
LONGEST_REASON = 256
LONGEST_PAUSE = timedelta(days=3660)

EVERYTHING = "everything"
"""How the audit log calls the tag ""."""


@dataclass(frozen=True)
class PauseFacts:
    """A pause; the ``tag`` "" means everything, ``until`` None until somebody resumes. One that is
    not ``in_force`` any more is still there to be read about."""

    tag: str
    reason: str
    until: datetime | None
    created_by: str
    created_at: datetime
    in_force: bool


def in_force(connection: Connection, dialect: Dialect) -> dict[str, str]:
    """Tag -> reason; the tag "" means everything."""
    found = connection.execute(
        text(
            f"SELECT tag, reason FROM {table('pause')} "
            f"WHERE until IS NULL OR until > {dialect.clock}"
        )
    )
    return {row.tag: row.reason for row in found}


def listing(database: Database) -> list[PauseFacts]:
    """All pauses, that of everything first, then by tag."""
    with database.read() as connection:
        now = database.dialect.now(connection)
        found = connection.execute(
            select(Pause.tag, Pause.reason, Pause.until, Pause.created_by, Pause.created_at)
        ).all()
    facts = (PauseFacts(*row, in_force=row.until is None or row.until > now) for row in found)
    return sorted(facts, key=lambda pause: pause.tag)


def concerned(database: Database, tag: str) -> int:
    """How many enabled tasks a pause of ``tag`` is about."""
    wanted = select(func.count(Task.id)).where(Task.enabled)
    with database.read() as connection:
        return connection.execute(wanted.where(Task.tag == tag) if tag else wanted).scalar_one()


def pause(database: Database, tag: str, reason: str, until: datetime | None, actor: Actor) -> None:
    """Begin a pause of the tasks with this ``tag``, of everything if it is "". One that is in force
    gets another reason and end. ``until`` is aware. Raises ``InvalidTask`` with the field at
    fault."""
    tag = one_line("tag", tag, LONGEST_TAG, needed=False)
    reason = one_line("reason", reason, LONGEST_REASON)
    if until is not None and until.utcoffset() is None:
        raise InvalidTask("until", say("%(until)s has no time zone", until=until))

    def work(connection: Connection) -> None:
        now = database.dialect.now(connection)
        _require_future(until, now)
        old = _lock(connection, tag)
        if old is not None and (old.until is None or old.until > now):
            values = {"reason": reason, "until": until}
            connection.execute(update(Pause).where(Pause.id == old.id).values(**values))
        else:
            if old is not None:
                connection.execute(delete(Pause).where(Pause.id == old.id))
            connection.execute(
                insert(Pause).values(
                    tag=tag,
                    reason=reason,
                    until=until,
                    created_by=actor.name[:64],
                    created_at=now,
                )
            )
        detail: dict[str, object] = {"reason": reason, "until": until and until.isoformat()}
        target = tag or EVERYTHING
        audit.record(connection, database.dialect, actor, "pause.begin", target, detail)

    try:
        database.transact(work)
    except IntegrityError:  # somebody has just begun the same one
        database.transact(work)


def resume(database: Database, tag: str, actor: Actor) -> bool:
    """End a pause; whether there was one in force."""
    tag = tag.strip()

    def work(connection: Connection) -> bool:
        old = _lock(connection, tag)
        if old is None:
            return False
        connection.execute(delete(Pause).where(Pause.id == old.id))
        if old.until is not None and old.until <= database.dialect.now(connection):
            return False
        audit.record(connection, database.dialect, actor, "pause.end", tag or EVERYTHING)
        return True

    return database.transact(work)


def _require_future(until: datetime | None, now: datetime) -> None:
    if until is None:
        return
    if until <= now:
        words = say(
            "must lie in the future: %(until)s is past, it is %(now)s",
            until=until.isoformat(),
            now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        raise InvalidTask("until", words)
    if until - now > LONGEST_PAUSE:
        problem = say(
            "must be at most %(days)s days away; leave it out for no end", days=LONGEST_PAUSE.days
        )
        raise InvalidTask("until", problem)


def _lock(connection: Connection, tag: str) -> Row[int, datetime | None] | None:
    wanted = select(Pause.id, Pause.until).where(Pause.tag == tag).with_for_update()
    return connection.execute(wanted).one_or_none()
