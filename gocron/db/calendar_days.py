"""Days of calendars as schedules need them; ``calendars`` has everything else about them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from sqlalchemy import Connection, select

from gocron.core.schedule import Calendars
from gocron.db.engine import Database
from gocron.db.models import Calendar


@lru_cache(maxsize=256)
def _days(text: str) -> frozenset[date]:
    """The same text gives the same object: timetables are found again by it."""
    return frozenset(date.fromisoformat(day) for day in json.loads(text))


def named(connection: Connection, names: Iterable[str]) -> Calendars:
    """Those of the calendars that exist, with their days."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    found = connection.execute(
        select(Calendar.name, Calendar.days).where(Calendar.name.in_(wanted))
    )
    return {row.name: _days(row.days) for row in found}


def everything(connection: Connection) -> Calendars:
    """All calendars, for who is about to save many tasks."""
    found = connection.execute(select(Calendar.name, Calendar.days))
    return {row.name: _days(row.days) for row in found}


class Shelf:
    """Calendars as a leader needs them, twice a second: days are read again only when they have
    changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int], frozenset[date]]] = {}

    def take(self, database: Database, names: Iterable[str]) -> Calendars:
        """As they are now; those that do not exist are missing."""
        wanted = sorted(set(names))
        if not wanted:
            return {}
        with database.read() as connection:
            stamps = {
                row.name: (row.id, row.revision)
                for row in connection.execute(
                    select(Calendar.name, Calendar.id, Calendar.revision).where(
                        Calendar.name.in_(wanted)
                    )
                )
            }
            stale = [name for name in stamps if self._known.get(name, (None,))[0] != stamps[name]]
            if stale:
                found = connection.execute(
                    select(Calendar.name, Calendar.id, Calendar.revision, Calendar.days).where(
                        Calendar.name.in_(stale)
                    )
                )
                for row in found:
                    self._known[row.name] = ((row.id, row.revision), _days(row.days))
        return {name: self._known[name][1] for name in stamps if name in self._known}
