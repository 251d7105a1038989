"""How long a leader may trust itself, and when a follower may take over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gocron.core.lease import LockRow, Timing, takeover_in, trusted_between, trusted_while_held

TIMING = Timing()
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def row(age_s: float, locked_by: str | None = "other:9") -> LockRow:
    renewed = NOON - timedelta(seconds=age_s)
    return LockRow(locked_by, 6, renewed, renewed + timedelta(seconds=TIMING.lease_s), NOON)


@pytest.mark.parametrize("timing", [TIMING, Timing(3.0, 1.0, 0.5, 0.2), Timing(60.0, 20.0, 5.0, 1)])
def test_trust_ends_before_anybody_may_take_over(timing):
    """The server counts from when it received what was sent; it cannot have been sooner."""
    sent = received = 1000.0
    assert trusted_between(sent, timing) < received + timing.grace_s
    assert trusted_while_held(sent, timing) < received + timing.lease_s
    assert trusted_while_held(sent, timing) > sent + timing.renew_s, "it can be renewed in time"


@pytest.mark.parametrize(
    ("age_s", "wait_s"), [(0.0, 0.8), (0.5, 0.3), (0.8, 0.0), (1.0, 0.0), (9e9, 0.0), (-5.0, 0.8)]
)
def test_an_unlocked_row_is_free_a_grace_after_its_renewal(age_s, wait_s):
    assert takeover_in(row(age_s), TIMING) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    ("age_s", "wait_s"), [(0.0, 15.0), (14.5, 0.5), (15.0, 0.0), (99.0, 0.0), (-99.0, 15.0)]
)
def test_where_row_locks_are_local_it_is_free_after_the_lease(age_s, wait_s):
    assert takeover_in(row(age_s), TIMING, local_locks=False) == pytest.approx(wait_s)


@pytest.mark.parametrize("local_locks", [True, False])
def test_a_row_that_nobody_holds_is_free_at_once(local_locks):
    assert takeover_in(row(0.0, None), TIMING, local_locks=local_locks) == 0.0
    fresh = LockRow("other:9", 0, None, None, NOON)
    assert takeover_in(fresh, TIMING, local_locks=local_locks) == 0.0


@pytest.mark.parametrize(("local_locks", "patience_s"), [(True, 0.8), (False, 15.0)])
def test_whoever_has_waited_long_enough_by_his_own_clock_waits_no_longer(local_locks, patience_s):
    """The database's clock was set back: the renewal lies in its future."""
    for known_for_s in (0.0, patience_s / 2, patience_s, patience_s * 2):
        found = takeover_in(row(-3600.0), TIMING, local_locks=local_locks, unchanged_s=known_for_s)
        assert found == pytest.approx(max(0.0, patience_s - known_for_s))
