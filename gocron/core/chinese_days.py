"""The dates of a cron spec in Chinese: "每月 1 日、15 日", "每周一至周五". Pure.

Used by ``gocron.core.chinese`` only, which puts the blanks between digits and words.
"""

from __future__ import annotations

from collections.abc import Sequence

from gocron.core.cron_fields import Choice, CronFields
from gocron.core.month_days import MonthDay
from gocron.core.words_of_days import (
    WEEK_FROM_MONDAY,
    Matters,
    of_month,
    runs,
    stepped,
    what_matters,
)

_WEEKDAYS = ("周日", "周一", "周二", "周三", "周四", "周五", "周六")
_ORDINALS = ("第一个", "第二个", "第三个", "第四个", "第五个", "最后一个")


def dates(fields: CronFields) -> str:
    """Which dates ``fields`` name, as the beginning of a sentence; empty if it is every day."""
    day, weekday, months = fields.day, fields.weekday, fields.month.numbers
    every_month = len(months) == 12
    matters = what_matters(fields)
    if matters is Matters.NOTHING:
        return "" if every_month else f"{_months(months)}每天"
    on_days = _in_months(months) + _days(day)
    if matters is Matters.DAY:
        return on_days
    if matters is Matters.WEEKDAY:
        return _every_week(weekday) if every_month else _weeks_of(weekday, months)
    if matters is Matters.BOTH:
        return f"{on_days}（仅限{_listed([*_plain(weekday), *_special(weekday)])}）"
    if every_month:
        return f"{on_days}或{_every_week(weekday)}"
    return f"{_months(months)}的{_days(day)}或{_listed([*_plain(weekday), *_special(weekday)])}"


def _months(numbers: Sequence[int]) -> str:
    return f"每年{_listed(runs(numbers, lambda number: f'{number}月', '至'))}"


def _in_months(numbers: Sequence[int]) -> str:
    """Before a day of the month: ``每月``, ``每年 2 月``, ``每年 1 月、7 月的``."""
    if len(numbers) == 12:
        return "每月"
    return _months(numbers) + ("的" if len(numbers) > 1 else "")


def _days(choice: Choice) -> str:
    """``1 日、15 日``, ``最后一天``, ``最接近 15 日的工作日``."""
    named = []
    if choice.numbers:
        named.append(_day_numbers(choice.numbers))
    named += [_month_day(day) for day in choice.month_days]
    if "l" in choice.special:
        named.append("最后一天")
    return _listed(named)


def _day_numbers(numbers: Sequence[int]) -> str:
    if step := stepped(numbers):
        return f"{numbers[0]}日至{numbers[-1]}日每{step}天"
    return _listed(runs(numbers, lambda number: f"{number}日", "至"))


def _month_day(day: MonthDay) -> str:
    if day.day > 0:
        return f"最接近{day.day}日的工作日"
    if day.day == 0:
        return "最后一个工作日"
    back = f"倒数第{1 - day.day}天"
    return f"最接近{back}的工作日" if day.working else back


def _every_week(choice: Choice) -> str:
    """``每周一至周五``, ``每月第三个周五``."""
    named = [f"每{_listed(_plain(choice))}"] if choice.numbers else []
    if choice.special:
        named.append(f"每月{_listed(_special(choice))}")
    return _listed(named)


def _weeks_of(choice: Choice, months: Sequence[int]) -> str:
    """``每年 6 月每周一``, ``每年 2 月第一个周一``."""
    named = [f"每{_listed(_plain(choice))}"] if choice.numbers else []
    of = "的" if len(months) > 1 and not named else ""
    return f"{_months(months)}{of}{_listed([*named, *_special(choice)])}"


def _plain(choice: Choice) -> list[str]:
    week = [WEEK_FROM_MONDAY.index(number) for number in choice.numbers]
    return runs(sorted(week), lambda index: _WEEKDAYS[WEEK_FROM_MONDAY[index]], "至")


def _special(choice: Choice) -> list[str]:
    return [f"{_ORDINALS[nth - 1]}{_WEEKDAYS[weekday]}" for nth, weekday in of_month(choice)]


def _listed(words: Sequence[str]) -> str:
    return "、".join(words)
