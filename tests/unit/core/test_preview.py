"""The next slots with local times, and what is said where clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from gocron.core.preview import preview
from gocron.core.timetable import Rules
from gocron.errors import InvalidSchedule

NO_RULES = Rules()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def remarks(spec: str, zone: str, after: str, count: int) -> list[tuple[str, str]]:
    shown = preview(spec, zone, NO_RULES, at(after), count)
    return [(f"{upcoming.local:%d %H:%M}", upcoming.remark) for upcoming in shown]


def test_a_slot_is_shown_in_utc_and_in_the_zone_of_the_schedule():
    first, second = preview("30 2 * * *", "Europe/Berlin", NO_RULES, at("2026-07-01T12:00"), 2)
    assert first.slot == at("2026-07-02T00:30")
    assert first.slot.tzinfo is UTC
    assert first.local.isoformat() == "2026-07-02T02:30:00+02:00"
    assert first.remark == ""
    assert second.slot - first.slot == timedelta(days=1)
    (tokyo,) = preview("CRON_TZ=Asia/Tokyo 0 9 * * *", "UTC", NO_RULES, at("2026-07-01T12:00"), 1)
    assert tokyo.local.isoformat() == "2026-07-02T09:00:00+09:00"


def test_there_are_fewer_slots_if_there_are_no_more():
    after = at("2026-07-01T12:00")
    assert len(preview("@at 2026-12-24T18:00", "UTC", NO_RULES, after, 5)) == 1
    assert preview("@reboot", "UTC", NO_RULES, after, 5) == []
    assert preview("* * * * *", "UTC", NO_RULES, after, 0) == []
    rules = Rules(ends_at=at("2026-07-03T23:00"), excluded=frozenset([date(2026, 7, 2)]))
    shown = preview("0 0 * * *", "UTC", rules, after, 5)
    assert [upcoming.slot for upcoming in shown] == [at("2026-07-03T00:00")]


@pytest.mark.parametrize(
    ("spec", "zone", "after", "shown"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-27T12:00",
            [
                ("28 02:30", ""),
                ("29 03:00", "clocks go forward: 02:30 does not exist, runs at 03:00"),
                ("30 02:30", ""),
            ],
        ),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00",
            [
                ("29 03:00", "clocks go forward: 02:00 and 3 more do not exist, runs at 03:00"),
                ("30 02:00", ""),
            ],
        ),
        ("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", [("29 03:00", ""), ("30 03:00", "")]),
        (
            "0 12 30 12 *",
            "Pacific/Apia",
            "2011-12-01T00:00",
            [
                (
                    "31 00:00",
                    "clocks go forward: 12:00 does not exist on 2011-12-30, runs at 00:00",
                )
            ],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            [
                ("25 02:30", "clocks go back: 02:30 comes twice, runs the first time only"),
                ("26 02:30", ""),
            ],
        ),
        (
            "0 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            [("25 02:00", "clocks go back: 02:00 comes twice, runs the first time only")],
        ),
        ("59 1 * * *", "Europe/Berlin", "2026-10-24T12:00", [("25 01:59", "")]),
        ("0 2,3 25 10 *", "Europe/Berlin", "2026-10-25T00:30", [("25 03:00", "")]),
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:45",
            [("25 02:30", ""), ("25 02:30", "second pass of the repeated hour"), ("25 03:30", "")],
        ),
        (
            "@every 30m",
            "Europe/Berlin",
            "2026-10-25T00:45",
            [
                ("25 02:00", "second pass of the repeated hour"),
                ("25 02:30", "second pass of the repeated hour"),
                ("25 03:00", ""),
            ],
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00",
            [("05 01:45", "clocks go back: 01:45 comes twice, runs the first time only")],
        ),
        (
            "15 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00",
            [("05 01:15", "")],
        ),
        (
            "@at 2026-03-29T02:30:10",
            "Europe/Berlin",
            "2026-03-01T00:00",
            [("29 03:00", "clocks go forward: 02:30:10 does not exist, runs at 03:00")],
        ),
        ("@at 2026-10-25T02:30+01:00", "Europe/Berlin", "2026-10-01T00:00", [
            ("25 02:30", "second pass of the repeated hour"),
        ]),
        ("30 2 * * *", "UTC", "2026-03-28T12:00", [("29 02:30", ""), ("30 02:30", "")]),
    ],
)  # fmt: skip
def test_a_remark_says_what_changed_clocks_do_to_a_slot(spec, zone, after, shown):
    assert remarks(spec, zone, after, len(shown)) == shown


def test_a_limit_does_not_hide_the_remark():
    rules = Rules(starts_at=at("2026-03-29T00:00"))
    (first,) = preview("30 2 * * *", "Europe/Berlin", rules, at("2026-01-01T00:00"), 1)
    assert first.remark.startswith("clocks go forward")


def test_a_wrong_schedule_is_refused():
    with pytest.raises(InvalidSchedule):
        preview("60 * * * *", "UTC", NO_RULES, at("2026-01-01T00:00"), 1)
