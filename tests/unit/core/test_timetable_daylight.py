"""What becomes of slots when clocks are changed, against a clock watched tick by tick."""

from __future__ import annotations

import random
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from gocron.core import daylight
from gocron.core.timetable import parse
from tests.unit.core.timetable_oracle import Watch, slots_seen, watch

# zone, the moment (UTC) of a change of its offset, or near one
CHANGES = [
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Europe/London", "2026-03-29T01:00"),
    ("Europe/London", "2026-10-25T01:00"),
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),  # half an hour back
    ("Australia/Lord_Howe", "2026-10-03T15:30"),  # half an hour forward
    ("Asia/Kathmandu", "1985-12-31T18:30"),  # from +05:30 to +05:45, for good
    ("Asia/Kathmandu", "2026-03-29T01:00"),  # no change
    ("America/Sao_Paulo", "2018-11-04T03:00"),  # midnight does not exist
    ("America/Sao_Paulo", "2019-02-17T02:00"),  # the hour before midnight comes twice
    ("Pacific/Apia", "2011-12-30T10:00"),  # 30 December does not exist
    ("Pacific/Apia", "2012-03-31T14:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),  # Ramadan: first back,
    ("Africa/Casablanca", "2026-03-22T02:00"),  # then forward
    ("America/Havana", "2026-11-01T05:00"),  # from 01:00 to midnight: one day starts twice
    ("Pacific/Kwajalein", "1993-08-21T12:00"),  # 21 August does not exist
]

HOURS = [
    "*", "*/2", "*/3", "*/5", "0", "1", "2", "3", "23", "0-23", "1-3", "0,1,2,3",
    "22-23,0-3", "2/3",
]  # fmt: skip
MINUTES = ["0", "30", "15,45", "*/20", "*"]
SPECS = [f"{minute} {hour} * * *" for hour in HOURS for minute in MINUTES]
DATED_SPECS = [
    "0 0 1 * *",
    "30 2 * * SUN",
    "30 2 * * 0-7",
    "30 2 29 3 *",
    "0 2 * * 7#1",
    "15 1 1 11 *",
    "15 * 1 11 *",
    "30 23 16 2 *",
    "30 * 16 2 *",
    "0 12 30 12 *",
    "*/10 * 30 12 *",
    "0 */6 30 12 *",
    "59 23 L * *",
    "30 1 L 10 L7",
    "0 0 21 8 *",
    "0 0 */2 * 0",
    "0 0 1 1 2",
    "30 1-2 25 10 ?",
    "5 1 1 JAN *",
]
SECOND_SPECS = [
    "* * * * * *",
    "*/7 * * * * *",
    "30 */2 1-2 * * *",
    "0,30 59 * * * *",
    "59 59 23 * * *",
    "59 59 1 * * *",
    "0 0 3 * * *",
    "0-9 0 0-3 * * *",
    "1 0 */2 * * *",
]


def check_against_the_clock(spec: str, watched: Watch) -> None:
    timetable = parse(spec, watched.zone)
    expected = slots_seen(spec, watched)
    end, unbounded = watched.instants[-1], len(watched.instants) + 1

    found = timetable.between(watched.before, end, unbounded)
    assert found == expected, spec
    assert timetable.count(watched.before, end, unbounded) == len(expected), spec
    for instant in some_instants(watched):
        passed = bisect_right(expected, instant)
        assert timetable.count(watched.before, instant, unbounded) == passed, (spec, instant)
        assert timetable.count(instant, end, unbounded) == len(expected) - passed, (spec, instant)
        if passed:
            assert timetable.latest_at_or_before(instant) == expected[passed - 1], (spec, instant)
        if passed < len(expected):
            assert timetable.next_after(instant) == expected[passed], (spec, instant)


