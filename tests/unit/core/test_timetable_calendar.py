"""Which dates a schedule names, against every date of some decades looked at one by one."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta

import pytest

from gocron.core.timetable import parse
from tests.unit.core.timetable_oracle import days_seen

FIRST, LAST = date(1999, 1, 1), date(2032, 12, 31)
BEFORE, END = datetime(1998, 12, 31, 23, tzinfo=UTC), datetime(2032, 12, 31, tzinfo=UTC)

DATES = [
    "* * *",
    "? * ?",
    "1 * *",
    "31 * *",
    "29,30,31 * *",
    "30 2,4 *",
    "29 2 *",
    "29-31 1-3 *",
    "L * *",
    "l 2 *",
    "1,15,L * *",
    "31,L * *",
    "10-20/5,L 1/4 *",
    "*/10 * *",
    "5/10 FEB-APR *",
    "* 1,JUN,Dec *",
    "* */5 *",
    "* * MON-FRI",
    "* * 0",
    "* * 7",
    "? * 6-7",
    "* * 5-7",
    "* * 0-7/2",
    "* * 1-7/3",
    "* * */3",
    "* * 2/2",
    "* * 5/2",
    "* * 1-1",
    "1-1 1-1 ?",
    "* * 1#1",
    "* * 0#5",
    "* * fri#3,MON#1",
    "* * L5",
    "* 2 Lsun",
    "* * L1,2#2,THU",
    "* * MON,FRI#2",
    "L * L1",
    # the working day nearest to a day, in its month; days counted back from the last one
    "15W * *",
    "1W * *",
    "28W 2 *",
    "31w * ?",
    "1W,15W,LW * *",
    "LW * *",
    "L-1 * *",
    "l-3 */2 *",
    "L-28 2 *",
    "L-30 * *",
    "L-3W * *",
    "L-27W FEB,MAR *",
    "L-5,1,L,10W 1-6 *",
    "*,15W 3 *",
    # day or weekday, unless one of the two begins with *
    "13 * 5",
    "1,15 6 SUN,WED",
    "1-31 * 1",
    "13 * 0-6",
    "30 2 1",
    "L * 1#1",
    "7 * 2#1,3",
    "L,15 * L5,MON",
    "L-2 * 1",
    "L-2,7 2 FRI#2,L1",
    # day and weekday
    "*/2 * 1",
    "*/7 3,9 TUE#3",
    "13 * */2",
    "29 2 */7",
    "*/28 2 */7",
    "*/10 * L0,MON",
    "*,L * 1",
    "L-3 * */2",
    "L-28 2 */7",
    "*/9,L-1 * MON,L2",
]


@pytest.mark.parametrize("dates", DATES)
def test_the_dates_are_those_found_by_looking_at_each_one(dates):
    spec = f"0 0 {dates}"
    expected = days_seen(spec, FIRST, LAST)
    timetable = parse(spec, "UTC")

    assert timetable.between(BEFORE, END, 20_000) == expected
    assert timetable.count(BEFORE, END, 20_000) == len(expected)
    anywhere = random.Random(dates)
    for _ in range(200):
        instant = BEFORE + timedelta(
            seconds=anywhere.randrange(int((END - BEFORE).total_seconds()))
        )
        passed = bisect_left(expected, instant)
        if passed:
            assert timetable.latest_at_or_before(instant) == expected[passed - 1]
        if passed < len(expected):
            assert timetable.next_after(instant) == expected[passed]


@pytest.mark.parametrize(
    ("spec", "after", "slot"),
    [
        ("0 0 29 2 *", "2096-03-01", "2104-02-29"),  # 2100 has no 29 February
        ("0 0 29 2 */7", "2088-03-01", "2128-02-29"),  # the next one that is a Sunday
        ("0 0 1 1 *", "2026-01-01", "2027-01-01"),
        ("0 0 L 2 *", "2026-01-01", "2026-02-28"),
        ("0 0 L 2 *", "2028-01-01", "2028-02-29"),
        ("0 0 13 * FRI", "2026-02-13", "2026-02-20"),
        ("0 0 31 2 MON", "2026-02-01", "2026-02-02"),  # only the Mondays of February remain
    ],
)
def test_some_dates_by_name(spec, after, slot):
    found = parse(spec, "UTC").next_after(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(slot).replace(tzinfo=UTC)
