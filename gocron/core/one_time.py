"""``@at <ISO 8601>``: a schedule with one single slot. Pure, but for zone data.

Used by ``gocron.core.timetable``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from gocron.core.daylight import FixedTimes
from gocron.core.rhythm import Once, Rhythm
from gocron.errors import InvalidSchedule
from gocron.sayings import say

# Python's own reader of ISO 8601 also takes weeks, missing dashes and times without minutes.
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)
_FRACTION = re.compile(r".*:[0-9]{2}[.,][0-9].*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1970, 8999


def at(moment: str, zone: str) -> Rhythm:
    """The rhythm of ``@at <moment>``: ISO 8601 with date and time, whole seconds, 1970 to 8999.

    Without an offset it is a time of ``zone``, and treated as any other fixed time when clocks are
    changed: skipped, it is due right after the gap; repeated, the first time. Raises
    InvalidSchedule.
    """
    found = _read(moment)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise _refusal(
            moment,
            say(
                "is out of range; the years %(first)s to %(last)s are allowed",
                first=_FIRST_YEAR,
                last=_LAST_YEAR,
            ),
        )
    if found.tzinfo is not None:
        return Once(_seconds(found))
    return FixedTimes(Once(_seconds(found.replace(tzinfo=UTC))), zone)


def _read(moment: str) -> datetime:
    match = _MOMENT.fullmatch(moment)
    if match is None:
        raise _refusal(moment, _problem(moment))
    try:
        found = datetime.fromisoformat(moment.upper())
        return found if match[1] is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal(moment, say("is not a date and time that there is")) from None


def _problem(moment: str) -> str:
    if _FRACTION.fullmatch(moment):
        return say("has a fraction of a second; schedules know whole seconds")
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", moment):
        return say("has no time of day")
    return say("is not a date and time") if moment else say("says no time")


def _seconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(seconds=1)


def _refusal(moment: str, problem: str) -> InvalidSchedule:
    return InvalidSchedule(
        say(
            "@at: %(moment)s %(problem)s; write ISO 8601, for example '@at "
            "2026-12-24T18:00' in the time zone of the task, or '@at "
            "2026-12-24T17:00:00Z'",
            moment=repr(moment),
            problem=problem,
        )
    )
