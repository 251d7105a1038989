"""The times of day of a cron spec in English: "at 02:30", "every 15 minutes from 08:00 to 17:59".
Pure. Used by ``gocron.core.words`` only; what is no English by ``gocron.core.chinese`` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gocron.core.times_of_day import TimesOfDay
from gocron.core.words_of_days import listed, runs

MOST_LISTED = 6

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIZES = (86_400, 3600, 60, 1)


def times(of_day: TimesOfDay) -> str:
    """When on its days a schedule is due, as the beginning of a sentence; ``at ...`` if these are
    some single times."""
    if len(of_day.hours) < 24 and len(of_day) <= MOST_LISTED:
        return f"at {listed([clock(of_day[index]) for index in range(len(of_day))])}"
    if of_day.seconds == (0,) and len(of_day.minutes) == 1 and (hourly := _hourly(of_day)):
        return hourly
    parts = []
    if of_day.seconds != (0,):
        parts.append(_of_sixty(of_day.seconds, "second", "of every minute"))
    if of_day.seconds == (0,) or len(of_day.minutes) < 60:
        parts.append(_minutes(of_day, nested=bool(parts)))
    parts.append(_hours(of_day))
    return " ".join(part for part in parts if part)


def clock(second_of_day: int) -> str:
    """``02:30``, or ``02:30:15``."""
    minutes, second = divmod(second_of_day, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{second:02}" if second else text


def _minutes(of_day: TimesOfDay, nested: bool) -> str:
    """``nested``: said of which minutes the seconds just named are."""
    if nested:
        return f"in minute {listed(runs(of_day.minutes, str))}"
    return _of_sixty(of_day.minutes, "minute", "of every hour" if len(of_day.hours) == 24 else "")


def _hourly(of_day: TimesOfDay) -> str | None:
    """``every hour``, ``every 2 hours from 01:30``, ``every hour from 08:15 to 17:15``; None if
    the hours are too irregular, or this would sound as if the minute did not matter."""
    first, last = clock(of_day[0]), clock(of_day[len(of_day) - 1])
    step = step_of(of_day.hours, 24)
    every = "every hour" if step == 1 else f"every {step} hours"
    if step and (step > 1 or of_day.minutes == (0,)):
        return every if of_day[0] == 0 else f"{every} from {first}"
    if step == 0 and in_a_row(of_day.hours):
        return f"every hour from {first} to {last}"
    return None


def in_a_row(numbers: tuple[int, ...]) -> bool:
    """Whether none is left out between the first and the last."""
    return len(numbers) == numbers[-1] - numbers[0] + 1


def _of_sixty(values: tuple[int, ...], unit: str, of_each: str) -> str:
    """``every 15 minutes``, ``every 15 minutes from minute 7``, ``at minute 5 and 35 of every
    hour``."""
    step = step_of(values, 60)
    if step == 1:
        return f"every {unit}"
    if step:
        start = f" from {unit} {values[0]}" if values[0] else ""
        return f"every {step} {unit}s{start}"
    return f"at {unit} {listed(runs(values, str))} {of_each}".rstrip()


def _hours(of_day: TimesOfDay) -> str:
    hours = of_day.hours
    if len(hours) == 24:
        return ""
    last_minute = clock(hours[-1] * 3600 + of_day.minutes[-1] * 60)
    if len(hours) > 1 and in_a_row(hours):
        return f"from {clock(hours[0] * 3600 + of_day.minutes[0] * 60)} to {last_minute}"
    return f"in the hour{'s' * (len(hours) > 1)} {listed([f'{hour:02}' for hour in hours])}"


def step_of(values: tuple[int, ...], size: int) -> int:
    """The step if ``values`` are as far apart as the last is from the first of the next round;
    0 otherwise."""
    step = size // len(values)
    even = tuple(range(values[0], size, step))
    return step if len(values) > 1 and size % len(values) == 0 and values == even else 0


def instant(second: int) -> tuple[datetime, str]:
    """A second since 1970, and its time of day."""
    moment = _EPOCH + timedelta(seconds=second)
    return moment, f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def in_units(seconds: int, names: Sequence[str]) -> list[tuple[int, str]]:
    """How many days, hours, minutes and seconds, by these ``names``; only what there is."""
    found = []
    for name, size in zip(names, _SIZES, strict=True):
        count, seconds = divmod(seconds, size)
        if count:
            found.append((count, name))
    return found
