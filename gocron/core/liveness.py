"""Which nodes are gone, as a leader sees it. Pure.

A heartbeat that is old proves nothing when the database itself was away: then everybody's is old.
So the leader counts only the time during which it could look and saw no change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Watch:
    """What a leader has seen of the other nodes' heartbeats since it began to look."""

    lost_after_s: float
    longest_gap_s: float = 5.0
    """Looks further apart than this are no uninterrupted observation: begin anew."""
    _seen: dict[int, tuple[datetime, float]] = field(default_factory=dict)
    _last_look: float | None = None

    def look(self, beats: Iterable[tuple[int, datetime, float]], now: float) -> set[int]:
        """Take (node, heartbeat, its age in seconds) as found at ``now`` (boottime); the nodes
        that are gone."""
        if self._last_look is not None and now - self._last_look > self.longest_gap_s:
            self._seen.clear()
        self._last_look = now
        gone = set()
        for node, beat, age_s in beats:
            known = self._seen.get(node)
            if known is None or known[0] != beat:
                self._seen[node] = (beat, now)
            elif now - known[1] >= self.lost_after_s and age_s >= self.lost_after_s:
                gone.add(node)
        return gone
