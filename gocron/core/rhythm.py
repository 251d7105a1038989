"""What every kind of timetable must be able to answer, in whole seconds. Pure.

The seam for new kinds of schedule: whatever answers these three questions about an ascending set
of seconds is a ``Rhythm``, and ``gocron.core.timetable`` makes slots of it. Depending on the
implementation the seconds are UTC (since the Unix epoch) or those of a wall clock (since
1970-01-01 00:00 on that clock, as if it had never been changed); each says which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from gocron.errors import InvalidSchedule
from gocron.sayings import say

MAX_INTERVAL_S = 366 * 86_400

_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?", re.IGNORECASE)


class Rhythm(Protocol):
    """An ascending set of whole seconds, never listed as a whole."""

    def first_from(self, second: int) -> int | None:
        """The first member at or after ``second``; None if there is no more."""

    def last_before(self, second: int) -> int | None:
        """The last member before ``second``; None if there is none. Cheap at any distance."""

    def count(self, start: int, stop: int, limit: int) -> int:
        """How many members ``start <= member < stop`` has; ``limit`` stands for that or more."""


@dataclass(frozen=True, slots=True)
class EveryInterval:
    """Every ``interval_s`` seconds, in UTC, counted from the Unix epoch.

    The anchor is no property of the task, so that every node, before and after a failover or a
    restart, computes the same slots. (robfig/cron counts from the start of its process.)
    """

    interval_s: int

    def first_from(self, second: int) -> int:
        return -(-second // self.interval_s) * self.interval_s

    def last_before(self, second: int) -> int:
        return (second - 1) // self.interval_s * self.interval_s

    def count(self, start: int, stop: int, limit: int) -> int:
        up_to_stop = (stop - 1) // self.interval_s
        up_to_start = (start - 1) // self.interval_s
        return max(0, min(limit, up_to_stop - up_to_start))


@dataclass(frozen=True, slots=True)
class Once:
    """One single second."""

    second: int

    def first_from(self, second: int) -> int | None:
        return self.second if second <= self.second else None

    def last_before(self, second: int) -> int | None:
        return self.second if self.second < second else None

    def count(self, start: int, stop: int, limit: int) -> int:
        return min(limit, 1) if start <= self.second < stop else 0


@dataclass(frozen=True, slots=True)
class Never:
    """No second at all."""

    def first_from(self, second: int) -> None:
        return None

    def last_before(self, second: int) -> None:
        return None

    def count(self, start: int, stop: int, limit: int) -> int:
        return 0


def every(duration: str) -> EveryInterval:
    """The rhythm of ``@every <duration>``: days (of 24 h), hours, minutes and seconds in this
    order, such as ``1d12h``, ``1h30m`` or ``10s``. Raises InvalidSchedule unless it is 1 s to
    366 days."""
    match = _DURATION.fullmatch(duration)
    if match is None or not duration:
        raise InvalidSchedule(
            say(
                "@every: %(duration)s is not a duration; write whole numbers of days, "
                "hours, minutes and seconds, in this order, for example '@every 1h30m' "
                "or '@every 1d12h'",
                duration=repr(duration),
            )
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    interval_s = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    if not 1 <= interval_s <= MAX_INTERVAL_S:
        raise InvalidSchedule(
            say(
                "@every: %(duration)s is out of range; allowed are 1s to "
                "%(days)sd (%(hours)sh), for example '@every 10s'",
                duration=repr(duration),
                days=MAX_INTERVAL_S // 86400,
                hours=MAX_INTERVAL_S // 3600,
            )
        )
    return EveryInterval(interval_s)
