"""Slots against those of cronsim, which healthchecks.io uses, around changes of clocks from 2000 to
2037. Where cronsim means something else, docs/schedules.md says so, and the table below says how.

The test takes a sample; all of it, with the differences counted by their cause:

    python -m tests.unit.core.test_timetable_cronsim SECONDS
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from gocron.core.cron_calendar import CronCalendar
from gocron.core.cron_fields import parse_fields
from gocron.core.daylight import ElapsedTimes
from gocron.core.limits import Limits
from gocron.core.timetable import Timetable, parse
from tests.unit.core.timetable_oracle import random_spec, slots_seen, watch

ZONES = [
    "America/New_York",
    "Europe/London",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Asia/Tehran",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
    "Pacific/Auckland",
    "Asia/Kolkata",
]
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)
SIX_HOURS = 6 * HOUR
MOST_SLOTS = 2_000


class Cause(Enum):
    """Why cronsim's slots are others."""

    ELAPSED = "a fixed hour with seconds or a wildcard minute: for cronsim it follows elapsed time"
    SUNDAY = "N/step of the weekday: cronsim counts up to 7, a Sunday"
    CHANGE = "a change at midnight or not by one hour: only ours are what a watched clock shows"
    OURS = "not explained"


@dataclass(frozen=True)
class Case:
    """A spec (in the spelling of both), a zone and a time of a day around a change."""

    spec: str
    zone: str
    middle: datetime

    def ours(self) -> list[datetime]:
        timetable = parse(self.spec, self.zone)
        return timetable.between(self.middle - SIX_HOURS, self.middle + SIX_HOURS, MOST_SLOTS)

    def cronsims(self) -> list[datetime]:
        slots: list[datetime] = []
        start = (self.middle - SIX_HOURS).astimezone(ZoneInfo(self.zone))
        for local in CronSim(self.spec, start):
            slot = local.astimezone(UTC)
            if slot > self.middle + SIX_HOURS or len(slots) == MOST_SLOTS:
                break
            slots.append(slot)
        return slots

    def cause(self) -> Cause | None:
        """Why the two differ; None if they do not."""
        ours, theirs = self.ours(), self.cronsims()
        if ours == theirs:
            return None
        if self.follows_elapsed_time_in_cronsim() and self.slots_of_elapsed_time() == theirs:
            return Cause.ELAPSED
        *others, weekday = self.spec.split()
        spelled_out = " ".join([*others, up_to_saturday(weekday)])
        if spelled_out != self.spec:
            same = Case(spelled_out, self.zone, self.middle)
            if same.ours() == ours and same.cause() is not Cause.OURS:
                return Cause.SUNDAY
        if self.has_unusual_change() and self.slots_on_the_clock() == ours:
            return Cause.CHANGE
        return Cause.OURS

    def has_unusual_change(self) -> bool:
        info = ZoneInfo(self.zone)
        before = (self.middle - timedelta(minutes=1)).astimezone(info)
        after = self.middle.astimezone(info)
        shown = before.replace(tzinfo=None) + timedelta(minutes=1)
        by = after.replace(tzinfo=None) - shown
        return abs(by) != HOUR or 0 in (shown.hour, after.hour)

    def slots_on_the_clock(self) -> list[datetime]:
        tick_s = 1 if self.seconds else 60
        watched = watch(self.zone, f"{self.middle:%Y-%m-%dT%H:%M:%S}", 6, tick_s)
        start = self.middle - SIX_HOURS
        return [slot for slot in slots_seen(self.spec, watched) if slot > start][:MOST_SLOTS]

    @property
    def seconds(self) -> bool:
        return len(self.spec.split()) == 6

    def follows_elapsed_time_in_cronsim(self) -> bool:
        minute, hour = self.spec.split()[-5:-3]
        return not hour.startswith("*") and (self.seconds or minute.startswith("*"))

    def slots_of_elapsed_time(self) -> list[datetime]:
        calendar = CronCalendar.of(parse_fields(self.spec))
        elapsed = ElapsedTimes(calendar, self.zone)
        everything = Limits(0, 2**40, None, self.zone)
        timetable = Timetable(self.spec, self.zone, elapsed, everything)
        return timetable.between(self.middle - SIX_HOURS, self.middle + SIX_HOURS, MOST_SLOTS)


