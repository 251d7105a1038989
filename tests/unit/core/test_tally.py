"""Counting slots by spans of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gocron.core.tally import LATE_STEPS_S, SPAN_S, Tally, span_of, spread, start_of

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def test_a_span_begins_where_the_one_before_ends():
    span = span_of(NOON)
    assert start_of(span) == NOON
    assert span_of(NOON - timedelta(microseconds=1)) == span - 1
    assert span_of(NOON + timedelta(seconds=SPAN_S) - timedelta(microseconds=1)) == span


def test_what_is_spread_keeps_its_sum():
    for count in (1, 2, 7, 1000):
        for width in (1, 2, 3, 60):
            found = list(spread(count, 10, 9 + width))
            assert sum(part for _span, part in found) == count
            assert {span for span, _part in found} <= set(range(10, 10 + width))
    assert list(spread(60, 5, 7)) == [(5, 20), (6, 20), (7, 20)]
    assert list(spread(3, 5, 4)) == [(5, 3)]


def test_bars_take_what_lies_between_their_starts():
    tally = Tally()
    for span in range(10):
        tally.states[span, "success"] += 1
    assert [bar["success"] for bar in tally.bars([2, 5])] == [3, 5]


def test_lateness_is_a_step_that_the_share_stays_below():
    tally = Tally()
    assert tally.lateness(0, 9, (0.5, 0.99)) == [None, None]
    tally.late[1, LATE_STEPS_S.index(0.1)] += 98
    tally.late[1, LATE_STEPS_S.index(2)] += 1
    tally.late[1, len(LATE_STEPS_S)] += 1
    tally.late[20, len(LATE_STEPS_S)] += 1000
    assert tally.lateness(0, 9, (0.5, 0.98, 0.99, 1.0)) == [0.1, 0.1, 2, float("inf")]


def test_what_is_old_is_forgotten():
    tally = Tally()
    tally.states[1, "failed"] = tally.states[2, "failed"] = 1
    tally.late[1, 0] = 1
    tally.forget_before(2)
    assert (dict(tally.states), dict(tally.late)) == ({(2, "failed"): 1}, {})
