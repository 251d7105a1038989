"""Which nodes are gone, as a leader sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gocron.core.liveness import Watch

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def beat(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_node_is_gone_when_its_heartbeat_has_stood_still_for_long_enough():
    watch = Watch(lost_after_s=15.0)
    for second in range(15):
        assert watch.look([(1, NOON, 100.0)], float(second)) == set(), second
    assert watch.look([(1, NOON, 100.0)], 15.0) == {1}
    assert watch.look([(1, NOON, 100.0)], 16.0) == {1}, "and stays so"


def test_a_heartbeat_that_moves_is_a_living_node():
    watch = Watch(lost_after_s=15.0)
    for second in range(0, 100, 5):
        assert watch.look([(1, beat(second), 4.9)], float(second)) == set()


def test_a_node_that_comes_back_is_there_again():
    watch = Watch(lost_after_s=2.0)
    assert watch.look([(1, NOON, 9.0)], 0.0) == set()
    assert watch.look([(1, NOON, 9.0)], 2.0) == {1}
    assert watch.look([(1, beat(9), 0.1)], 3.0) == set()
    assert watch.look([(1, beat(9), 1.1)], 4.0) == set()


def test_old_heartbeats_prove_nothing_to_a_leader_that_has_just_begun_to_look():
    """The database was away for an hour: everybody's is old."""
    assert Watch(lost_after_s=15.0).look([(1, NOON, 3600.0), (2, NOON, 3600.0)], 0.0) == set()


def test_what_a_leader_did_not_see_does_not_count():
    watch = Watch(lost_after_s=15.0, longest_gap_s=5.0)
    assert watch.look([(1, NOON, 1.0)], 0.0) == set()
    assert watch.look([(1, NOON, 100.0)], 99.0) == set(), "the database was away in between"
    for second in range(100, 114):
        assert watch.look([(1, NOON, 100.0)], float(second)) == set()
    assert watch.look([(1, NOON, 100.0)], 114.0) == {1}


def test_a_heartbeat_that_is_young_by_the_databases_clock_is_believed():
    """Our clock ran on (a paused machine), the database's did not."""
    watch = Watch(lost_after_s=2.0)
    for second in range(5):
        assert watch.look([(1, NOON, 1.9)], float(second)) == set()


def test_nodes_are_judged_each_by_itself():
    watch = Watch(lost_after_s=3.0)
    for second in range(6):
        gone = watch.look([(1, NOON, 50.0), (2, beat(second), 0.2)], float(second))
    assert gone == {1}
