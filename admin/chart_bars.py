"""Bars of the charts: what became of slots, by hours of the installation's clock. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gocron.core.tally import Tally, span_of, start_of

HOURS = 24
QUARTERS = 28


@dataclass(frozen=True)
class Bar:
    """``start`` is local; ``states`` says how many slots came to which end."""

    start: datetime
    states: Counter[str]


def hours_of_day(tally: Tally, now: datetime, zone: ZoneInfo) -> list[Bar]:
    """The present hour and the ``HOURS`` before it."""
    return _bars(tally, now, zone, HOURS + 1, lambda local: local.minute == 0)


def quarters_of_week(tally: Tally, now: datetime, zone: ZoneInfo) -> list[Bar]:
    """The present quarter of a day (from 0, 6, 12 and 18 h) and the ones before it; where the
    clock is changed one is an hour shorter or longer."""
    return _bars(
        tally, now, zone, QUARTERS, lambda local: local.minute == 0 and local.hour % 6 == 0
    )


def _bars(
    tally: Tally, now: datetime, zone: ZoneInfo, count: int, begins: Callable[[datetime], bool]
) -> list[Bar]:
    starts: list[int] = []
    span = span_of(now)
    while len(starts) < count:
        if begins(start_of(span).astimezone(zone)):
            starts.append(span)
        span -= 1
    starts.reverse()
    found = tally.bars(starts)
    return [
        Bar(start_of(start).astimezone(zone), states)
        for start, states in zip(starts, found, strict=True)
    ]
