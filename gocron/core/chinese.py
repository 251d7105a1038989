"""A schedule in simplified Chinese, as ``gocron.core.words`` says it in English. Pure.

Used by ``words`` only. The parts are the same, but dates come before times: "每月 1 日 02:30".
"""

from __future__ import annotations

import re

from gocron.core.chinese_days import dates
from gocron.core.chinese_times import times
from gocron.core.cron_calendar import CronCalendar
from gocron.core.daylight import ElapsedTimes, FixedTimes
from gocron.core.rhythm import EveryInterval, Never, Once, Rhythm
from gocron.core.words_of_times import in_units, instant

_UNITS = ("天", "小时", "分钟", "秒")

_CHINESE, _OTHER = r"[\u4e00-\u9fff]", r"[0-9A-Za-z]"
_SEAM = re.compile(rf"(?<={_CHINESE})(?={_OTHER})|(?<={_OTHER})(?={_CHINESE})")


def sentence(rhythm: Rhythm, zone: str) -> str:
    """Such as "每天 02:30（Europe/Berlin 时间）", without a full stop."""
    return _SEAM.sub(" ", _sentence(rhythm, "（UTC）" if zone == "UTC" else f"（{zone}时间）"))


def _sentence(rhythm: Rhythm, clock: str) -> str:
    match rhythm:
        case Never():
            return "每次选出主节点时运行一次"
        case EveryInterval(interval_s):
            return f"每{_duration(interval_s)}"
        case Once(second):
            return f"仅一次，{_moment(second)}（UTC）"
        case FixedTimes(Once(wall)):
            return f"仅一次，{_moment(wall)}{clock}"
        case FixedTimes(CronCalendar() as calendar) | ElapsedTimes(CronCalendar() as calendar):
            return f"{_cron(calendar)}{clock}"
    raise AssertionError(f"{type(rhythm).__name__} has no words")


def _cron(calendar: CronCalendar) -> str:
    when, on = times(calendar.times), dates(calendar.fields)
    if when.startswith(("每", "从")):
        return f"{on}，{when}" if on else when
    return f"{on or '每天'}{when}"


def _moment(second: int) -> str:
    moment, time = instant(second)
    return f"{moment.year}年{moment.month}月{moment.day}日{time}"


def _duration(seconds: int) -> str:
    """``1天12小时``; ``小时`` alone for a single one: it stands behind "每"."""
    parts = in_units(seconds, _UNITS)
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return "".join(f"{count}{unit}" for count, unit in parts)
