"""How long a leader may trust itself, and when a follower may take over. Pure arithmetic.

Two clocks appear. The leader measures its own trust with ``CLOCK_BOOTTIME`` from *before* it sent
a renewal; the server measures the lease from when it *received* it. So the leader's trust ends
before the server's patience does, whatever either clock believes the date is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Timing:
    """The intervals of an election, in seconds; ``config`` has checked poll < grace < renew <
    lease / 2."""

    lease_s: float = 15.0
    renew_s: float = 5.0
    grace_s: float = 0.8
    poll_s: float = 0.2

    @property
    def relock_s(self) -> float:
        """How long after sending a renewal the lock must be back in our hands."""
        return 0.8 * self.grace_s


def trusted_while_held(sent: float, timing: Timing) -> float:
    """Until when (boottime) a leader trusts itself whose renewal, sent at ``sent``, has been
    committed *and* whose lock is held again.

    The server ends our idle transaction no sooner than one lease after it; a grace less keeps a
    start that is already under way clear of that moment.
    """
    return sent + timing.lease_s - timing.grace_s


def trusted_between(sent: float, timing: Timing) -> float:
    """Until when (boottime) a leader trusts itself between COMMIT and locking again.

    The row is free for that moment. Followers leave it alone while it is younger than a grace.
    """
    return sent + timing.relock_s


@dataclass(frozen=True)
class LockRow:
    """What the lock row says; ``now`` is the database's clock when it was read."""

    locked_by: str | None
    term: int
    renewed_at: datetime | None
    expires_at: datetime | None
    now: datetime


def takeover_in(
    row: LockRow, timing: Timing, *, local_locks: bool = True, unchanged_s: float = 0.0
) -> float:
    """Seconds until a follower that found the row unlocked may make itself leader; 0 = now.

    Unlocked and just renewed means its holder is between two transactions, or died there: wait
    until it cannot trust itself any more. Where row locks do not reach the other servers
    (``local_locks`` false: Galera, several primaries), unlocked means nothing, and only the lease
    counts.

    ``unchanged_s`` is how long the follower has known this very renewal, by its own clock. Having
    waited that long is as good: a database whose clock was set back would keep everybody waiting
    until the clock is where it was.
    """
    if row.locked_by is None or row.renewed_at is None:
        return 0.0
    if local_locks:
        patience_s, free_at = timing.grace_s, row.renewed_at + timedelta(seconds=timing.grace_s)
    else:
        patience_s, free_at = timing.lease_s, row.expires_at or row.now
    return max(0.0, min((free_at - row.now).total_seconds(), patience_s - unchanged_s))
