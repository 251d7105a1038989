"""Which of its slots a task really has: those inside its window and on allowed days. Pure, but
for zone data.

Used by ``gocron.core.timetable``. Days are counted from 1970-01-01 and are those that the clock of
the schedule's zone shows. The search never walks over the slots of a day that is not allowed: it
goes on where the next allowed day begins. So it takes one step for each run of excluded days that
has slots, at worst as many as there are excluded days. How far away an allowed day is (9999-12-31
as "for ever") does not matter.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from gocron.core.daylight import WIDEST_OFFSET_S, stretch_at
from gocron.core.month_days import EPOCH_ORDINAL
from gocron.core.rhythm import Rhythm

_DAY_S = 86_400
_ALWAYS = 10_000_000  # days; more than a date can be away from 1970
_SET_BACK_DAYS = 2  # no clock shows, later on, a day that lies further back


@dataclass(frozen=True, slots=True)
class AllowedDays:
    """Runs of days, ascending and apart: the first of each, and the first behind each."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def run_from(self, day: int) -> tuple[int, int] | None:
        """The first allowed day from ``day`` on, and the first behind it that is not allowed."""
        index = bisect_right(self.ends, day)
        return None if index == len(self.ends) else (max(day, self.starts[index]), self.ends[index])

    def last_until(self, day: int) -> int | None:
        """The last allowed day up to and including ``day``."""
        index = bisect_right(self.starts, day)
        return None if index == 0 else min(day, self.ends[index - 1] - 1)


# Tasks share calendars, and a big one takes some milliseconds.
@lru_cache(maxsize=64)
def allowed_days(excluded: frozenset[date], required: frozenset[date] | None) -> AllowedDays | None:
    """The days that are not ``excluded`` and, if there are ``required`` ones, are among these;
    None means every day."""
    if required is not None:
        starts, ends = _runs(required - excluded)
        return AllowedDays(starts, ends)
    if not excluded:
        return None
    starts, ends = _runs(excluded)
    return AllowedDays((-_ALWAYS, *ends), (*starts, _ALWAYS))


def _runs(days: Iterable[date]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    starts: list[int] = []
    ends: list[int] = []
    for day in sorted(day.toordinal() - EPOCH_ORDINAL for day in days):
        if ends and ends[-1] == day:
            ends[-1] = day + 1
        else:
            starts.append(day)
            ends.append(day + 1)
    return tuple(starts), tuple(ends)


@dataclass(frozen=True, slots=True)
class Limits:
    """``start <= second < stop`` (UTC), and the days allowed in ``zone``; None: every day."""

    start: int
    stop: int
    days: AllowedDays | None
    zone: str

    def first_from(self, second: int) -> int | None:
        """The first second from ``second`` on that is allowed."""
        second = max(second, self.start)
        while second < self.stop:
            if self.days is None:
                return second
            stretch = stretch_at(self.zone, second)
            today = (second + stretch.offset) // _DAY_S
            run, nearby = self.days.run_from(today), self.days.run_from(today - _SET_BACK_DAYS)
            if nearby is None:
                return None  # and no clock that is set back leads to an allowed day again
            found = stretch.end if run is None else max(second, run[0] * _DAY_S - stretch.offset)
            if found < stretch.end:
                return found if found < self.stop else None
            second = max(stretch.end, nearby[0] * _DAY_S - WIDEST_OFFSET_S)
        return None

    def last_before(self, second: int) -> int | None:
        """The last second before ``second`` that is allowed."""
        second = min(second, self.stop) - 1
        while second >= self.start:
            if self.days is None:
                return second
            stretch = stretch_at(self.zone, second)
            today = (second + stretch.offset) // _DAY_S
            day, nearby = self.days.last_until(today), self.days.last_until(today + _SET_BACK_DAYS)
            if nearby is None:
                return None
            if day is not None:
                found = min(second, (day + 1) * _DAY_S - 1 - stretch.offset)
                if found >= stretch.start:
                    return found if found >= self.start else None
            second = min(stretch.start, (nearby + 1) * _DAY_S + WIDEST_OFFSET_S) - 1
        return None

    def end_of_run(self, second: int) -> int:
        """``second`` is allowed: where that ends, or where it might."""
        if self.days is None:
            return self.stop
        stretch = stretch_at(self.zone, second)
        run = self.days.run_from((second + stretch.offset) // _DAY_S)
        assert run is not None
        return min(self.stop, stretch.end, run[1] * _DAY_S - stretch.offset)


@dataclass(frozen=True, slots=True)
class Limited:
    """The seconds of ``rhythm`` (UTC) that lie within ``limits``."""

    rhythm: Rhythm
    limits: Limits

    def first_from(self, second: int) -> int | None:
        allowed = self.limits.first_from(second)
        while allowed is not None:
            found = self.rhythm.first_from(allowed)
            if found is None:
                return None
            allowed = self.limits.first_from(found)
            if allowed == found:
                return found
        return None

    def last_before(self, second: int) -> int | None:
        allowed = self.limits.last_before(second)
        while allowed is not None:
            found = self.rhythm.last_before(allowed + 1)
            if found is None:
                return None
            allowed = self.limits.last_before(found + 1)
            if allowed == found:
                return found
        return None

    def count(self, start: int, stop: int, limit: int) -> int:
        found = 0
        allowed = self.limits.first_from(start)
        while allowed is not None and allowed < stop and found < limit:
            end = min(stop, self.limits.end_of_run(allowed))
            found += self.rhythm.count(allowed, end, limit - found)
            allowed = self.limits.first_from(end)
        return found


def unlimited(rhythm: Rhythm) -> Rhythm:
    """The rhythm without its limits."""
    return rhythm.rhythm if isinstance(rhythm, Limited) else rhythm
