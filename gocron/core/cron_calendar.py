"""Which local times a cron spec names, on a wall clock that is never changed. Pure.

Used by ``gocron.core.timetable``, ``preview`` and ``words``. The only module that imports croniter,
which walks the calendar (months, lengths of months, weekdays, ``L``, ``#``) on naive local dates;
``month_days`` adds what it does not know. Times of day need no calendar (``times_of_day``).

Seconds are those of the wall clock since 1970-01-01 00:00; a day is such a second // 86,400.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from croniter import CroniterBadDateError, croniter

from gocron.core.cron_fields import Choice, CronFields
from gocron.core.month_days import MonthDays
from gocron.core.times_of_day import TimesOfDay
from gocron.errors import InvalidSchedule
from gocron.sayings import say

DAY_S = 86_400
EVERY_DAY = "0 0 * * *"
# No date that comes at all stays away longer than 40 years (29 February on one given weekday,
# across 2100); after 50 without a match there is none.
_SEARCHED_YEARS = 50


class ComputedDays(NamedTuple):
    """Those of the ``days`` that the croniter expression ``weekdays`` matches as well."""

    days: MonthDays
    weekdays: str


DayRule = str | ComputedDays
"""A croniter expression, or days that croniter does not know."""


@dataclass(frozen=True, slots=True)
class CronCalendar:
    """The local times of one spec, a ``Rhythm`` in wall-clock seconds; a day counts if any of the
    ``day_rules`` matches it."""

    fields: CronFields
    times: TimesOfDay
    day_rules: tuple[DayRule, ...]

    @classmethod
    def of(cls, fields: CronFields) -> CronCalendar:
        """Raises InvalidSchedule if no date matches, ever."""
        times = TimesOfDay(fields.hour.numbers, fields.minute.numbers, fields.second.numbers)
        return cls(fields, times, _day_rules(fields))

    def first_from(self, second: int) -> int | None:
        today, time = divmod(second, DAY_S)
        day = self._first_day(today)
        index = self.times.before(time) if day == today else 0
        if index == len(self.times):
            day, index = self._first_day(today + 1), 0
        return None if day is None else day * DAY_S + self.times[index]

    def last_before(self, second: int) -> int | None:
        today, time = divmod(second, DAY_S)
        day = self._last_day(today)
        index = self.times.before(time) if day == today else len(self.times)
        if index == 0:
            day, index = self._last_day(today - 1), len(self.times)
        return None if day is None else day * DAY_S + self.times[index - 1]

    def count(self, start: int, stop: int, limit: int) -> int:
        """Walks over days, not over times: a per-second schedule is counted as fast as a daily
        one."""
        found = 0
        day = self._first_day(start // DAY_S)
        while day is not None and day * DAY_S < stop and found < limit:
            found += self._before(stop, day) - self._before(start, day)
            day = self._first_day(day + 1)
        return min(found, limit)

    def _before(self, second: int, day: int) -> int:
        """How many times of that day lie before ``second``."""
        time = min(max(second - day * DAY_S, 0), DAY_S)
        return self.times.before(time)

    def _first_day(self, day: int) -> int | None:
        if self.day_rules == (EVERY_DAY,):
            return day
        if len(self.day_rules) == 1:
            return _first_day(self.day_rules[0], day)
        days = (_first_day(rule, day) for rule in self.day_rules)
        return min((found for found in days if found is not None), default=None)

    def _last_day(self, day: int) -> int | None:
        if self.day_rules == (EVERY_DAY,):
            return day
        days = (_last_day(rule, day) for rule in self.day_rules)
        return max((found for found in days if found is not None), default=None)


def _day_rules(fields: CronFields) -> tuple[DayRule, ...]:
    """How day, month and weekday combine, as crontab(5) has it: a date matches if day *or* weekday
    do, but if one of the two fields begins with ``*``, day *and* weekday must.

    croniter takes ``*/2`` for a restriction, and with ``#`` combines wrongly; so each side of an
    "or" is a rule of its own, and croniter is only ever asked for "and".
    """
    weekdays = [_listed(fields.weekday, 7), fields.weekday.special]  # croniter cannot mix the two
    names = [",".join(listed) for listed in weekdays if listed]
    if fields.day.starred or fields.weekday.starred:
        rules = [rule for name in names for rule in _rules_of_days(fields, name)]
    else:
        rules = _rules_of_days(fields, "*")
        rules += [f"0 0 * {_months(fields)} {name}" for name in names]
    if EVERY_DAY in rules:
        return (EVERY_DAY,)
    possible = tuple(rule for rule in rules if _first_day(rule, 0) is not None)
    if not possible:
        raise InvalidSchedule(
            say(
                "day %(day)s, month %(month)s, weekday %(weekday)s: there is no such "
                "date, the schedule never fires; the last day of February is '0 0 L 2 "
                "*'",
                day=repr(fields.day.text),
                month=repr(fields.month.text),
                weekday=repr(fields.weekday.text),
            )
        )
    return possible


def _rules_of_days(fields: CronFields, weekday: str) -> list[DayRule]:
    """The days of the month and the months, on ``weekday``."""
    rules: list[DayRule] = []
    if days := [*_listed(fields.day, 31), *fields.day.special]:
        rules.append(f"0 0 {','.join(days)} {_months(fields)} {weekday}")
    if fields.day.month_days:
        month_days = MonthDays(fields.day.month_days, fields.month.numbers)
        rules.append(ComputedDays(month_days, f"0 0 * * {weekday}"))
    return rules


def _months(fields: CronFields) -> str:
    return ",".join(_listed(fields.month, 12))


def _listed(choice: Choice, size: int) -> Sequence[str]:
    return ["*"] if len(choice.numbers) == size else [str(number) for number in choice.numbers]


@lru_cache(maxsize=1024)
def _compiled(rule: str) -> croniter:
    return croniter(rule, 0.0, day_or=False, max_years_between_matches=_SEARCHED_YEARS)


# A rule is shared by the tasks that have it ("MON-FRI"), in all zones, and so are the answers.
# croniter objects remember where they are; a copy (2 µs) keeps threads apart.
@lru_cache(maxsize=16_384)
def _first_day(rule: DayRule, day: int) -> int | None:
    """The first day from ``day`` on that matches."""
    if isinstance(rule, ComputedDays):
        days = rule.days.upwards(day, _SEARCHED_YEARS)
        return next((found for found in days if _matches(rule.weekdays, found)), None)
    try:
        midnight = copy.copy(_compiled(rule)).get_next(float, start_time=day * DAY_S - 60.0)
    except CroniterBadDateError:
        return None
    return int(midnight) // DAY_S


@lru_cache(maxsize=16_384)
def _last_day(rule: DayRule, day: int) -> int | None:
    """The last day up to and including ``day`` that matches."""
    if isinstance(rule, ComputedDays):
        days = rule.days.downwards(day, _SEARCHED_YEARS)
        return next((found for found in days if _matches(rule.weekdays, found)), None)
    try:
        midnight = copy.copy(_compiled(rule)).get_prev(float, start_time=day * DAY_S + 60.0)
    except CroniterBadDateError:
        return None
    return int(midnight) // DAY_S


def _matches(rule: str, day: int) -> bool:
    return rule == EVERY_DAY or _first_day(rule, day) == day
