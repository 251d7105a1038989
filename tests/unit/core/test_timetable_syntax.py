"""What crontab(5) does not have: H, W, L-3, @every with days, @at and @reboot."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from gocron.core.cron_fields import CronFields, parse_fields
from gocron.core.timetable import Rules, Timetable, parse
from gocron.errors import InvalidSchedule

TASKS = [f"task {number}" for number in range(3_000)]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVER = datetime(1970, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
DAY = timedelta(days=1)


def of(spec: str, seed: str = "", zone: str = "UTC") -> Timetable:
    return parse(spec, zone, Rules(seed=seed))


def days(spec: str, after: str, count: int) -> list[str]:
    timetable = parse(f"0 0 {spec}", "UTC")
    start = datetime.fromisoformat(after + "T00:00Z") - timedelta(seconds=1)
    return [f"{slot:%m-%d}" for slot in timetable.between(start, start + 4000 * DAY, count)]


def slots(spec: str, zone: str) -> list[str]:
    found = parse(spec, zone).between(EVER, datetime(9000, 1, 1, tzinfo=UTC), 3)
    return [f"{slot:%Y-%m-%dT%H:%M:%S}" for slot in found]


# H


def test_h_is_the_same_for_a_task_in_every_process():
    specs = ["H H * * *", "H H(1-5) H H H", "H H/6 H/4 * *", "H/15 * * * *", "H * * * * *"]
    program = (
        "from gocron.core.cron_fields import parse_fields\n"
        f"for spec in {specs!r}: print(parse_fields(spec, 'nightly backup'))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    here = "".join(f"{parse_fields(spec, 'nightly backup')}\n" for spec in specs)
    assert answers == {here}


def test_h_never_changes_what_it_has_chosen():
    """Other numbers here move the tasks of every user; so they are written down."""
    assert texts(parse_fields("H H H H H H", "nightly backup")) == [
        "16",
        "53",
        "23",
        "16",
        "2",
        "0",
    ]
    steps = parse_fields("H/15 H(1-5) H(2-20)/6 * *", "nightly backup")
    assert texts(steps) == ["0", "8-59/15", "3", "7-20/6", "*", "*"]


def texts(fields: CronFields) -> list[str]:
    return [
        choice.text
        for choice in (
            fields.second, fields.minute, fields.hour, fields.day, fields.month, fields.weekday,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "name", "low", "high"),
    [
        ("H 0 0 * * *", "second", 0, 59),
        ("H * * * *", "minute", 0, 59),
        ("0 H * * *", "hour", 0, 23),
        ("0 0 H * *", "day", 1, 28),
        ("0 0 1 H *", "month", 1, 12),
        ("0 0 * * H", "weekday", 0, 6),
        ("H(10-19) * * * *", "minute", 10, 19),
        ("0 0 1 H(MAR-MAY) *", "month", 3, 5),
        ("0 0 * * h(mon-fri)", "weekday", 1, 5),
        ("0 0 H(5-7) * *", "day", 5, 7),
    ],
)
def test_h_spreads_tasks_over_all_values_of_its_range_and_no_other(spec, name, low, high):
    chosen = Counter(getattr(parse_fields(spec, task), name).numbers for task in TASKS)
    assert set(chosen) == {(value,) for value in range(low, high + 1)}
    average = len(TASKS) / len(chosen)
    assert max(chosen.values()) < 2 * average
    assert min(chosen.values()) > average / 2


@pytest.mark.parametrize(
    ("spec", "name", "low", "high", "step"),
    [
        ("H/15 * * * *", "minute", 0, 59, 15),
        ("0 H/6 * * *", "hour", 0, 23, 6),
        ("0 0 H/7 * *", "day", 1, 28, 7),
        ("H(0-29)/10 * * * *", "minute", 0, 29, 10),
        ("0 H(8-17)/3 * * *", "hour", 8, 17, 3),
        ("0 0 * * H/2", "weekday", 0, 6, 2),
    ],
)
def test_h_with_a_step_begins_anywhere_in_the_first_step(spec, name, low, high, step):
    chosen = {getattr(parse_fields(spec, task), name).numbers for task in TASKS}
    assert chosen == {tuple(range(low + first, high + 1, step)) for first in range(step)}


def test_h_is_drawn_anew_for_every_field():
    fields = [parse_fields("H H H * * *", task) for task in TASKS]
    assert len({(each.second.numbers, each.minute.numbers) for each in fields}) > 1_500


def test_two_h_in_a_list_are_mostly_two_values():
    chosen = [parse_fields("H(0-29),H(30-59),H * * * *", task).minute.numbers for task in TASKS]
    assert all(any(minute < 30 for minute in each) for each in chosen)
    assert all(any(minute >= 30 for minute in each) for each in chosen)
    assert Counter(len(each) for each in chosen).most_common(1)[0][0] == 3


def test_a_schedule_without_h_is_the_same_for_every_task():
    assert of("5 4 * * THU", "one").rhythm is of("5 4 * * THU", "one").rhythm
    assert of("5 4 * * *", "one").rhythm is of("5 4 * * *", "another").rhythm
    assert of("H 4 * * *", "one").rhythm != of("H 4 * * *", "another").rhythm


def test_a_schedule_with_h_runs_when_its_numbers_say():
    for task in TASKS[:50]:
        fields = parse_fields("H H H * *", task)
        spelled_out = " ".join(texts(fields)[1:])
        assert "H" not in spelled_out
        assert of("H H H * *", task).rhythm == of(spelled_out).rhythm


def test_an_hour_of_h_is_a_fixed_time_when_clocks_are_changed():
    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert of("30 H(2-2) * * *", "x", "Europe/Berlin").next_after(spring) == datetime(
        2026, 3, 29, 1, tzinfo=UTC
    )


# days that only a look at the month can tell


@pytest.mark.parametrize(
    ("spec", "after", "found"),
    [
        # 1 August 2026 is a Saturday, 1 November 2026 a Sunday, 31 May 2026 a Sunday
        ("15W * *", "2026-08-01", ["08-14", "09-15", "10-15", "11-16"]),
        ("1W * *", "2026-08-01", ["08-03", "09-01", "10-01", "11-02"]),
        ("31W * *", "2026-01-01", ["01-30", "03-31", "05-29", "07-31"]),
        ("30W 5 *", "2026-01-01", ["05-29"]),
        ("lw 5,10 *", "2026-01-01", ["05-29", "10-30"]),
        ("LW 2 *", "2026-01-01", ["02-27", "02-26"]),
        ("L-3 * ?", "2026-01-01", ["01-28", "02-25", "03-28", "04-27"]),
        ("L-30 * *", "2026-01-01", ["01-01", "03-01", "05-01", "07-01"]),
        ("L-3W 3 *", "2026-01-01", ["03-27"]),
        ("L 2 *", "2027-01-01", ["02-28", "02-29", "02-28"]),
        ("1,15W,L * *", "2026-08-01", ["08-01", "08-14", "08-31", "09-01"]),
        ("* * 5#3", "2026-08-01", ["08-21", "09-18", "10-16"]),
        ("* * MON#5", "2026-08-01", ["08-31", "11-30"]),
        ("* * L5", "2026-08-01", ["08-28", "09-25", "10-30"]),
        ("* * LSUN", "2026-05-01", ["05-31", "06-28"]),
        ("13 * FRI#1", "2026-08-01", ["08-07", "08-13", "09-04", "09-13"]),
    ],
)
def test_a_day_that_depends_on_the_month(spec, after, found):
    assert days(spec, after, len(found)) == found


# @every


@pytest.mark.parametrize(
    ("duration", "length"),
    [
        ("1d", DAY),
        ("1d12h", 1.5 * DAY),
        ("2D3H4M5S", timedelta(days=2, hours=3, minutes=4, seconds=5)),
        ("0d1s", timedelta(seconds=1)),
        ("90m", timedelta(minutes=90)),
        ("366d", 366 * DAY),
    ],
)
def test_an_interval_may_have_days(duration, length):
    found = parse(f"@every {duration}", "Europe/Berlin").between(NOW, NOW + 2000 * DAY, 5)
    assert {later - earlier for earlier, later in pairwise(found)} == {length}
    assert (found[0] - datetime(1970, 1, 1, tzinfo=UTC)) % length == timedelta()


def test_a_day_of_an_interval_has_24_hours_also_when_clocks_are_changed():
    found = parse("@every 1d", "Europe/Berlin").between(NOW, NOW + 300 * DAY, 300)
    assert {slot.hour for slot in found} == {0}


# @at


@pytest.mark.parametrize(
    ("spec", "zone", "slot"),
    [
        ("@at 2026-12-24T18:00", "Europe/Berlin", "2026-12-24T17:00:00"),
        ("@at 2026-12-24 18:00:05", "Europe/Berlin", "2026-12-24T17:00:05"),
        ("@AT\t2026-12-24t18:00z", "Europe/Berlin", "2026-12-24T18:00:00"),
        ("@at 2026-12-24T18:00+05:30", "Europe/Berlin", "2026-12-24T12:30:00"),
        ("@at 2026-12-24T18:00:00-0800", "UTC", "2026-12-25T02:00:00"),
        ("CRON_TZ=Asia/Tokyo @at 2026-12-24T18:00", "UTC", "2026-12-24T09:00:00"),
        ("@at 1999-12-31T23:59:59", "UTC", "1999-12-31T23:59:59"),
        ("@at 8999-12-31T23:59:59Z", "UTC", "8999-12-31T23:59:59"),
        # the clock skips 02:00 to 03:00 on 29 March and repeats it on 25 October
        ("@at 2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00"),
        ("@at 2026-03-29T03:00", "Europe/Berlin", "2026-03-29T01:00:00"),
        ("@at 2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00"),
        ("@at 2026-10-25T02:30+01:00", "Europe/Berlin", "2026-10-25T01:30:00"),
        ("@at 2011-12-30T12:00", "Pacific/Apia", "2011-12-30T10:00:00"),
    ],
)
def test_at_has_one_single_slot(spec, zone, slot):
    assert slots(spec, zone) == [slot]
    timetable = parse(spec, zone)
    instant = datetime.fromisoformat(slot + "Z")
    second = timedelta(seconds=1)
    assert timetable.next_after(instant - second) == instant
    assert timetable.next_after(instant) is None
    assert timetable.latest_at_or_before(instant) == instant
    assert timetable.latest_at_or_before(instant - second) is None
    assert timetable.count(EVER, instant, 10) == 1
    assert timetable.count(instant, instant + DAY, 10) == 0
    assert not timetable.on_election


def test_a_time_in_the_past_is_accepted_and_never_due_again():
    timetable = parse("@at 2020-01-01T00:00", "UTC")
    assert timetable.next_after(NOW) is None
    assert timetable.latest_at_or_before(NOW) == datetime(2020, 1, 1, tzinfo=UTC)


# @reboot


@pytest.mark.parametrize("spec", ["@reboot", " @Reboot ", "CRON_TZ=Asia/Tokyo @reboot"])
def test_reboot_is_due_at_elections_and_has_no_slots(spec):
    timetable = parse(spec, "Europe/Berlin")
    assert timetable.on_election
    assert timetable.allows(NOW)
    assert slots(spec, "Europe/Berlin") == []
    assert timetable.next_after(NOW) is None
    assert timetable.latest_at_or_before(NOW) is None


@pytest.mark.parametrize("spec", ["@hourly", "@every 1h", "@at 2026-12-24T18:00", "H * * * *"])
def test_nothing_else_is_due_at_elections(spec):
    assert not parse(spec, "UTC").on_election


# limits


@pytest.mark.parametrize(
    ("spec", "zone", "words"),
    [
        ("1" * 10_000, "UTC", ["10000 characters", "255"]),
        ("@every " + "1h" * 5_000, "UTC", ["10007 characters", "255"]),
        ("@at " + "1" * 250, "UTC", ["@at", "ISO 8601"]),
        ("H(" + "1" * 240 + "-2) * * * *", "UTC", ["minute", "out of the range 0-59"]),
        ("H/" + "9" * 240 + " * * * *", "UTC", ["minute", "step"]),
        ("0 0 L-" + "9" * 240 + " * *", "UTC", ["day", "L-1 to L-30"]),
        ("0 0 " + "9" * 240 + "W * *", "UTC", ["day", "out of the range 1-31"]),
        ("59 59 23 31 2 *", "UTC", ["day '31'", "never fires"]),
        ("*/0 * * * *", "UTC", ["minute", "'*/0'", "1 to 60"]),
        ("0 0 L-29 2 *", "UTC", ["day 'L-29'", "never fires"]),
        ("* * * * *", "Europe/Berln", ["time zone", "Europe/Berlin"]),
        ("@reboot", "N" * 10_000, ["time zone"]),
    ],
)
def test_a_refusal_is_quick_and_names_the_field(spec, zone, words):
    begin = time.monotonic()
    with pytest.raises(InvalidSchedule) as refusal:
        parse(spec, zone)
    assert time.monotonic() - begin < 5
    assert all(word in str(refusal.value) for word in words)


@pytest.mark.parametrize(
    ("spec", "after", "slot"),
    [
        ("0 0 29 2 *", "2096-03-01", "2104-02-29"),
        ("0 0 29 2 */7", "2088-03-01", "2128-02-29"),
        ("0 0 L-28 2 *", "2096-02-02", "2104-02-01"),
        ("0 0 29W 2 *", "2096-03-01", "2104-02-29"),
        ("59 59 23 L 2 *", "2099-03-01", "2100-02-28T23:59:59"),
    ],
)
def test_a_rare_date_is_found_quickly_also_across_2100(spec, after, slot):
    begin = time.monotonic()
    found = parse(spec, "UTC").next_after(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert time.monotonic() - begin < 5
    assert found == datetime.fromisoformat(slot).replace(tzinfo=UTC)
