"""The window and the calendars around a spec."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from gocron.core.timetable import Rules, Timetable, parse
from gocron.errors import InvalidSchedule
from tests.unit.core.timetable_oracle import allowed, slots_seen, watch

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
NOON = JUNE + 12 * HOUR
FOR_EVER = date(9999, 12, 31)


def days_from(first: date, count: int, step: int = 1) -> frozenset[date]:
    return frozenset(first + i * step * DAY for i in range(count))


def slots(timetable: Timetable, after: datetime = MAY, until: datetime = JULY) -> list[datetime]:
    return timetable.between(after, until, 100_000)


# the window


def test_both_ends_of_the_window_belong_to_it():
    rules = Rules(starts_at=NOON, ends_at=NOON + 2 * HOUR)
    timetable = parse("0 * * * *", "UTC", rules)
    assert slots(timetable) == [NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert timetable.count(MAY, JULY, 100) == 3
    assert timetable.next_after(MAY) == NOON
    assert timetable.next_after(NOON + 2 * HOUR) is None
    assert timetable.latest_at_or_before(JULY) == NOON + 2 * HOUR
    assert timetable.latest_at_or_before(NOON - SECOND) is None


def test_a_slot_a_moment_outside_the_window_is_none():
    moment = timedelta(microseconds=1)
    rules = Rules(starts_at=NOON + moment, ends_at=NOON + 2 * HOUR - moment)
    assert slots(parse("0 * * * *", "UTC", rules)) == [NOON + HOUR]


def test_the_window_may_be_one_single_moment_or_open_at_one_end():
    assert slots(parse("0 * * * *", "UTC", Rules(starts_at=NOON, ends_at=NOON))) == [NOON]
    last_hours = Rules(starts_at=JULY - 2 * HOUR)
    assert slots(parse("0 * * * *", "UTC", last_hours)) == [JULY - 2 * HOUR, JULY - HOUR, JULY]
    first_hours = Rules(ends_at=MAY + 2 * HOUR)
    assert slots(parse("0 * * * *", "UTC", first_hours)) == [MAY + HOUR, MAY + 2 * HOUR]


def test_the_ends_of_the_window_are_instants_of_any_zone():
    eastern = timezone(-4 * HOUR)
    rules = Rules(starts_at=NOON.astimezone(eastern), ends_at=NOON.astimezone(eastern))
    assert slots(parse("0 * * * *", "Asia/Tokyo", rules)) == [NOON]


@pytest.mark.parametrize("spec", ["@every 1h", "@at 2026-06-01T12:00Z", "0 12 * * *", "@daily"])
def test_the_window_holds_for_every_kind_of_schedule(spec):
    closed = Rules(starts_at=NOON + SECOND, ends_at=NOON + HOUR - SECOND)
    assert slots(parse(spec, "UTC", closed)) == []
    inside = Rules(starts_at=JUNE, ends_at=NOON)
    assert slots(parse(spec, "UTC", inside))
    assert all(JUNE <= slot <= NOON for slot in slots(parse(spec, "UTC", inside)))


def test_a_window_around_all_time_changes_nothing():
    ever = Rules(
        starts_at=datetime.min.replace(tzinfo=UTC), ends_at=datetime.max.replace(tzinfo=UTC)
    )
    assert slots(parse("0 * * * *", "UTC", ever)) == slots(parse("0 * * * *", "UTC"))


def test_a_window_that_ends_before_it_begins_is_refused():
    with pytest.raises(InvalidSchedule, match=r"^window: it ends .* before it begins"):
        Rules(starts_at=NOON, ends_at=NOON - SECOND)


def test_a_window_without_a_time_zone_is_a_mistake_of_the_program():
    with pytest.raises(ValueError, match=r"^window: 2026-06-01 00:00:00 has no time zone"):
        Rules(starts_at=datetime(2026, 6, 1))  # noqa: DTZ001 - the mistake in question


# the calendars


def test_excluded_days_have_no_slots():
    rules = Rules(excluded=frozenset({date(2026, 6, 2), date(2026, 6, 3), date(2026, 6, 5)}))
    found = slots(parse("0 12 * * *", "UTC", rules), JUNE, JUNE + 6 * DAY)
    assert [slot.day for slot in found] == [1, 4, 6]


def test_required_days_are_the_only_ones_with_slots():
    rules = Rules(required=frozenset({date(2026, 6, 2), date(2026, 6, 5)}))
    timetable = parse("0 12 * * *", "UTC", rules)
    assert [slot.day for slot in slots(timetable)] == [2, 5]
    assert timetable.next_after(JULY) is None
    assert timetable.latest_at_or_before(JUNE) is None


def test_a_day_that_is_required_and_excluded_is_excluded():
    both = frozenset({date(2026, 6, 2)})
    rules = Rules(excluded=both, required=both | {date(2026, 6, 5)})
    assert [slot.day for slot in slots(parse("0 12 * * *", "UTC", rules))] == [5]


def test_no_required_day_means_no_slot_and_none_given_means_every_day():
    never = parse("* * * * * *", "Europe/Berlin", Rules(required=frozenset()))
    assert never.next_after(MAY) is None
    assert never.latest_at_or_before(MAY) is None
    assert never.between(MAY, JULY, 5) == []
    assert never.count(MAY, JULY, 5) == 0
    assert not never.allows(NOON)
    assert slots(parse("@daily", "UTC", Rules(required=None))) == slots(parse("@daily", "UTC"))


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("UTC", range(24)),
        ("Asia/Tokyo", [*range(15, 24), *range(15)]),
        ("America/New_York", [*range(4, 24), *range(4)]),
        ("Asia/Kathmandu", [*range(19, 24), *range(19)]),  # 05:45 ahead: 18:15 to 18:15
    ],
)
def test_the_date_of_a_slot_is_that_of_the_clock_of_its_zone(zone, hours):
    rules = Rules(required=frozenset({date(2026, 6, 2)}))
    found = slots(parse("@every 1h", zone, rules))
    assert [slot.hour for slot in found] == list(hours)
    assert {slot.astimezone(ZoneInfo(zone)).date() for slot in found} == {date(2026, 6, 2)}


def test_the_zone_in_front_of_the_spec_decides_the_date():
    rules = Rules(excluded=frozenset({date(2026, 6, 2)}))
    timetable = parse("CRON_TZ=Asia/Tokyo 0 1 * * *", "America/New_York", rules)
    assert timetable.next_after(JUNE) == datetime(2026, 6, 2, 16, tzinfo=UTC)  # 3 June in Tokyo


def test_a_skipped_time_is_judged_by_the_date_on_which_it_runs():
    rules = Rules(excluded=frozenset({date(2011, 12, 31)}))
    apia = parse("0 12 30 12 *", "Pacific/Apia", rules)  # 30 December 2011 does not exist there
    assert apia.next_after(datetime(2011, 12, 1, tzinfo=UTC)) == datetime(
        2012, 12, 29, 22, tzinfo=UTC
    )


def test_a_date_that_the_clock_shows_again_counts_again():
    only = Rules(required=frozenset({date(2019, 2, 16)}))  # 23:00 comes twice in Sao Paulo
    found = slots(
        parse("30 * * * *", "America/Sao_Paulo", only),
        datetime(2019, 2, 15, tzinfo=UTC),
        datetime(2019, 2, 18, tzinfo=UTC),
    )
    assert len(found) == 25
    assert found[-1] == datetime(2019, 2, 17, 2, 30, tzinfo=UTC)


# runs without a slot


def test_window_and_calendars_say_whether_a_run_at_an_election_is_allowed():
    rules = Rules(starts_at=NOON, ends_at=NOON + DAY, excluded=frozenset({date(2026, 6, 2)}))
    timetable = parse("@reboot", "UTC", rules)
    assert timetable.on_election
    assert not timetable.allows(NOON - SECOND)
    assert timetable.allows(NOON)
    assert timetable.allows(NOON + HOUR + timedelta(milliseconds=500))
    assert not timetable.allows(NOON + 12 * HOUR)
    tokyo = parse("@reboot", "Asia/Tokyo", rules)
    assert not tokyo.allows(NOON + 4 * HOUR)
    assert tokyo.allows(NOON + 3 * HOUR - SECOND)


# how long it takes


@pytest.mark.parametrize("spec", ["* * * * * *", "@every 1s", "0 0 12 * * *"])
@pytest.mark.parametrize("step", [1, 2])
def test_ten_years_of_excluded_days_are_passed_quickly(spec, step):
    first = date(2026, 6, 1)
    rules = Rules(excluded=days_from(first, 3_650, step))
    timetable = parse(spec, "Europe/Berlin", rules)
    begin = time.monotonic()
    after = timetable.next_after(JUNE)
    before = timetable.latest_at_or_before(JUNE + 3_649 * step * DAY)
    total = timetable.count(MAY, JUNE + 8_000 * DAY, 10**12)
    assert time.monotonic() - begin < 10

    berlin = ZoneInfo("Europe/Berlin")
    assert after is not None
    assert after.astimezone(berlin).date() == first + (3_650 * DAY if step == 1 else DAY)
    assert before is not None
    assert before.astimezone(berlin).date() == first + (
        -DAY if step == 1 else 3_649 * 2 * DAY - DAY
    )
    without = parse(spec, "Europe/Berlin").count(MAY, JUNE + 8_000 * DAY, 10**12)
    assert without - total == parse(spec, "Europe/Berlin", Rules(required=rules.excluded)).count(
        MAY, JUNE + 8_000 * DAY, 10**12
    )


@pytest.mark.parametrize("spec", ["* * * * * *", "0 0 1 1 *", "@every 1s"])
def test_a_required_day_far_away_is_found_without_looking_at_the_years_before_it(spec):
    far = date(8990, 1, 1)
    timetable = parse(spec, "Europe/Berlin", Rules(required=frozenset({date(1971, 1, 1), far})))
    begin = time.monotonic()
    found = [timetable.next_after(JUNE + i * DAY) for i in range(50)]
    passed = [timetable.latest_at_or_before(JUNE + (2_500_000 + i) * DAY) for i in range(50)]
    assert time.monotonic() - begin < 5
    assert set(found) == {datetime(8989, 12, 31, 23, tzinfo=UTC)}
    assert len(set(passed)) == 1
    assert passed[0] is not None
    assert passed[0].astimezone(ZoneInfo("Europe/Berlin")).date() == date(1971, 1, 1)


def test_a_required_day_after_all_slots_is_no_slot():
    timetable = parse("@daily", "Europe/Berlin", Rules(required=frozenset({FOR_EVER, date.min})))
    assert timetable.next_after(JUNE) is None
    assert timetable.latest_at_or_before(JULY) is None
    assert timetable.count(MAY, JULY, 5) == 0


# all of it at once

CHANGES = [
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),
    ("America/Sao_Paulo", "2019-02-17T02:00"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Pacific/Kwajalein", "1993-08-21T12:00"),
    ("America/Havana", "2026-11-01T05:00"),
    ("America/Juneau", "1983-10-30T10:00"),
]
SPECS = [
    "*/10 * * * *",
    "30 2 * * *",
    "0 0 * * *",
    "30 0,1,23 * * *",
    "0 */2 * * *",
    "15 0-3 * * *",
]


@pytest.mark.parametrize(("zone", "around"), CHANGES)
def test_what_the_rules_leave_is_what_is_left_after_judging_slot_by_slot(zone, around):
    choice = random.Random(zone + around)
    watched = watch(zone, around, hours=60, tick_s=60)
    dates = sorted({wall.date() for wall in watched.walls})
    start, end = watched.instants[0], watched.instants[-1]
    for spec in SPECS:
        seen = slots_seen(spec, watched)
        for _ in range(15):
            ends = sorted(start + choice.random() * (end - start) for _ in range(2))
            chosen = frozenset(day for day in dates if choice.random() < 0.5)
            others = frozenset(day for day in dates if choice.random() < 0.7)
            rules = Rules(
                starts_at=choice.choice([None, ends[0]]),
                ends_at=choice.choice([None, ends[1]]),
                excluded=choice.choice([frozenset(), chosen]),
                required=choice.choice([None, others]),
            )
            expected = allowed(seen, rules, zone)
            timetable = parse(spec, zone, rules)
            assert timetable.between(watched.before, end, 10_000) == expected, rules
            assert timetable.count(watched.before, end, 10_000) == len(expected), rules
            instant = start + choice.random() * (end - start)
            later = [slot for slot in expected if slot > instant]
            if later:
                assert timetable.next_after(instant) == later[0], rules
            passed = [slot for slot in expected if slot <= instant]
            if passed:
                assert timetable.latest_at_or_before(instant) == passed[-1], rules
