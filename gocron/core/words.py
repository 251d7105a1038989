"""A schedule in words, for the panel and the command line. Pure, but for zone data. English is said
here, other languages have modules of their own.

Said of what a schedule resolves to, not of its text: so it is right for ``H`` and for the way in
which day and weekday combine. (cron-descriptor, tried first, reads ``*/2 * 1`` as "or", where we
and crontab(5) mean "and", and does not know lists with ``L`` or ``W``, nor ``H``.)
"""

from __future__ import annotations

from gocron.core import chinese
from gocron.core.cron_calendar import CronCalendar
from gocron.core.daylight import ElapsedTimes, FixedTimes
from gocron.core.rhythm import EveryInterval, Never, Once, Rhythm
from gocron.core.spec import understood
from gocron.core.words_of_days import dates, listed
from gocron.core.words_of_times import in_units, instant, times

_UNITS = ("day", "hour", "minute", "second")


def explain(spec: str, zone: str, seed: str = "", language: str = "en") -> str:
    """``spec`` as one sentence without a full stop, such as "At 02:30 every day, Europe/Berlin
    time". ``seed`` (the task's name) decides what ``H`` stands for; ``language`` is ``en`` or
    ``zh-CN``. Raises InvalidSchedule as ``parse`` does."""
    _, zone, rhythm = understood(spec, zone, seed)
    if language == "zh-CN":
        return chinese.sentence(rhythm, zone)
    sentence = _sentence(rhythm, "UTC" if zone == "UTC" else f"{zone} time")
    return sentence[0].upper() + sentence[1:]


def _sentence(rhythm: Rhythm, clock: str) -> str:
    match rhythm:
        case Never():
            return "once at every election of a leader"
        case EveryInterval(interval_s):
            return f"every {_duration(interval_s)}"
        case Once(second):
            return f"once, {_moment(second)}, UTC"
        case FixedTimes(Once(wall)):
            return f"once, {_moment(wall)}, {clock}"
        case FixedTimes(CronCalendar() as calendar) | ElapsedTimes(CronCalendar() as calendar):
            return f"{_cron(calendar)}, {clock}"
    raise AssertionError(f"{type(rhythm).__name__} has no words")


def _cron(calendar: CronCalendar) -> str:
    when, on = times(calendar.times), dates(calendar.fields)
    if when.startswith("at ") and len(calendar.times.hours) < 24:
        on = on or "every day"
        return f"{when}, {on}" if on[0].isupper() else f"{when} {on}"
    return f"{when}, {on}" if on else when


def _moment(second: int) -> str:
    moment, time = instant(second)
    return f"on {moment.day} {moment:%B %Y} at {time}"


def _duration(seconds: int) -> str:
    """``1 day and 12 hours``; ``hour`` alone for a single one: it stands behind "every"."""
    parts = in_units(seconds, _UNITS)
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return listed([f"{count} {unit}{'s' * (count != 1)}" for count, unit in parts])
