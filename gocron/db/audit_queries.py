"""Reading the audit log: newest first, page by page, narrowed by who, what, on what and when.

The place in the list is the id of the last line seen. Every filter has an index that leads with it,
and a time is turned into an id first, so a page costs about the same in a log of any length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Select, false, select

from gocron.db.engine import Database
from gocron.db.models import AuditLog

SLACK = 1000
"""Lines that may be out of order by time: ids are given out before their transactions end."""

EXPORT_PAGE = 1000


@dataclass(frozen=True)
class AuditLine:
    """Who did what to what, from where; ``detail`` as it was recorded."""

    id: int
    at: datetime
    actor: str
    address: str
    node_name: str
    action: str
    target: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class AuditFilter:
    """Which lines; "" and None mean all. From ``since`` on, and before ``until``; aware."""

    actor: str = ""
    action: str = ""
    target: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class AuditPage:
    """A page; ``older`` is the id that the next one begins after, None at the end."""

    lines: tuple[AuditLine, ...]
    older: int | None


_COLUMNS = (
    AuditLog.id,
    AuditLog.at,
    AuditLog.actor,
    AuditLog.address,
    AuditLog.node_name,
    AuditLog.action,
    AuditLog.target,
    AuditLog.detail,
)


def page(
    database: Database, wanted: AuditFilter, limit: int, before: int | None = None
) -> AuditPage:
    """At most ``limit`` lines after the one with the id ``before``."""
    with database.read() as connection:
        statement = _matching(connection, wanted)
        if before is not None:
            statement = statement.where(AuditLog.id < before)
        rows = connection.execute(statement.order_by(AuditLog.id.desc()).limit(limit + 1)).all()
    found = tuple(AuditLine(*row) for row in rows[:limit])
    return AuditPage(found, found[-1].id if len(rows) > limit else None)


def each(database: Database, wanted: AuditFilter) -> Iterator[AuditLine]:
    """All lines that fit, newest first; no transaction is held between pages."""
    before: int | None = None
    while True:
        found = page(database, wanted, EXPORT_PAGE, before)
        yield from found.lines
        if found.older is None:
            return
        before = found.older


def _matching(connection: Connection, wanted: AuditFilter) -> Select[Any]:
    statement = cast("Select[Any]", select(*_COLUMNS))
    for column, value in (
        (AuditLog.actor, wanted.actor),
        (AuditLog.action, wanted.action),
        (AuditLog.target, wanted.target),
    ):
        if value:
            statement = statement.where(column == value)
    if wanted.since is not None:
        first = connection.execute(
            select(AuditLog.id).where(AuditLog.at >= wanted.since).order_by(AuditLog.at).limit(1)
        ).scalar_one_or_none()
        in_time = AuditLog.id >= first - SLACK if first is not None else false()
        statement = statement.where(AuditLog.at >= wanted.since, in_time)
    if wanted.until is not None:
        last = connection.execute(
            select(AuditLog.id)
            .where(AuditLog.at < wanted.until)
            .order_by(AuditLog.at.desc())
            .limit(1)
        ).scalar_one_or_none()
        in_time = AuditLog.id <= last + SLACK if last is not None else false()
        statement = statement.where(AuditLog.at < wanted.until, in_time)
    return statement
