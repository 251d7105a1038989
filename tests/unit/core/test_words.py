"""Schedules said in words, of what they resolve to."""

from __future__ import annotations

import random

import pytest

from gocron.core.words import explain
from gocron.errors import InvalidSchedule
from tests.unit.core.timetable_oracle import random_spec


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        # times
        ("30 2 * * *", "At 02:30 every day"),
        ("15 30 2 * * *", "At 02:30:15 every day"),
        ("0 9,12,15 * * *", "At 09:00, 12:00 and 15:00 every day"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("7,22,37,52 * * * *", "Every 15 minutes from minute 7"),
        ("*/7 * * * *", "At minute 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
        ("5,6,7,30 * * * *", "At minute 5 to 7 and 30 of every hour"),
        ("* * * * *", "Every minute"),
        ("* 2 * * *", "Every minute in the hour 02"),
        ("*/10 9-17 * * *", "Every 10 minutes from 09:00 to 17:50"),
        ("*/20 8,10 * * *", "At 08:00, 08:20, 08:40, 10:00, 10:20 and 10:40 every day"),
        ("*/5 8,10 * * *", "Every 5 minutes in the hours 08 and 10"),
        ("0 * * * *", "Every hour"),
        ("5 * * * *", "At minute 5 of every hour"),
        ("0 */2 * * *", "Every 2 hours"),
        ("30 1-23/2 * * *", "Every 2 hours from 01:30"),
        ("15 8-17 * * *", "Every hour from 08:15 to 17:15"),
        ("0 0-6,22 * * *", "At minute 0 in the hours 00, 01, 02, 03, 04, 05, 06 and 22 every day"),
        ("* * * * * *", "Every second"),
        ("*/20 * * * * *", "Every 20 seconds"),
        ("30 * * * * *", "At second 30 of every minute"),
        ("*/20 0,30 * * * *", "Every 20 seconds in minute 0 and 30"),
        ("*/20 * 8-17 * * *", "Every 20 seconds from 08:00 to 17:59"),
        # days
        ("*/15 * * * 1-5", "Every 15 minutes, Monday to Friday"),
        ("30 2 * * 1-5", "At 02:30, Monday to Friday"),
        ("0 0 * * SUN", "At 00:00 on Sunday"),
        ("0 0 * * SAT,SUN", "At 00:00 on Saturday and Sunday"),
        ("0 0 * * FRI-7", "At 00:00, Friday to Sunday"),
        ("0 0 * * 5#3", "At 00:00 on the third Friday of the month"),
        ("0 0 * * L5", "At 00:00 on the last Friday of the month"),
        ("0 0 ? 2 1#1", "At 00:00 on the first Monday of February"),
        ("0 12 * 6 MON", "At 12:00 on Monday in June"),
        ("0 0 1,15 * *", "At 00:00 on day 1 and 15 of the month"),
        ("0 0 10-20 * *", "At 00:00 on day 10 to 20 of the month"),
        ("0 0 */2 * *", "At 00:00 every 2 days from day 1 to 31 of the month"),
        ("0 0 L * *", "At 00:00 on the last day of the month"),
        ("0 0 1,L 2 *", "At 00:00 on day 1 and the last day of February"),
        ("0 0 15W * *", "At 00:00 on the working day nearest to day 15 of the month"),
        ("0 0 LW * *", "At 00:00 on the last working day of the month"),
        ("0 0 L-1 * *", "At 00:00 on the day 1 day before the last day of the month"),
        ("0 0 L-3 * *", "At 00:00 on the day 3 days before the last day of the month"),
        ("0 0 1 1 *", "At 00:00 on day 1 of January"),
        ("0 0 * 1-3 *", "At 00:00 every day in January to March"),
        ("0 * 1 * *", "Every hour, on day 1 of the month"),
        # day or weekday, unless one begins with *
        ("0 0 13 * 5", "At 00:00 on day 13 of the month or on Friday"),
        ("0 0 13 6 5", "At 00:00 on day 13 of June or on Friday in June"),
        ("0 0 1-31 * 1", "At 00:00 every day"),
        ("0 0 */9 * 1", "At 00:00 every 9 days from day 1 to 28 of the month if that is a Monday"),
        ("0 0 1,2,L * */6", "At 00:00 on day 1 and 2 and the last day of the month if that is a "
         "Saturday or a Sunday"),
        # shortcuts
        ("@daily", "At 00:00 every day"),
        ("@hourly", "Every hour"),
        ("@yearly", "At 00:00 on day 1 of January"),
    ],
)  # fmt: skip
def test_a_cron_spec_in_words(spec, words):
    assert explain(spec, "Europe/Berlin") == f"{words}, Europe/Berlin time"
    assert explain(spec, "UTC") == f"{words}, UTC"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("@every 1d", "Every day"),
        ("@every 10s", "Every 10 seconds"),
        ("@every 90m", "Every 1 hour and 30 minutes"),
        ("@every 1d12h30m10s", "Every 1 day, 12 hours, 30 minutes and 10 seconds"),
        ("@reboot", "Once at every election of a leader"),
        ("@at 2026-12-24T18:00", "Once, on 24 December 2026 at 18:00, Europe/Berlin time"),
        ("@at 2026-12-24T18:00:05+01:00", "Once, on 24 December 2026 at 17:00:05, UTC"),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", "At 09:00 every day, Asia/Tokyo time"),
        ("CRON_TZ=Asia/Tokyo @at 2026-12-24T18:00",
         "Once, on 24 December 2026 at 18:00, Asia/Tokyo time"),
    ],
)  # fmt: skip
def test_other_schedules_in_words(spec, words):
    assert explain(spec, "Europe/Berlin") == words


def test_h_is_said_as_what_it_stands_for():
    assert explain("H(5-5) H(3-3) * * *", "UTC", "backup") == "At 03:05 every day, UTC"
    said = {explain("H H * * *", "UTC", f"task {number}") for number in range(50)}
    assert len(said) > 40
    assert explain("H H * * *", "UTC", "a") == explain("H H * * *", "UTC", "a")


def test_every_spec_has_words():
    choice = random.Random(8)
    for _ in range(500):
        spec = random_spec(choice)
        words = explain(spec, "UTC")
        assert words.endswith(", UTC"), spec
        assert words[0].isupper(), spec
        assert "  " not in words, spec
        assert " ," not in words, spec


def test_a_wrong_spec_is_refused():
    with pytest.raises(InvalidSchedule):
        explain("60 * * * *", "UTC")