def up_to_saturday(weekday: str) -> str:
    """``2/3`` as ``2-6/3``."""
    items = []
    for item in weekday.split(","):
        first, slash, step = item.partition("/")
        is_open = slash and first != "*" and "-" not in first
        items.append(f"{first}-6/{step}" if is_open else item)
    return ",".join(items)


@cache
def changes(zone: str) -> list[datetime]:
    """When the zone changes its offset; for a zone without changes, the new years."""
    info = ZoneInfo(zone)
    found = []
    day = FIRST
    while day < LAST:
        following = day + timedelta(days=1)
        if day.astimezone(info).utcoffset() != following.astimezone(info).utcoffset():
            found.append(change_between(info, day, following))
        day = following
    return found or [FIRST.replace(year=year) for year in range(2001, 2038)]


def change_between(info: ZoneInfo, before: datetime, after: datetime) -> datetime:
    minute = timedelta(minutes=1)
    while after - before > minute:
        middle = before + (after - before) // minute // 2 * minute
        if middle.astimezone(info).utcoffset() == before.astimezone(info).utcoffset():
            before = middle
        else:
            after = middle
    return after


@cache
def generated_specs(count: int) -> list[str]:
    choice = random.Random(500)
    return [random_spec(choice) for _ in range(count)]


def cases(seed: int) -> Iterator[Case]:
    """All of them, in an order of chance."""
    everything = [
        (spec, zone, change)
        for spec in generated_specs(500)
        for zone in ZONES
        for change in changes(zone)
    ]
    random.Random(seed).shuffle(everything)
    return (Case(*one) for one in everything)


@pytest.mark.parametrize("zone", ZONES)
def test_the_slots_are_those_of_cronsim_but_for_the_documented_differences(zone):
    choice = random.Random(zone)
    for _ in range(400):
        spec, change = choice.choice(generated_specs(500)), choice.choice(changes(zone))
        case = Case(spec, zone, change)
        assert case.cause() is not Cause.OURS, case


def test_every_difference_to_cronsim_does_occur():
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    sunday = datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert Case("*/15 2 * * *", "Europe/Berlin", change).cause() is Cause.ELAPSED
    assert Case("0 30 2 * * *", "Europe/Berlin", change).cause() is Cause.ELAPSED
    assert Case("0 12 * * 1/3", "UTC", sunday).cause() is Cause.SUNDAY
    lord_howe = datetime(2037, 4, 4, 15, tzinfo=UTC)
    assert Case("30 * * * *", "Australia/Lord_Howe", lord_howe).cause() is Cause.CHANGE
    midnight = datetime(2005, 10, 16, 3, tzinfo=UTC)
    assert Case("*/15 1 * * SUN", "America/Sao_Paulo", midnight).cause() is Cause.CHANGE
    assert Case("0,30 2 * * *", "Europe/Berlin", change).cause() is None


def sweep(seconds: float) -> None:
    """Compare everything, or as much as there is time for."""
    end = time.monotonic() + seconds
    compared: Counter[str] = Counter()
    found: Counter[Cause] = Counter()
    by_zone: Counter[tuple[Cause, str]] = Counter()
    examples: dict[Cause, list[Case]] = {cause: [] for cause in Cause}
    for case in cases(seed=1):
        if time.monotonic() > end:
            break
        compared[case.zone] += 1
        if cause := case.cause():
            found[cause] += 1
            by_zone[cause, case.zone] += 1
            examples[cause].append(case)
            watch.cache_clear()
    total = sum(len(changes(zone)) for zone in ZONES) * 500
    lines = [f"{compared.total()} of {total} compared: {dict(compared)}"]
    for cause in Cause:
        lines.append(f"{found[cause]:6} {cause.value}")
        lines += [f"       {by_zone[cause, zone]} in {zone}" for zone in ZONES]
        lines += [f"       {case}" for case in examples[cause][:8]]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sweep(float(sys.argv[1]))