def some_instants(watched: Watch) -> tuple[datetime, ...]:
    """Some of the whole time, more of the time around the change."""
    middle = len(watched.instants) // 2
    return watched.instants[:: middle // 6] + watched.instants[middle - 70 : middle + 70 : 11]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_slots_around_a_change_are_those_a_watched_clock_gives(zone, change):
    watched = watch(zone, change, hours=27, tick_s=60)
    for spec in SPECS + DATED_SPECS:
        check_against_the_clock(spec, watched)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_slots_of_schedules_with_seconds_are_those_a_watched_clock_gives(zone, change):
    watched = watch(zone, change, hours=1.25, tick_s=1)
    for spec in SECOND_SPECS:
        check_against_the_clock(spec, watched)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_two_adjoining_ranges_are_the_whole_range_wherever_it_is_cut(zone, change):
    cuts = random.Random(change)
    middle = datetime.fromisoformat(change + "Z")
    start, end = middle - timedelta(hours=30), middle + timedelta(hours=30)
    for spec in ("30 2 * * *", "*/20 1-3 * * *", "15 * * * *", "0 0-23 * * *", "@every 50m"):
        timetable = parse(spec, zone)
        whole = timetable.between(start, end, 1000)
        assert all(earlier < later for earlier, later in pairwise(whole))
        for _ in range(20):
            cut = middle + timedelta(seconds=cuts.uniform(-7200, 7200))
            first, second = timetable.between(start, cut, 1000), timetable.between(cut, end, 1000)
            assert first + second == whole
            assert timetable.count(start, cut, 1000) == len(first)
            assert timetable.count(cut, end, 1000) == len(second)


@pytest.mark.parametrize(
    ("spec", "zone", "after", "slots"),
    [
        # skipped: 02:00 to 03:00 on 29 March in Berlin; the gap ends at 01:00 UTC
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["03-29T01:00", "03-30T00:30"]),
        ("*/15 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29T00:30", "03-29T01:30"]),
        ("0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00", ["03-29T02:00", "03-29T04:00"]),
        # repeated: 02:00 to 03:00 on 25 October in Berlin; the second pass begins at 01:00 UTC
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["10-25T00:30", "10-26T01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", ["10-26T01:30", "10-27T01:30"]),
        ("30 * * * *", "Europe/Berlin", "2026-10-25T00:00", ["10-25T00:30", "10-25T01:30"]),
        ("0 */2 * * *", "Europe/Berlin", "2026-10-24T23:00", ["10-25T00:00", "10-25T01:00"]),
        # half an hour, forward and back
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", ["10-03T15:30", "10-04T15:15"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", ["04-04T14:45", "04-05T15:15"]),
        # a whole day: noon of 30 December runs when the 31st begins
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00", ["12-30T10:00", "12-29T22:00"]),
    ],
)
def test_a_change_of_the_clock_in_words(spec, zone, after, slots):
    timetable = parse(spec, zone)
    first = timetable.next_after(datetime.fromisoformat(after + "Z"))
    assert first is not None
    second = timetable.next_after(first)
    assert second is not None
    assert [f"{slot:%m-%dT%H:%M}" for slot in (first, second)] == slots


def test_the_rule_holds_far_ahead():
    for year in (2037, 2038, 2100, 2399):
        spring = parse("30 2 * 3 SUN", "Europe/Berlin").between(
            datetime.fromisoformat(f"{year}-03-25T00:00Z"),
            datetime.fromisoformat(f"{year}-04-01T00:00Z"),
            10,
        )
        assert [slot.strftime("%H:%M") for slot in spring] == ["01:00"]


@pytest.fixture
def blocks_ending_in_a_repeated_hour(monkeypatch):
    """Offsets are remembered in blocks of time; here one ends at 02:30 in Berlin, second pass."""
    daylight._stretches.cache_clear()
    middle_of_the_second_pass = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    monkeypatch.setattr(daylight, "_BLOCK_S", int(middle_of_the_second_pass.timestamp()))
    yield
    daylight._stretches.cache_clear()


@pytest.mark.usefixtures("blocks_ending_in_a_repeated_hour")
def test_it_does_not_matter_how_the_offsets_of_a_zone_are_remembered():
    watched = watch("Europe/Berlin", "2026-10-25T01:00", hours=27, tick_s=60)
    for spec in SPECS:
        check_against_the_clock(spec, watched)


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "America/Recife", "Asia/Gaza"])
def test_no_change_is_overlooked_where_offsets_change_for_some_weeks_or_days(zone):
    info = ZoneInfo(zone)
    for day in range(365 * 120):
        instant = datetime.fromtimestamp(day * 86_400, info)
        assert stretch_offset(zone, instant) == instant.utcoffset()


def test_the_offsets_are_right_in_every_zone():
    moments = random.Random(1970)
    for zone in sorted(available_timezones()):
        info = ZoneInfo(zone)
        for _ in range(5):
            instant = datetime.fromtimestamp(moments.randrange(2**32), info)
            assert stretch_offset(zone, instant) == instant.utcoffset(), (zone, instant)


def stretch_offset(zone: str, instant: datetime) -> timedelta:
    return timedelta(seconds=daylight.stretch_at(zone, int(instant.timestamp())).offset)
