"""From wall-clock times to instants, where clocks are changed. Pure, but for zone data.

Used by ``gocron.core.timetable``. The rule is Debian cron's (cron(8), "daylight saving time"):

- A fixed time in the hour that is skipped in spring runs right after it: at the first instant
  after the gap. Several of them, and one that is due at that instant anyway, are one slot.
- A fixed time in the hour that is repeated in autumn runs once, the first time.
- A schedule with a wildcard hour follows elapsed time: every instant at which the clock shows a
  matching time. In the repeated hour both passes run; skipped times do not exist.

Any gap and any fold is treated so: half an hour (Lord Howe), a day that does not exist (Apia,
30 December 2011), a change of the zone itself. In two points we leave Debian: it takes changes of
more than three hours for a clock that was set right, and it also lets a wildcard *minute* follow
elapsed time, by which ``*/15 2 * * *`` is lost for a day in spring.

Terms: a *wall* is a second of the wall clock since 1970-01-01 00:00; a second is UTC, since the
Unix epoch. A *stretch* is a time during which the zone keeps its offset:

    UTC     … stretch, offset 1 h │ stretch, offset 2 h … │ stretch, offset 1 h …
    clock   …            01:59:59 │ 03:00:00 …   02:59:59 │ 02:00:00 …
                               skips an hour         shows an hour again
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gocron.core.rhythm import Rhythm

_BLOCK_S = 400 * 86_400  # offsets are looked up once for each zone and block of time
# Since 1970 no zone has changed its offset twice within six days, nor by more than a day.
_PROBE_S = 3 * 86_400
_OVERLAP_S = 2 * 86_400
WIDEST_OFFSET_S = 86_400


class Stretch(NamedTuple):
    """``start <= second < end``; wall = second + offset. Not always as long as it could be."""

    start: int
    end: int
    offset: int


def stretch_at(zone: str, second: int) -> Stretch:
    """The stretch of ``zone``, an IANA name, in which ``second`` lies."""
    for stretch in _stretches(zone, second // _BLOCK_S):
        if second < stretch.end:
            return stretch
    raise AssertionError("the stretches of a block cover it")


@lru_cache(maxsize=4096)
def _stretches(zone: str, block: int) -> tuple[Stretch, ...]:
    """All of a block, and of the time just before it, so that no fold is cut in two."""
    info = ZoneInfo(zone)
    start, end = block * _BLOCK_S - _OVERLAP_S, (block + 1) * _BLOCK_S
    found = []
    probed = start
    while probed < end - 1:
        unchanged, probed = probed, min(probed + _PROBE_S, end - 1)
        if _offset(info, unchanged) != _offset(info, probed):
            change = _change(info, unchanged, probed)
            found.append(Stretch(start, change, _offset(info, unchanged)))
            start = change
    return (*found, Stretch(start, end, _offset(info, end - 1)))


def _change(info: ZoneInfo, before: int, after: int) -> int:
    """The first second with the new offset, of one change in ``before < second <= after``."""
    old = _offset(info, before)
    between = range(before + 1, after)
    return before + 1 + bisect_left(between, True, key=lambda second: _offset(info, second) != old)


def _offset(info: ZoneInfo, second: int) -> int:
    local = datetime.fromtimestamp(second, info).replace(tzinfo=UTC)
    return round(local.timestamp()) - second


def wall_reached(zone: str, second: int) -> int:
    """The latest wall that the clock has shown by ``second``: what it shows, except in the second
    pass of a repeated hour, where that is the end of the first pass."""
    stretch = stretch_at(zone, second)
    earlier = stretch_at(zone, stretch.start - 1)
    return max(second + stretch.offset, stretch.start - 1 + earlier.offset)


def first_second_showing(zone: str, wall: int) -> int:
    """The first second at which the clock shows ``wall``, or has just skipped it."""
    stretch = stretch_at(zone, wall - WIDEST_OFFSET_S)
    while wall >= stretch.end + stretch.offset:
        stretch = stretch_at(zone, stretch.end)
    return max(wall - stretch.offset, stretch.start)


@dataclass(frozen=True, slots=True)
class FixedTimes:
    """The seconds (UTC) at which the fixed local times ``local`` (walls) are due in ``zone``."""

    local: Rhythm
    zone: str

    def first_from(self, second: int) -> int | None:
        wall = self.local.first_from(wall_reached(self.zone, second - 1) + 1)
        return None if wall is None else first_second_showing(self.zone, wall)

    def last_before(self, second: int) -> int | None:
        wall = self.local.last_before(wall_reached(self.zone, second - 1) + 1)
        return None if wall is None else first_second_showing(self.zone, wall)

    def count(self, start: int, stop: int, limit: int) -> int:
        found = 0
        while start < stop and found < limit:
            stretch = stretch_at(self.zone, start)
            until = min(stop, stretch.end)
            wall = wall_reached(self.zone, start - 1) + 1
            if wall < start + stretch.offset:  # start ends a gap: all that was skipped is one slot
                gap_end = start + stretch.offset + 1
                found += self.local.count(wall, gap_end, 1)
                wall = gap_end
            reached = wall_reached(self.zone, until - 1) + 1
            found += self.local.count(wall, reached, limit - found)
            start = until
        return found


@dataclass(frozen=True, slots=True)
class ElapsedTimes:
    """The seconds (UTC) at which the clock of ``zone`` shows one of the times ``local`` (walls)."""

    local: Rhythm
    zone: str

    def first_from(self, second: int) -> int | None:
        stretch = stretch_at(self.zone, second)
        searched = second + stretch.offset
        wall = self.local.first_from(searched)
        while wall is not None and wall >= stretch.end + stretch.offset:
            begin = stretch.end
            stretch = stretch_at(self.zone, begin)
            start = begin + stretch.offset
            if not searched <= start <= wall:  # otherwise nothing lies between start and wall
                wall = self.local.first_from(start)
            searched = start
        return None if wall is None else wall - stretch.offset

    def last_before(self, second: int) -> int | None:
        stretch = stretch_at(self.zone, second - 1)
        searched = second + stretch.offset
        wall = self.local.last_before(searched)
        while wall is not None and wall < stretch.start + stretch.offset:
            end = stretch.start
            stretch = stretch_at(self.zone, end - 1)
            if not wall < end + stretch.offset <= searched:
                wall = self.local.last_before(end + stretch.offset)
            searched = end + stretch.offset
        return None if wall is None else wall - stretch.offset

    def count(self, start: int, stop: int, limit: int) -> int:
        found = 0
        while start < stop and found < limit:
            stretch = stretch_at(self.zone, start)
            until = min(stop, stretch.end)
            offset = stretch.offset
            found += self.local.count(start + offset, until + offset, limit - found)
            start = until
        return found
