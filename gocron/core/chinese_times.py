"""The times of day of a cron spec in Chinese: "02:30", "08:00 至 17:59 每 15 分钟". Pure.

Used by ``gocron.core.chinese`` only, which puts the blanks between digits and words.
"""

from __future__ import annotations

from collections.abc import Iterable

from gocron.core.times_of_day import TimesOfDay
from gocron.core.words_of_days import runs
from gocron.core.words_of_times import MOST_LISTED, clock, in_a_row, step_of


def times(of_day: TimesOfDay) -> str:
    """When on its days a schedule is due, as the end of a sentence. It begins with 每 or 从 if it
    is no time or span of a day, but said of all of it."""
    if len(of_day.hours) < 24 and len(of_day) <= MOST_LISTED:
        return _listed(clock(of_day[index]) for index in range(len(of_day)))
    if of_day.seconds == (0,) and len(of_day.minutes) == 1 and (hourly := _hourly(of_day)):
        return hourly
    if of_day.seconds == (0,):
        minutes = _of_sixty(of_day.minutes, "分", "分钟")
        return (
            _hours(of_day, each="每小时") + minutes if minutes[0] == "第" else _in(of_day, minutes)
        )
    seconds = _of_sixty(of_day.seconds, "秒", "秒")
    if len(of_day.minutes) == 60:
        return _in(of_day, f"每分钟{seconds}" if seconds[0] == "第" else seconds)
    inside = "" if seconds[0] == "第" else "内"
    return f"{_hours(of_day, each='每小时')}第{_numbers(of_day.minutes)}分{inside}{seconds}"


def _hourly(of_day: TimesOfDay) -> str | None:
    """As in English: ``每小时``, ``从 01:30 起每 2 小时``, ``08:15 至 17:15 每小时``."""
    first, last = clock(of_day[0]), clock(of_day[len(of_day) - 1])
    step = step_of(of_day.hours, 24)
    every = "每小时" if step == 1 else f"每{step}小时"
    if step and (step > 1 or of_day.minutes == (0,)):
        return every if of_day[0] == 0 else f"从{first}起{every}"
    if step == 0 and in_a_row(of_day.hours):
        return f"{first}至{last}每小时"
    return None


def _of_sixty(values: tuple[int, ...], unit: str, span: str) -> str:
    """``每 15 分钟``, ``从第 7 分起每 15 分钟``, ``第 5、35 分``."""
    step = step_of(values, 60)
    if not step:
        return f"第{_numbers(values)}{unit}"
    start = f"从第{values[0]}{unit}起" if step > 1 and values[0] else ""
    return f"{start}每{'' if step == 1 else step}{span}"


def _in(of_day: TimesOfDay, what: str) -> str:
    """``what``, which goes on and on, in these hours."""
    span = _span(of_day)
    if span or len(of_day.hours) == 24:
        return span + what
    return f"{_hours(of_day, each='')}内{what}"


def _hours(of_day: TimesOfDay, each: str) -> str:
    """The hours of whose minutes something is said next; ``each``: the word for every one."""
    span = _span(of_day)
    if span or len(of_day.hours) == 24:
        return span + each
    return f"{_listed(f'{hour:02}' for hour in of_day.hours)}时"


def _span(of_day: TimesOfDay) -> str:
    hours = of_day.hours
    if len(hours) == 24 or len(hours) == 1 or not in_a_row(hours):
        return ""
    first, last = (
        clock(hour * 3600 + minute * 60)
        for hour, minute in ((hours[0], of_day.minutes[0]), (hours[-1], of_day.minutes[-1]))
    )
    return f"{first}至{last}"


def _numbers(values: tuple[int, ...]) -> str:
    return _listed(runs(values, str, "至"))


def _listed(words: Iterable[str]) -> str:
    return "、".join(words)
