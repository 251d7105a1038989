"""Dependencies, instants and days as text: what was stored comes back as it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from admin import day_lines, dependency_lines, moments
from gocron.core.calendars import parse_days


@pytest.mark.parametrize(
    "needs",
    [
        {"load": "strong"},
        {"load": "weak", "check": "strong"},
        {"a: b": "strong", "c:d": "weak"},
        {"a: weak": "strong", "b: Strong": "weak", "weak": "strong"},
        {":": "strong"},
    ],
)
def test_dependencies_survive_being_shown_and_sent_back(needs):
    assert dependency_lines.read(dependency_lines.write(needs)) == needs


def test_dependencies_may_be_written_loosely():
    read = dependency_lines.read("\n load \n check:WEAK\n\nx : strong ")
    assert read == {"load": "strong", "check": "weak", "x": "strong"}


@pytest.mark.parametrize(
    ("text", "said"), [("a\na: weak", "line 2: 'a' is there twice"), (": weak", "line 1: ': weak'")]
)
def test_mistakes_in_dependencies_name_the_line(text, said):
    with pytest.raises(ValueError, match=said):
        dependency_lines.read(text)


@pytest.mark.parametrize(
    ("instant", "zone", "text"),
    [
        (datetime(2026, 12, 24, 17, tzinfo=UTC), "Europe/Berlin", "2026-12-24T18:00"),
        (datetime(2026, 12, 24, 17, 0, 5, tzinfo=UTC), "Europe/Berlin", "2026-12-24T18:00:05"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Berlin", "2026-10-25T02:30"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/Berlin", "2026-10-25T02:30+01:00"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "Europe/Berlin", "2026-03-29T03:00"),
        (datetime(2026, 1, 1, tzinfo=UTC), "Nowhere/Atall", "2026-01-01T00:00+00:00"),
        (datetime(2026, 1, 1, tzinfo=UTC), "Asia/Kathmandu", "2026-01-01T05:45"),
    ],
)
def test_an_instant_survives_being_shown_and_sent_back(instant, zone, text):
    assert moments.write(instant, zone) == text
    assert moments.read(text, zone).astimezone(UTC) == instant


def test_every_half_hour_of_a_year_survives():
    for zone in ("Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"):
        instant = datetime(2026, 1, 1, tzinfo=UTC)
        while instant.year == 2026:
            read = moments.read(moments.write(instant, zone), zone)
            assert read.astimezone(UTC) == instant
            instant += timedelta(minutes=30)


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("tomorrow", "UTC", "such as 2026-12-24T18:00, found 'tomorrow'"),
        ("", "UTC", "found ''"),
        ("0001-01-01T00:00", "Europe/Berlin", "1970 to 8999"),
        ("2026-12-24T18:00", "Europe/Berlim", "Europe/Berlin"),
    ],
)
def test_what_is_no_instant_is_said(text, zone, said):
    with pytest.raises(ValueError, match=r"must|zone") as error:
        moments.read(text, zone)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ([], ""),
        ([date(2026, 12, 24)], "2026-12-24"),
        (
            [date(2026, 12, 31), date(2027, 1, 1), date(2026, 12, 24), date(2026, 12, 24)],
            "2026-12-24\n2026-12-31..2027-01-01",
        ),
    ],
)
def test_days_survive_being_shown_and_sent_back(days, text):
    assert day_lines.write(days) == text
    assert parse_days(text) == frozenset(days)
