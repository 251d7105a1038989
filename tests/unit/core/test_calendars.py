"""Sets of days out of lists and .ics files, and what is said about texts that are neither."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gocron.core.calendars import MAX_LENGTH, MOST_DAYS, parse_days, parse_ics
from gocron.errors import InvalidCalendar

TODAY = date(2026, 11, 24)


def ics(*events: str) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//gocron//tests//EN"]
    for number, event in enumerate(events):
        uid = [] if "UID:" in event else [f"UID:{number}"]
        lines += ["BEGIN:VEVENT", *uid, *event.split("\n"), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def dates(*texts: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(text) for text in texts)


def test_a_list_has_a_day_or_a_range_on_each_line():
    text = """
    # closed
    2026-12-24
    2026-12-30 .. 2027-01-01   # the turn of the year
    2026-12-24..2026-12-24

    """
    expected = dates("2026-12-24", "2026-12-30", "2026-12-31", "2027-01-01")
    assert parse_days(text) == expected
    assert parse_days(text.replace("\n", "\r\n")) == expected
    assert parse_days("") == parse_days("# nothing yet") == frozenset()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-12-24\n24.12.2026", ["line 2", "'24.12.2026'", "2026-12-24..2026-12-31"]),
        ("2026-02-29", ["line 1", "there is no day 2026-02-29"]),
        ("2026-12-31..2026-12-24", ["line 1", "backwards"]),
        ("2026-12-24...2026-12-31", ["line 1", "not a date"]),
        ("2026-12-24 2026-12-25", ["line 1", "not a date"]),
        ("20261224", ["line 1", "not a date"]),
        ("1969-12-31", ["line 1", "out of range", "1970 to 8999"]),
        ("2000-01-01..9000-01-01", ["line 1", "out of range"]),
        ("1970-01-01..8999-12-31", [f"more than {MOST_DAYS} days"]),
        ("x" * 1000, ["line 1", "not a date"]),
        ("\n" * (MAX_LENGTH + 1), ["at most"]),
        ("BEGIN:VCALENDAR", ["line 1", "not a date"]),
    ],
)
def test_a_wrong_list_is_refused_with_the_line_at_fault(text, words):
    with pytest.raises(InvalidCalendar) as refusal:
        parse_days(text)
    for word in words:
        assert word in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_a_list_may_have_as_many_days_as_are_allowed_and_no_more():
    last = date(2000, 1, 1) + timedelta(days=MOST_DAYS - 1)
    assert len(parse_days(f"2000-01-01..{last}\n2000-01-01")) == MOST_DAYS
    with pytest.raises(InvalidCalendar):
        parse_days(f"2000-01-01..{last}\n1999-12-31")


@pytest.mark.parametrize(
    ("event", "days"),
    [
        # all day: the end does not belong to it
        ("DTSTART;VALUE=DATE:20261224", ["2026-12-24"]),
        ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261225", ["2026-12-24"]),
        ("DTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270101", ["2026-12-30", "2026-12-31"]),
        ("DTSTART;VALUE=DATE:20261230\nDURATION:P2D", ["2026-12-30", "2026-12-31"]),
        ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261201", ["2026-12-24"]),
        # with a time: every day that it touches, as it is written
        ("DTSTART:20261224T220000Z\nDTEND:20261224T230000Z", ["2026-12-24"]),
        ("DTSTART:20261224T220000Z\nDTEND:20261225T000000Z", ["2026-12-24"]),
        ("DTSTART:20261224T220000Z\nDTEND:20261225T000001Z", ["2026-12-24", "2026-12-25"]),
        (
            "DTSTART;TZID=Asia/Tokyo:20261224T003000\nDTEND;TZID=Asia/Tokyo:20261224T010000",
            ["2026-12-24"],
        ),
        ("DTSTART:20261224T120000\nDURATION:PT36H", ["2026-12-24", "2026-12-25"]),
        # a line that is folded
        ("SUMMARY:Christ\n  mas\nDTSTART;VALUE=DATE:2026\n 1224", ["2026-12-24"]),
        ("STATUS:CANCELLED\nDTSTART;VALUE=DATE:20261224", []),
        # recurring
        (
            "DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=WEEKLY;COUNT=3",
            ["2026-12-24", "2026-12-31", "2027-01-07"],
        ),
        (
            "DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=DAILY;UNTIL=20261227\n"
            "EXDATE;VALUE=DATE:20261225",
            ["2026-12-24", "2026-12-26", "2026-12-27"],
        ),
        (
            "DTSTART;VALUE=DATE:20261127\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2",
            ["2026-11-27", "2026-12-25"],
        ),
        (
            "DTSTART;VALUE=DATE:20261201\nRDATE;VALUE=DATE:20261208,20261210",
            ["2026-12-01", "2026-12-08", "2026-12-10"],
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20261225T100000\nRRULE:FREQ=DAILY;UNTIL=20261226T090000Z",
            ["2026-12-25", "2026-12-26"],
        ),
    ],
)
def test_an_event_takes_these_days(event, days):
    assert parse_ics(ics(event), TODAY) == dates(*days)


def test_the_events_of_a_file_are_taken_together():
    first = "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261226"
    text = ics(first, "DTSTART;VALUE=DATE:20261225", "DTSTART;VALUE=DATE:20270101")
    expected = dates("2026-12-24", "2026-12-25", "2027-01-01")
    assert parse_ics(text, TODAY) == expected
    assert parse_ics("\ufeff" + text.replace("\r\n", "\n"), TODAY) == expected
    assert parse_ics(text + ics("DTSTART;VALUE=DATE:20270102"), TODAY) == expected | dates(
        "2027-01-02"
    )
    assert parse_ics(ics(), TODAY) == frozenset()


def test_an_occurrence_may_be_moved_or_cancelled():
    series = "UID:1\nDTSTART;VALUE=DATE:20261201\nRRULE:FREQ=WEEKLY;COUNT=4"
    moved = "UID:1\nRECURRENCE-ID;VALUE=DATE:20261208\nDTSTART;VALUE=DATE:20261209"
    cancelled = (
        "UID:1\nRECURRENCE-ID;VALUE=DATE:20261215\nDTSTART;VALUE=DATE:20261215\nSTATUS:CANCELLED"
    )
    expected = dates("2026-12-01", "2026-12-09", "2026-12-22")
    assert parse_ics(ics(series, moved, cancelled), TODAY) == expected


def test_recurrences_are_followed_ten_years_back_and_twenty_ahead():
    found = parse_ics(ics("DTSTART;VALUE=DATE:20001225\nRRULE:FREQ=YEARLY"), TODAY)
    assert found == frozenset(date(year, 12, 25) for year in range(2016, 2046))
    single = parse_ics(ics("DTSTART;VALUE=DATE:20001225"), TODAY)
    assert single == dates("2000-12-25")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no iCalendar file", "BEGIN:VCALENDAR"]),
        ("2026-12-24\n", ["no iCalendar file"]),
        ("<html></html>", ["no iCalendar file"]),
        ("BEGIN:VCARD\r\nEND:VCARD\r\n", ["no iCalendar file"]),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", ["no iCalendar file"]),
        ("x" * (MAX_LENGTH + 1), ["at most"]),
        (ics("SUMMARY:holiday"), ["'holiday'", "DTSTART", "missing"]),
        (ics("SUMMARY:holiday\nDTSTART:tomorrow"), ["'holiday'", "DTSTART", "not understood"]),
        (
            ics("SUMMARY:a\nDTSTART;VALUE=DATE:20261224\nRRULE:FREQ=SOMETIMES"),
            ["'a'", "RRULE", "not understood"],
        ),
        (
            ics("SUMMARY:a\nDTSTART:20261224T000000Z\nRRULE:FREQ=SECONDLY"),
            ["'a'", "RRULE", "DAILY, WEEKLY, MONTHLY, YEARLY"],
        ),
        (
            ics("DTSTART:20261224T000000Z\nRRULE:FREQ=DAILY;BYHOUR=1,2,3"),
            ["RRULE", "without hours"],
        ),
        (ics("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=DAILY;INTERVAL=0"), ["INTERVAL"]),
        (
            ics("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
            ["BYMONTHDAY"],
        ),
        (ics("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=DAILY;BYMONTHDAY=1"), ["BYMONTHDAY"]),
        (ics("DTSTART;VALUE=DATE:20261224\nDTEND:20261225T000000Z"), ["same type"]),
        (ics("DTSTART;VALUE=DATE:19000101\nDTEND;VALUE=DATE:21000101"), ["20000 days"]),
        (
            ics(*["DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY"] * 501),
            ["501 recurring events", "at most 500"],
        ),
        (ics(*["DTSTART;VALUE=DATE:20160101\nRRULE:FREQ=DAILY"] * 5), ["too often"]),
    ],
)
def test_a_wrong_file_is_refused_with_the_event_at_fault(text, words):
    with pytest.raises(InvalidCalendar) as refusal:
        parse_ics(text, TODAY)
    for word in words:
        assert word in str(refusal.value)
    assert len(str(refusal.value)) < 300
