"""Days of a month that only a look at the month can tell, and that croniter does not know: the
nearest working day (``15W``, ``LW``) and days counted from the end (``L-3``). Pure.

Used by ``cron_grammar``, ``cron_calendar`` and ``words``.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_SATURDAY, _SUNDAY = 5, 6


class MonthDay(NamedTuple):
    """``day`` 1 to 31 counts from the beginning of a month, 0 is its last day, -3 the third before
    that. ``working``: not that day but the one from Monday to Friday that is nearest to it in the
    same month."""

    day: int
    working: bool

    def of(self, year: int, month: int) -> date | None:
        """The date in that month; None if the month is too short to have it."""
        first_weekday, length = monthrange(year, month)
        day = self.day if self.day > 0 else length + self.day
        if not 1 <= day <= length:
            return None
        weekday = (first_weekday + day - 1) % 7
        if self.working and weekday == _SATURDAY:
            day += -1 if day > 1 else 2
        elif self.working and weekday == _SUNDAY:
            day += 1 if day < length else -2
        return date(year, month, day)


class MonthDays(NamedTuple):
    """Some of these days, in some months of every year. Days are counted from 1970-01-01."""

    days: tuple[MonthDay, ...]
    months: tuple[int, ...]

    def upwards(self, day: int, years: int) -> Iterator[int]:
        """The days from ``day`` on, ascending, for so many ``years``."""
        start = date.fromordinal(EPOCH_ORDINAL + day)
        for year in range(start.year, start.year + years):
            for month in self.months:
                if (year, month) >= (start.year, start.month):
                    yield from (found for found in self._in(year, month) if found >= day)

    def downwards(self, day: int, years: int) -> Iterator[int]:
        """The days up to and including ``day``, descending, for so many ``years``."""
        start = date.fromordinal(EPOCH_ORDINAL + day)
        for year in range(start.year, start.year - years, -1):
            for month in reversed(self.months):
                if (year, month) <= (start.year, start.month):
                    yield from (found for found in reversed(self._in(year, month)) if found <= day)

    def _in(self, year: int, month: int) -> list[int]:
        dates = {day.of(year, month) for day in self.days}
        return sorted(found.toordinal() - EPOCH_ORDINAL for found in dates if found is not None)
