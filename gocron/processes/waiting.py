"""Runs that were claimed for this node and wait for their moment, or for others to end. Each run is
in here once."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from gocron.db.runs import QueuedWork

AT_A_TIME = 20
"""So many of those that wait for the same thing are asked about again at a time: of ten thousand
that wait for one group, a few may start."""

CATCH_UP_AT_A_TIME = 4
"""So many of those that are caught up on are started in one go: what falls due meanwhile waits for
them, a millisecond or two each."""

CLEAR_S = 0.03
"""By itself nothing is caught up on so shortly before something else is due: the machine is to be
free for what is on time."""

REST = 2.0
"""Times as long as starting what is caught up on took, nothing more of it is started by itself: its
commands and their records need the machine too."""

LONGEST_REST_S = 1.0
"""Also where the database was slow."""

STARVED_S = 0.5
"""Without a start for so long, what is caught up on goes along with what is due. Else it does not:
that transaction is waited for."""

Turn = tuple[int, bool, datetime, int]

Entry = TypeVar("Entry", Turn, tuple[float, int])


def turn(work: QueuedWork) -> Turn:
    """What matters more first; what is on time before what is caught up on; then the oldest."""
    oldest = work.scheduled_at if work.in_order else work.start_at
    return (-work.priority, work.in_order, oldest, work.id)


class Waiting:
    """In three places: to come (ordered by ``start_at``), due (ordered by ``turn``; what is caught
    up on apart), and held: due, told to wait for others, not offered again before ``release``.

    What was dropped stays in its heap as a number without meaning.
    """

    def __init__(self) -> None:
        self._works: dict[int, QueuedWork] = {}
        self._to_come: list[tuple[float, int]] = []
        self._due: list[Turn] = []
        self._to_catch_up: list[Turn] = []
        self._held: dict[int, QueuedWork] = {}
        self._blocked: dict[str, list[Turn]] = {}
        self._in_line: dict[int, QueuedWork] = {}
        self._on_time: set[int] = set()
        self._rest_until = 0.0
        self._caught_up_at = 0.0

    @property
    def ids(self) -> set[int]:
        """Ids of all waiting runs."""
        return {*self._works, *self._held}

    def __contains__(self, run_id: int) -> bool:
        return run_id in self._works or run_id in self._held

    @property
    def on_time(self) -> set[int]:
        """Ids of those that are not caught up on."""
        return set(self._on_time)

    @property
    def late_count(self) -> int:
        """How many are to be caught up on."""
        return len(self._works) + len(self._held) - len(self._on_time)

    @property
    def any_held(self) -> bool:
        """Whether some wait for others to end."""
        return bool(self._held)

    def add(self, work: QueuedWork) -> None:
        """One more; one that waits already is left as it is."""
        if work.id not in self:
            self._works[work.id] = work
            self._enter(work)
            heapq.heappush(self._to_come, (work.start_at.timestamp(), work.id))

    def drop(self, run_ids: Iterable[int]) -> None:
        """These are not ours any more."""
        for run_id in run_ids:
            self._works.pop(run_id, None)
            self._held.pop(run_id, None)
            self._leave(run_id)

    def hold(self, work: QueuedWork, blocker: str) -> None:
        """It is due, and has to wait for ``blocker``."""
        self._held[work.id] = work
        self._enter(work)
        heapq.heappush(self._blocked.setdefault(blocker, []), turn(work))

    def release(self, blockers: Iterable[str] | None = None) -> None:
        """Offer some of what is held once more: of everything, or of what waits for these."""
        for blocker in list(self._blocked if blockers is None else blockers):
            queue = self._blocked.get(blocker, [])
            offered = 0
            while queue and offered < AT_A_TIME:
                work = self._held.pop(heapq.heappop(queue)[-1], None)
                if work is not None:
                    self._works[work.id] = work
                    self._offer(work)
                    offered += 1
            if not queue:
                self._blocked.pop(blocker, None)

    def turns(self) -> dict[int, list[int]]:
        """Task -> ids of its runs that keep their turn, those of a catch-up aside."""
        found: dict[int, list[int]] = {}
        for work in sorted(self._in_line.values(), key=lambda one: one.id not in self._held):
            found.setdefault(work.task_id, []).append(work.id)
        return found

    # What is asked for at every start and every look at the database is kept count of: thousands
    # that are caught up on must not be gone through for it.

    def _enter(self, work: QueuedWork) -> None:
        if not work.in_order:
            self._on_time.add(work.id)
            if work.held:
                self._in_line[work.id] = work

    def _leave(self, run_id: int) -> None:
        self._on_time.discard(run_id)
        self._in_line.pop(run_id, None)

    def caught_up(self, began: float, ended: float) -> None:
        """Something that is caught up on was started in this time (POSIX)."""
        self._caught_up_at = ended
        self._rest_until = ended + min(LONGEST_REST_S, REST * (ended - began))

    def next_at(self, now: float) -> float | None:
        """POSIX time at which ``take_due`` gives something (0: at once); None if nothing waits."""
        if self._first(self._due) is not None:
            return 0.0
        at = self._first(self._to_come)
        clear_at = max(now, self._rest_until)
        if self._first(self._to_catch_up) is not None and self._is_clear(clear_at):
            return clear_at
        return None if at is None else at[0]

    def take_due(self, now: float, most: int) -> list[QueuedWork]:
        """Take out what is due at POSIX time ``now``, at most ``most``, in their ``turn``. Of what
        is caught up on only a few at a time, while nothing else is due or about to be: what is on
        time must not wait for it for long."""
        while (at := self._first(self._to_come)) is not None and at[0] <= now:
            self._offer(self._works[heapq.heappop(self._to_come)[1]])
        taken: list[QueuedWork] = []
        alone = self._first(self._due) is None
        may_catch_up = self._is_clear(now) if alone else now - self._caught_up_at > STARVED_S
        caught_up = 0 if may_catch_up else CATCH_UP_AT_A_TIME
        while len(taken) < most:
            due = self._first(self._due)
            late = self._first(self._to_catch_up) if caught_up < CATCH_UP_AT_A_TIME else None
            if due is None and late is None:
                break
            queue = self._due
            if due is None or (late is not None and late < due):
                queue = self._to_catch_up
                caught_up += 1
            taken.append(work := self._works.pop(heapq.heappop(queue)[-1]))
            self._leave(work.id)
        return taken

    def _is_clear(self, now: float) -> bool:
        at = self._first(self._to_come)
        return now >= self._rest_until and (at is None or at[0] - now > CLEAR_S)

    def _offer(self, work: QueuedWork) -> None:
        heapq.heappush(self._to_catch_up if work.in_order else self._due, turn(work))

    def _first(self, queue: list[Entry]) -> Entry | None:
        """What is at the head of a heap and still means something."""
        while queue and queue[0][-1] not in self._works:
            heapq.heappop(queue)
        return queue[0] if queue else None
