"""Bars by the hours of a clock, also where that clock is odd or is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from admin.chart_bars import hours_of_day, quarters_of_week
from gocron.core.tally import Tally, span_of


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Europe/Berlin", "Australia/Lord_Howe"])
def test_hours_begin_where_the_clock_shows_them(zone):
    bars = hours_of_day(Tally(), at(2026, 7, 1, 12, 34), ZoneInfo(zone))
    assert len(bars) == 25
    assert all(bar.start.minute == 0 for bar in bars)
    assert bars[-1].start <= at(2026, 7, 1, 12, 34)


def test_a_slot_is_counted_in_its_hour_and_not_in_the_next():
    tally = Tally()
    tally.states[span_of(at(2026, 7, 1, 9, 59, 59)), "success"] += 1
    tally.states[span_of(at(2026, 7, 1, 10, 0, 0)), "failed"] += 1
    bars = hours_of_day(tally, at(2026, 7, 1, 12), ZoneInfo("UTC"))
    found = {bar.start.hour: bar.states for bar in bars if bar.states}
    assert found == {9: {"success": 1}, 10: {"failed": 1}}


def test_nothing_is_lost_or_counted_twice_when_clocks_are_changed():
    tally = Tally()
    now = at(2026, 3, 30, 12)
    for hour in range(24 * 6):
        tally.states[span_of(at(2026, 3, 24, 13)) + hour * 12, "success"] += 1
    bars = quarters_of_week(tally, now, ZoneInfo("Europe/Berlin"))
    assert len(bars) == 28
    assert sum(bar.states["success"] for bar in bars) == 24 * 6
    assert {bar.start.hour for bar in bars} == {0, 6, 12, 18}
    (short,) = [bar for bar in bars if bar.start.isoformat() == "2026-03-29T00:00:00+01:00"]
    assert short.states["success"] == 5
