"""The dates of a cron spec in English: "on day 1 and 15 of the month", "Monday to Friday". Pure.

Used by ``gocron.core.words`` only, with ``listed`` and ``runs``; what has no words of its own is
used by ``gocron.core.chinese_days`` as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from itertools import pairwise

from gocron.core.cron_fields import Choice, CronFields
from gocron.core.month_days import MonthDay

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "last")
WEEK_FROM_MONDAY = (1, 2, 3, 4, 5, 6, 0)


class Matters(Enum):
    """What a date has to fit, by crontab(5)'s rule of day and weekday."""

    NOTHING = "nothing"
    DAY = "day"
    WEEKDAY = "weekday"
    EITHER = "either"
    BOTH = "both"


def what_matters(fields: CronFields) -> Matters:
    """The month aside."""
    day, weekday = fields.day, fields.weekday
    any_day, any_weekday = len(day.numbers) == 31, len(weekday.numbers) == 7
    either = not (day.starred or weekday.starred)
    if (either and (any_day or any_weekday)) or (any_day and any_weekday):
        return Matters.NOTHING
    if any_weekday:
        return Matters.DAY
    if any_day:
        return Matters.WEEKDAY
    return Matters.EITHER if either else Matters.BOTH


def dates(fields: CronFields) -> str:
    """Which dates ``fields`` name, as the end of a sentence; empty if it is every day."""
    day, month, weekday = fields.day, fields.month, fields.weekday
    of_month = "of the month" if len(month.numbers) == 12 else f"of {_months(month.numbers)}"
    in_month = "" if len(month.numbers) == 12 else f"in {_months(month.numbers)}"
    matters = what_matters(fields)
    if matters is Matters.NOTHING:
        return f"every day {in_month}" if in_month else ""
    on_days, on_weekdays = f"{_days(day)} {of_month}", _weekdays(weekday, of_month)
    if not on_days.startswith("every"):
        on_days = f"on {on_days}"
    if matters is Matters.DAY:
        return on_days
    if matters is Matters.WEEKDAY:
        return f"{on_weekdays} {in_month}".rstrip() if weekday.numbers else on_weekdays
    if matters is Matters.EITHER:
        months = f" {in_month}".rstrip() if weekday.numbers else ""
        return f"{on_days} or {on_weekdays}{months}"
    return f"{on_days} if that is {_weekday_names(weekday)}"


def _days(choice: Choice) -> str:
    """``day 1 and 15``, ``the last day``, ``the working day nearest to day 15``."""
    named = []
    if choice.numbers:
        named.append(_day_numbers(choice.numbers))
    named += [_month_day(day) for day in choice.month_days]
    if "l" in choice.special:
        named.append("the last day")
    return listed(named)


def _day_numbers(numbers: Sequence[int]) -> str:
    if step := stepped(numbers):
        return f"every {step} days from day {numbers[0]} to {numbers[-1]}"
    return f"day {listed(runs(numbers, str))}"


def stepped(numbers: Sequence[int]) -> int:
    """How far apart they are, if four or more are all equally far, and not in a row; else 0."""
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    return steps.pop() if len(numbers) > 3 and len(steps) == 1 and steps != {1} else 0


def _month_day(day: MonthDay) -> str:
    if day.day > 0:
        return f"the working day nearest to day {day.day}"
    if day.day == 0:
        return "the last working day"
    back = f"{-day.day} day{'s' * (day.day != -1)} before the last day"
    return f"the working day nearest to {back}" if day.working else f"the day {back}"


def _weekdays(choice: Choice, of_month: str) -> str:
    """``Monday to Friday``, ``on Sunday``, ``on the third Friday of the month``."""
    days = _plain(choice)
    if len(days) == 1 and " to " in days[0] and not choice.special:
        return days[0]
    nth = [f"{name} {of_month}" for name in _special(choice)]
    return f"on {listed([*days, *nth])}"


def _weekday_names(choice: Choice) -> str:
    return listed([*(f"a {name}" for name in _singly(choice)), *_special(choice)], "or")


def _plain(choice: Choice) -> list[str]:
    week = [WEEK_FROM_MONDAY.index(number) for number in choice.numbers]
    return runs(sorted(week), lambda index: WEEKDAYS[WEEK_FROM_MONDAY[index]])


def _singly(choice: Choice) -> list[str]:
    return [WEEKDAYS[number] for number in WEEK_FROM_MONDAY if number in choice.numbers]


def _special(choice: Choice) -> list[str]:
    return [f"the {_ORDINALS[nth - 1]} {WEEKDAYS[weekday]}" for nth, weekday in of_month(choice)]


def of_month(choice: Choice) -> list[tuple[int, int]]:
    """``5#3`` and ``l5`` of the weekday: which of the month it is (0: the last), and its number."""
    found = []
    for item in choice.special:
        weekday, _, nth = item.removeprefix("l").partition("#")
        found.append((int(nth or 0), int(weekday)))
    return found


def _months(numbers: Sequence[int]) -> str:
    return listed(runs(numbers, lambda number: MONTHS[number - 1]))


def runs(numbers: Sequence[int], name: Callable[[int], str], to: str = " to ") -> list[str]:
    """Ascending numbers by name; three and more in a row become ``first to last``."""
    named: list[str] = []
    start = 0
    for end in range(1, len(numbers) + 1):
        if end < len(numbers) and numbers[end] == numbers[end - 1] + 1:
            continue
        run = [name(number) for number in numbers[start:end]]
        named += [f"{run[0]}{to}{run[-1]}"] if len(run) > 2 else run
        start = end
    return named


def listed(names: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    return f" {last} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
