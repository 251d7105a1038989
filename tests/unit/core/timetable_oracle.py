"""Slots found the slow way: a clock on the wall is watched tick by tick.

Shares nothing with the code under test: its own reading of a spec (which it trusts to be valid),
and no arithmetic but "what does the clock show now".
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from gocron.core.timetable import Rules

NAMES = {name.upper(): i for i, name in enumerate(calendar.month_abbr) if name}
NAMES |= {day: i for i, day in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])}


@dataclass(frozen=True)
class Watch:
    """What the clock of a zone shows at each tick of a while; ``walls`` are naive."""

    zone: str
    tick: timedelta
    instants: tuple[datetime, ...]
    walls: tuple[datetime, ...]

    @property
    def before(self) -> datetime:
        return self.instants[0] - self.tick


@cache
def watch(zone: str, around: str, hours: float, tick_s: int) -> Watch:
    """``hours`` before and after the UTC time ``around``."""
    middle, half = datetime.fromisoformat(around + "Z"), timedelta(hours=hours)
    tick = timedelta(seconds=tick_s)
    instants = tuple(middle - half + i * tick for i in range(int(2 * half / tick) + 1))
    info = ZoneInfo(zone)
    walls = tuple(instant.astimezone(info).replace(tzinfo=None) for instant in instants)
    return Watch(zone, tick, instants, walls)


def slots_seen(spec: str, watched: Watch) -> list[datetime]:
    """What Debian's cron would start while somebody watches."""
    matches = matcher(spec)
    if spec.split()[-4].startswith("*"):  # a wildcard hour: whenever the clock shows it
        return [at for at, wall in _ticks(watched) if matches(wall)]
    seen = []
    shown = watched.walls[0] - watched.tick
    for at, wall in _ticks(watched):
        due = False
        while shown < wall:  # once a time is shown or jumped over, it is done with
            shown += watched.tick
            due = matches(shown) or due
        if due:
            seen.append(at)
    return seen


def allowed(slots: Iterable[datetime], rules: Rules, zone: str) -> list[datetime]:
    """Those of the ``slots`` that the rules leave, judged one by one."""
    info = ZoneInfo(zone)

    def stays(slot: datetime) -> bool:
        today = slot.astimezone(info).date()
        return (
            (rules.starts_at is None or slot >= rules.starts_at)
            and (rules.ends_at is None or slot <= rules.ends_at)
            and today not in rules.excluded
            and (rules.required is None or today in rules.required)
        )

    return [slot for slot in slots if stays(slot)]


def _ticks(watched: Watch) -> Iterator[tuple[datetime, datetime]]:
    return zip(watched.instants, watched.walls, strict=True)


def matcher(spec: str) -> Callable[[datetime], bool]:
    words = spec.upper().split()
    second, minute, hour, day, month, weekday = words if len(words) == 6 else ["0", *words]
    seconds, minutes = chosen(second, 0, 59), chosen(minute, 0, 59)
    hours, months = chosen(hour, 0, 23), chosen(month, 1, 12)

    @cache
    def day_matches(today: date) -> bool:
        if today.month not in months:
            return False
        by_day, by_weekday = day_chosen(day, today), weekday_chosen(weekday, today)
        if day[0] in "*?" or weekday[0] in "*?":
            return by_day and by_weekday
        return by_day or by_weekday

    return lambda wall: (
        wall.minute in minutes
        and wall.hour in hours
        and wall.second in seconds
        and day_matches(wall.date())
    )


def day_chosen(text: str, today: date) -> bool:
    return any(item_is(item, today) for item in text.split(","))


def item_is(item: str, today: date) -> bool:
    """One item of the field day: ``15``, ``1-9/2``, ``L``, ``L-3``, ``15W``, ``LW``, ``L-3W``."""
    month = days_of_month(today)
    if item.endswith("W"):
        wanted = [day for day in month if item_is(item[:-1], day)]
        if not wanted:
            return False
        working = [day for day in month if day.isoweekday() <= 5]
        return today == min(working, key=lambda day: abs(day - wanted[0]))
    if item.startswith("L"):
        return (month[-1] - today).days == (int(item[2:]) if item[1:] else 0)
    return today.day in chosen(item, 1, 31)


@cache
def days_of_month(today: date) -> list[date]:
    first = today.replace(day=1)
    days = (first + timedelta(days=i) for i in range(31))
    return [day for day in days if day.month == today.month]


def weekday_chosen(text: str, today: date) -> bool:
    weekday = today.isoweekday() % 7
    for item in text.split(","):
        if "#" in item:
            name, nth = item.split("#")
            if number(name) % 7 == weekday and (today.day - 1) // 7 + 1 == int(nth):
                return True
        elif item.startswith("L"):
            is_last = (today + timedelta(days=7)).month != today.month
            if number(item[1:]) % 7 == weekday and is_last:
                return True
        elif weekday in {value % 7 for value in chosen(item, 0, 6)}:
            return True
    return False


@cache
def chosen(text: str, low: int, high: int) -> frozenset[int]:
    values: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        start = low if first in ("*", "?") else number(first)
        end = number(last) if last else high if step or first in ("*", "?") else start
        values |= set(range(start, end + 1, int(step or 1)))
    return frozenset(values)


def number(text: str) -> int:
    return NAMES[text] if text in NAMES else int(text)


def days_seen(spec: str, first: date, last: date) -> list[datetime]:
    """Midnights (UTC) of the matching days of a spec that is due at midnight."""
    matches = matcher(spec)
    midnight = datetime(first.year, first.month, first.day)  # noqa: DTZ001 - a wall clock
    seen = []
    while midnight.date() <= last:
        if matches(midnight):
            seen.append(midnight.replace(tzinfo=UTC))
        midnight += timedelta(days=1)
    return seen


def random_spec(choice: random.Random) -> str:
    """A spec in the part of the language that all crons share: five fields, sometimes six; it may
    have a wildcard anywhere and always has dates."""
    minute = choice.choice(["*", "*/15", "*/7", "0", "30", "59", "0,30", "5-50/9", "10/20"])
    hour = choice.choice(
        ["*", "*/2", "*/5", "0", "1", "2", "3", "23", "0-3", "1,2,3", "2/3", "0-23", "22,23,0"]
    )
    day, month, weekday = "*", "*", "*"
    if choice.random() < 0.5:
        day = choice.choice(["1", "25-31", "*/2", "*/5", "8-14", "L", "1,15,L", "LW", "28/2"])
    if choice.random() < 0.3:
        month = choice.choice(["3,10", "MAR-APR", "9-11", "*/2", "*/3", "1/2", "FEB,JUN"])
    if choice.random() < 0.4 and "W" not in day:
        weekday = choice.choice(
            ["0", "7", "SUN", "6-7", "*/2", "1-5", "0#1", "SUN,6", "1/3", "5/2"]
        )
    spec = f"{minute} {hour} {day} {month} {weekday}"
    if choice.random() < 0.15:
        return f"{choice.choice(['0', '30', '*/20', '15,45'])} {spec}"
    return spec
