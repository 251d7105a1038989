"""What is not accepted as a schedule, and what the user is told."""

from __future__ import annotations

import pytest

from gocron.core.spec import MAX_SPEC_LENGTH
from gocron.core.timetable import parse
from gocron.errors import InvalidSchedule


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        # the field, what was found, what is allowed
        ("60 * * * * *", ["second", "'60'", "0-59"]),
        ("60 * * * *", ["minute", "'60'", "0-59"]),
        ("* 24 * * *", ["hour", "'24'", "0-23"]),
        ("* * 0 * *", ["day", "'0'", "1-31"]),
        ("* * 1-32 * *", ["day", "'1-32'", "1-31"]),
        ("* * * 0 *", ["month", "'0'", "1-12"]),
        ("* * * 13 *", ["month", "'13'", "1-12 or JAN-DEC"]),
        ("* * * * 8", ["weekday", "'8'", "0-7", "SUN-SAT"]),
        ("1,2,99 * * * *", ["minute", "'99'"]),
        ("-1 * * * *", ["minute", "'-1'", "not understood"]),
        ("1.5 * * * *", ["minute", "'1.5'", "not understood"]),
        ("1- * * * *", ["minute", "'1-'", "not understood"]),
        ("*5 * * * *", ["minute", "'*5'", "not understood"]),
        ("**/5 * * * *", ["minute", "not understood"]),
        ("1/2/3 * * * *", ["minute", "not understood"]),
        ("1,,2 * * * *", ["minute", "empty", "comma"]),
        ("1, * * * *", ["minute", "empty", "comma"]),
        ("JAN * * * *", ["minute", "'JAN'"]),
        ("* * * MON *", ["month", "'MON'"]),
        ("* * * JANUARY *", ["month", "'JANUARY'", "JAN-DEC"]),
        ("* * * * MONDAY", ["weekday", "'MONDAY'", "SUN-SAT"]),
        # steps and ranges
        ("*/0 * * * *", ["minute", "'*/0'", "step 0"]),
        ("*/90 * * * *", ["minute", "'*/90'", "1 to 60"]),
        ("* 0-4/25 * * *", ["hour", "1 to 24"]),
        ("*/" + "9" * 240 + " * * * *", ["minute", "a step is"]),
        ("50-10 * * * *", ["minute", "backwards", "50-59,0-10"]),
        ("* 22-2 * * *", ["hour", "backwards", "22-23,0-2"]),
        ("* * * NOV-FEB *", ["month", "backwards", "11-12,1-2"]),
        ("* * * * FRI-MON", ["weekday", "backwards", "5-6,0-1"]),
        ("* * * * FRI-SUN", ["weekday", "backwards", "5-7"]),
        # numbers of fields
        ("* * * *", ["4 fields", "minute hour day month weekday"]),
        ("*", ["1 field;", "second minute hour day month weekday"]),
        ("* * * * * * *", ["7 fields", "year"]),
        ("0 0 1 1 * 2030 x y", ["8 fields"]),
        # what other crons know
        ("H-5 * * * *", ["minute", "'H-5'", "H(0-29)/10"]),
        ("H/1 * * * *", ["minute", "'H/1'", "step 1", "2 to 60"]),
        ("H/0 * * * *", ["minute", "'H/0'", "step 0", "2 to 60"]),
        ("0 H/25 * * *", ["hour", "step 25", "2 to 24"]),
        ("0 H(8-17)/11 * * *", ["hour", "step 11", "2 to 10"]),
        ("0 H(17-8) * * *", ["hour", "'H(17-8)'", "backwards"]),
        ("0 H(0-24) * * *", ["hour", "'H(0-24)'", "0-23"]),
        ("0 0 H(1-31) * *", ["day", "'H(1-31)'", "not every month", "28"]),
        ("0 0 H/29 * *", ["day", "step 29", "2 to 28"]),
        ("H() * * * *", ["minute", "'H()'"]),
        ("R * * * *", ["minute", "'R'", "random"]),
        ("0~30 * * * *", ["minute", "random"]),
        ("0 0 13W * 1", ["day", "'13W'", "weekday", "'1'"]),
        ("0 0 LW * MON-FRI", ["day", "'LW'", "weekday", "'MON-FRI'"]),
        ("0 0 W13 * *", ["day", "'W13'", "15W"]),
        ("0 0 10-13W * *", ["day", "'10-13W'", "one single day"]),
        ("0 0 13W/2 * *", ["day", "'13W/2'", "one single day"]),
        ("0 0 0W * *", ["day", "'0W'", "1-31"]),
        ("0 0 32W * *", ["day", "'32W'", "1-31"]),
        ("0 0 * * 5W", ["weekday", "'5W'", "in the field day"]),
        ("0 13W * * *", ["hour", "'13W'", "in the field day"]),
        ("0 0 L-0 * *", ["day", "'L-0'", "L-1 to L-30"]),
        ("0 0 L-31 * *", ["day", "'L-31'", "L-1 to L-30"]),
        ("0 0 * L-3 *", ["month", "'L-3'", "in the field day"]),
        ("0 0 L3 * *", ["day", "'L3'", "not understood"]),
        ("0 0 * * 5L", ["weekday", "'5L'", "L5"]),
        ("0 0 * * L", ["weekday", "'L'", "L5"]),
        ("0 L * * *", ["hour", "'L'"]),
        ("0 0 * * L8", ["weekday", "'L8'", "0-7"]),
        ("0 0 * * 5#0", ["weekday", "'5#0'", "1 to 5"]),
        ("0 0 * * 5#6", ["weekday", "'5#6'", "1 to 5"]),
        ("0 0 * * 8#1", ["weekday", "'8#1'", "0-7"]),
        ("0 0 5#1 * *", ["day", "'5#1'"]),
        ("0 ? * * *", ["hour", "'?'", "write *"]),
        ("0 0 ?/2 * *", ["day", "'?/2'"]),
        ("@reboot 5", ["'@reboot 5'", "@reboot"]),
        ("@rebot", ["'@rebot'", "@reboot"]),
        # one single time
        ("@at", ["@at", "no time", "ISO 8601"]),
        ("@at tomorrow", ["@at", "'tomorrow'", "ISO 8601"]),
        ("@at 2030-01-01", ["@at", "no time of day"]),
        ("@at 2030-01-01T00:00:00.5", ["@at", "fraction of a second", "whole seconds"]),
        ("@at 2030-01-01T00:00:00,250Z", ["@at", "fraction of a second"]),
        ("@at 20300101T0000", ["@at", "ISO 8601"]),
        ("@at 2030-W01-1T00:00", ["@at", "ISO 8601"]),
        ("@at 2030-02-30T00:00", ["@at", "not a date and time that there is"]),
        ("@at 2030-01-01T23:59:60", ["@at", "not a date and time that there is"]),
        ("@at 2030-01-01T00:00+25:00", ["@at", "not a date and time that there is"]),
        ("@at 1969-12-31T23:59:59Z", ["@at", "1970 to 8999"]),
        ("@at 1970-01-01T00:00+01:00", ["@at", "1970 to 8999"]),
        ("@at 9000-01-01T00:00Z", ["@at", "1970 to 8999"]),
        ("@at 0001-01-01T00:00+14:00", ["@at"]),
        ("@dayly", ["'@dayly'", "@daily"]),
        ("@daily 5", ["'@daily 5'", "@daily"]),
        ("@", ["'@'", "@daily"]),
        # intervals
        ("@every", ["@every", "1h30m"]),
        ("@every 5", ["@every", "'5'", "1h30m"]),
        ("@every 1.5h", ["@every", "'1.5h'", "whole numbers"]),
        ("@every 30m1h", ["@every", "in this order"]),
        ("@every -5m", ["@every", "'-5m'"]),
        ("@every 0s", ["@every", "out of range"]),
        ("@every 9000h", ["@every", "8784h"]),
        ("@every 367d", ["@every", "'367d'", "1s to 366d"]),
        ("@every 366d1s", ["@every", "1s to 366d"]),
        ("@every 12h1d", ["@every", "in this order"]),
        ("@every 1w", ["@every", "'1w'", "whole numbers"]),
        ("@every 1d 12h", ["@every", "'1d 12h'", "1d12h"]),
        ("@every " + "9" * 240 + "h", ["@every", "8784h"]),
        # dates that never come
        ("0 0 31 2 *", ["day '31'", "month '2'", "never fires"]),
        ("0 0 30,31 FEB *", ["never fires"]),
        ("0 0 31 4,6,9,11 ?", ["never fires"]),
        ("0 0 31 2 */2", ["weekday '*/2'", "never fires"]),
        ("0 0 */30 2 1#5", ["never fires"]),
        ("59 59 23 31 2 *", ["day '31'", "month '2'", "never fires"]),
        ("0 0 30W 2 *", ["day '30W'", "never fires"]),
        ("0 0 L-30 4,6 *", ["day 'L-30'", "month '4,6'", "never fires"]),
        # nothing, and what is no text for a schedule
        ("", ["empty", "*/5 * * * *"]),
        (" \t ", ["empty"]),
        ("CRON_TZ=UTC", ["empty"]),
        ("CRON_TZ= * * * * *", ["time zone", "''"]),
        ("CRON_TZ=Mars/Base * * * * *", ["time zone", "'Mars/Base'"]),
        ("* * * *\n*", ["one line"]),
        ("* * * * *\x00", ["does not belong"]),
        ("*\u00a0* * * *", ["does not belong"]),
        ("\u0663 * * * *", ["does not belong"]),
        ("* " * 200, ["400 characters", str(MAX_SPEC_LENGTH)]),
        ("*" * 10_000, ["10000 characters", str(MAX_SPEC_LENGTH)]),
        ("1," * 5_000, ["10000 characters", str(MAX_SPEC_LENGTH)]),
    ],
)
def test_a_wrong_spec_is_refused_with_what_was_found_and_what_is_allowed(spec, words):
    with pytest.raises(InvalidSchedule) as refusal:
        parse(spec, "UTC")
    for word in words:
        assert word in str(refusal.value)


def test_the_message_names_the_field_the_finding_the_range_and_an_example():
    with pytest.raises(InvalidSchedule) as refusal:
        parse("0 0 25 * * *", "UTC")
    assert str(refusal.value) == (
        "hour: '25' is out of the range 0-23; "
        "allowed: 0-23, *, H, lists, ranges, steps (for example '8-18/2')"
    )


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("new york", "did you mean America/New_York?"),
        ("", "for example Europe/Berlin"),
        ("America", "IANA"),
        ("../../etc/passwd", "IANA"),
        ("Europe/Berlin\0", "Europe/Berlin"),
        ("localtime", "IANA"),  # another one on every node
        ("Z" * 10_000, "IANA"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_name_that_was_probably_meant(zone, hint):
    with pytest.raises(InvalidSchedule) as refusal:
        parse("* * * * *", zone)
    assert str(refusal.value).startswith("time zone:")
    assert hint in str(refusal.value)
    assert len(str(refusal.value)) < 200
