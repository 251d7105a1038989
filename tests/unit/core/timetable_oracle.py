"""Slots found the slow way: a clock on the wall is watched tick by tick.

Shares nothing with the code under test: its own reading of a spec (which it trusts to be valid),
and no arithmetic but "what does the clock show now".
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

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
    is_last = (today + timedelta(days=1)).day == 1
    return any(
        is_last if item == "L" else today.day in chosen(item, 1, 31) for item in text.split(",")
    )


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
