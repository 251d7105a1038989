"""Runs that were claimed for this node and wait for their moment. Each run is in here once."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from gocron.db.runs import QueuedWork


class Waiting:
    """Ordered by ``start_at``; what was dropped stays in the heap as a number without meaning."""

    def __init__(self) -> None:
        self._works: dict[int, QueuedWork] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._works)

    @property
    def ids(self) -> set[int]:
        """Ids of all waiting runs."""
        return set(self._works)

    def add(self, work: QueuedWork) -> None:
        """One more; one that waits already is left as it is."""
        if work.id not in self._works:
            self._works[work.id] = work
            heapq.heappush(self._heap, (work.start_at.timestamp(), work.id))

    def drop(self, run_ids: Iterable[int]) -> None:
        """These are not ours any more."""
        for run_id in run_ids:
            self._works.pop(run_id, None)

    def next_at(self) -> float | None:
        """POSIX time at which the next run is due; None if nothing waits."""
        while self._heap and self._heap[0][1] not in self._works:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float, most: int) -> list[QueuedWork]:
        """Take out what is due at POSIX time ``now``, the oldest first, at most ``most``."""
        taken: list[QueuedWork] = []
        while len(taken) < most and (at := self.next_at()) is not None and at <= now:
            taken.append(self._works.pop(heapq.heappop(self._heap)[1]))
        return taken
