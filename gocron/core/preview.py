"""The next slots of a schedule as a user wants to see them: with local times, and with a remark
where clocks are changed. Pure, but for zone data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gocron.core.daylight import FixedTimes, stretch_at, wall_reached
from gocron.core.limits import unlimited
from gocron.core.rhythm import Rhythm
from gocron.core.timetable import Rules, parse
from gocron.sayings import say

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A slot: ``slot`` is UTC, ``local`` the same instant in the zone of the schedule. ``remark``
    says what changed clocks do to it (a ``Saying``); mostly it is empty."""

    slot: datetime
    local: datetime
    remark: str


def preview(spec: str, zone: str, rules: Rules, after: datetime, count: int) -> list[Upcoming]:
    """The first ``count`` slots after ``after`` (aware), fewer if there are no more. Raises
    InvalidSchedule as ``parse`` does."""
    timetable = parse(spec, zone, rules)
    info = ZoneInfo(timetable.zone)
    rhythm = unlimited(timetable.rhythm)
    found: list[Upcoming] = []
    slot = timetable.next_after(after)
    while slot is not None and len(found) < count:
        remark = _remark(rhythm, timetable.zone, int(slot.timestamp()))
        found.append(Upcoming(slot, slot.astimezone(info), remark))
        slot = timetable.next_after(slot)
    return found


def _remark(rhythm: Rhythm, zone: str, second: int) -> str:
    if not isinstance(rhythm, FixedTimes):
        return say("second pass of the repeated hour") if _is_repeated(zone, second) else ""
    wall = second + stretch_at(zone, second).offset
    due = rhythm.local.first_from(wall_reached(zone, second - 1) + 1)
    assert due is not None
    if due < wall:
        return _skipped(rhythm.local, due, wall)
    if _comes_again(zone, second):
        return say(
            "clocks go back: %(time)s comes twice, runs the first time only", time=_time(wall)
        )
    return ""


def _skipped(local: Rhythm, due: int, wall: int) -> str:
    """The times from ``due`` to before ``wall`` were skipped; they are made up for at ``wall``."""
    more = local.count(due + 1, wall, _DAY_S)
    if more:
        which = say("%(time)s and %(more)s more do not exist", time=_time(due), more=more)
    else:
        which = say("%(time)s does not exist", time=_time(due))
    if due // _DAY_S != wall // _DAY_S:
        day = f"{_EPOCH + timedelta(seconds=due):%Y-%m-%d}"
        which = say("%(which)s on %(day)s", which=which, day=day)
    return say("clocks go forward: %(which)s, runs at %(time)s", which=which, time=_time(wall))


def _is_repeated(zone: str, second: int) -> bool:
    """Whether the clock showed the same time once before."""
    stretch = stretch_at(zone, second)
    return second + stretch.offset < wall_reached(zone, second)


def _comes_again(zone: str, second: int) -> bool:
    """Whether the clock will show the same time once more."""
    stretch = stretch_at(zone, second)
    following = stretch_at(zone, stretch.end)
    return second + stretch.offset >= stretch.end + following.offset


def _time(wall: int) -> str:
    time = _EPOCH + timedelta(seconds=wall)
    return f"{time:%H:%M:%S}" if time.second else f"{time:%H:%M}"
