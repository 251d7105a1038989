"""What a timetable promises, apart from the change of clocks and the calendar."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from gocron.core.spec import SHORTCUTS
from gocron.core.timetable import parse

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("spec", "zone", "after", "slot"),
    [
        ("* * * * *", "UTC", "2026-01-31T23:59:30", "2026-02-01T00:00:00"),
        ("* * * * * *", "UTC", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("*/20 * * * * *", "UTC", "2026-01-01T00:00:20", "2026-01-01T00:00:40"),
        ("30 2 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00", "2026-01-01T20:45:00"),
        ("15 30 2 * * *", "Europe/Berlin", "2026-01-01T00:00:00", "2026-01-01T01:30:15"),
        ("5/20 * * * *", "UTC", "2026-01-01T00:26:00", "2026-01-01T00:45:00"),
        ("50-59/4 * * * *", "UTC", "2026-01-01T00:58:00", "2026-01-01T01:50:00"),
        ("1-1 * * * *", "UTC", "2026-01-01T00:01:00", "2026-01-01T01:01:00"),
        ("*/60 * * * *", "UTC", "2026-01-01T00:00:00", "2026-01-01T01:00:00"),
        ("  07\t03 * * *  ", "UTC", "2026-01-01T00:00:00", "2026-01-01T03:07:00"),
        ("@Daily", "America/New_York", "2026-01-01T00:00:00", "2026-01-01T05:00:00"),
        ("CRON_TZ=America/New_York 0 9 * * *", "UTC", "2026-07-01T00:00:00", "2026-07-01T13:00:00"),
        ("TZ=Asia/Tokyo @daily", "UTC", "2026-07-01T00:00:00", "2026-07-01T15:00:00"),
        ("@every 90s", "Europe/Berlin", "1970-01-01T00:00:00", "1970-01-01T00:01:30"),
        ("@every 1h30m", "UTC", "2026-01-01T00:00:00", "2026-01-01T01:30:00"),
        ("@EVERY\t24h", "Pacific/Apia", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
    ],
)
def test_the_next_slot(spec, zone, after, slot):
    found = parse(spec, zone).next_after(at(after))
    assert found == at(slot)
    assert found.tzinfo is UTC


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_a_shortcut_is_the_spec_it_stands_for(shortcut):
    assert (
        parse(shortcut, "Europe/London").rhythm
        == parse(SHORTCUTS[shortcut], "Europe/London").rhythm
    )


@pytest.mark.parametrize("spec", ["*/7 * * * *", "0 30 2 L * *", "@every 35m", "0 0 29 2 *"])
def test_each_slot_follows_from_the_one_before(spec):
    timetable = parse(spec, "Europe/Berlin")
    start = at("2026-03-01T00:00:00")
    slots = timetable.between(start, start + 3000 * DAY, 50)
    walked = [start]
    for _ in slots:
        following = timetable.next_after(walked[-1])
        assert following is not None
        walked.append(following)
    assert walked[1:] == slots
    assert slots == sorted(set(slots))


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Sydney"])
def test_an_hourly_schedule_is_due_every_hour_of_many_years(zone):
    timetable = parse("@hourly", zone)
    start = at("2019-12-31T23:30:00")
    slots = timetable.between(start, start + 3000 * DAY, 1_000_000)
    assert len(slots) == 3000 * 24 == timetable.count(start, start + 3000 * DAY, 1_000_000)
    assert {later - earlier for earlier, later in pairwise(slots)} == {HOUR}


def test_a_range_leaves_out_its_beginning_and_includes_its_end():
    timetable = parse("0 * * * *", "UTC")
    noon = at("2026-01-01T12:00:00")
    assert timetable.between(noon, noon + 2 * HOUR, 10) == [noon + HOUR, noon + 2 * HOUR]
    assert timetable.between(noon, noon, 10) == []
    assert timetable.between(noon, noon - HOUR, 10) == []
    assert timetable.between(noon, noon + DAY, 2) == [noon + HOUR, noon + 2 * HOUR]
    assert timetable.between(noon, noon + DAY, 0) == []


def test_a_slot_is_its_own_latest_but_not_its_own_next():
    timetable = parse("0 12 * * *", "UTC")
    noon = at("2026-01-01T12:00:00")
    a_bit = timedelta(microseconds=1)
    assert timetable.latest_at_or_before(noon) == noon
    assert timetable.latest_at_or_before(noon - a_bit) == noon - DAY
    assert timetable.latest_at_or_before(noon + a_bit) == noon
    assert timetable.next_after(noon) == noon + DAY
    assert timetable.next_after(noon - a_bit) == noon
    assert timetable.next_after(noon + a_bit) == noon + DAY


def test_the_newest_slot_of_a_long_outage_is_found_although_a_billion_were_missed():
    now = at("2026-06-01T12:00:00.5")
    for spec in ("* * * * * *", "@every 1s"):
        timetable = parse(spec, "Europe/Berlin")
        assert timetable.latest_at_or_before(now) == at("2026-06-01T12:00:00")
        assert timetable.count(now - 12_000 * DAY, now, 10**12) == 12_000 * 86_400


@pytest.mark.parametrize("spec", ["* * * * *", "0 30 2 * * *", "@every 10s", "0 0 L * 1"])
def test_a_count_stops_at_its_limit(spec):
    timetable = parse(spec, "Europe/Berlin")
    start = at("2026-01-01T00:00:00")
    assert timetable.count(start, start + 1000 * DAY, 7) == 7
    assert timetable.count(start, start + 1000 * DAY, 0) == 0
    assert timetable.count(start, start - DAY, 7) == 0


@pytest.mark.parametrize("spec", ["0 0 29 2 *", "* * * * *", "0 0 * * *", "@every 1h"])
def test_there_are_no_slots_before_1970_nor_from_the_year_9000_on(spec):
    timetable = parse(spec, "Pacific/Auckland")
    oldest, newest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    first, last = timetable.next_after(oldest), timetable.latest_at_or_before(newest)
    assert first is not None
    assert last is not None
    assert first >= at("1970-01-01T00:00:00")
    assert last < at("9000-01-01T00:00:00")
    assert timetable.latest_at_or_before(oldest) is None
    assert timetable.latest_at_or_before(first - timedelta(seconds=1)) is None
    assert timetable.next_after(newest) is None
    assert timetable.next_after(last) is None
    assert timetable.between(last - timedelta(seconds=1), newest, 5) == [last]


def test_instants_of_any_zone_are_understood_and_naive_ones_refused():
    timetable = parse("0 12 * * *", "UTC")
    eastern = timezone(timedelta(hours=-5))
    assert timetable.next_after(datetime(2026, 1, 1, 6, tzinfo=eastern)) == at(
        "2026-01-01T12:00:00"
    )
    with pytest.raises(TypeError):
        timetable.next_after(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake in question


def test_the_interval_of_every_is_counted_from_the_epoch_in_any_zone():
    slots = [
        parse("@every 7h", zone).next_after(at("2026-03-29T00:30:00"))
        for zone in ("UTC", "Europe/Berlin")
    ]
    assert slots[0] == slots[1]
    assert slots[0] is not None
    assert (slots[0] - at("1970-01-01T00:00:00")) % timedelta(hours=7) == timedelta(0)


def test_a_timetable_is_parsed_once_and_never_changes():
    timetable = parse("0 30 2 * * *", "Europe/Berlin")
    assert parse("0 30 2 * * *", "Europe/Berlin") is timetable
    assert (timetable.spec, timetable.zone) == ("0 30 2 * * *", "Europe/Berlin")
    with pytest.raises(dataclasses.FrozenInstanceError):
        timetable.spec = "* * * * *"


def test_the_zone_of_the_prefix_is_the_zone_of_the_timetable():
    timetable = parse("CRON_TZ=Asia/Tokyo 0 9 * * *", "Europe/Berlin")
    assert timetable.zone == "Asia/Tokyo"
    assert timetable.spec == "CRON_TZ=Asia/Tokyo 0 9 * * *"
