"""Spreading runs over time without chance."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from gocron.core.jitter import jitter_of

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SLOTS = [NOON + timedelta(minutes=minute) for minute in range(2000)]


def test_without_jitter_a_run_begins_at_its_slot():
    assert jitter_of("report", NOON, 0) == timedelta()


def test_it_is_whole_seconds_from_none_to_the_most():
    found = {jitter_of("report", slot, 3) for slot in SLOTS}
    assert found == {timedelta(seconds=seconds) for seconds in range(4)}


def test_every_node_comes_to_the_same_moment_today_and_tomorrow():
    assert [jitter_of("report", slot, 3600).seconds for slot in SLOTS[:4]] == [
        2923,
        2122,
        3107,
        3313,
    ]


def test_tasks_of_the_same_slot_are_spread():
    found = Counter(jitter_of(f"task {number}", NOON, 9).seconds for number in range(10_000))
    assert set(found) == set(range(10))
    assert min(found.values()) > 800
    assert max(found.values()) < 1200
