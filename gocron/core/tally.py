"""What became of slots, counted: by span of time and state, and how late they began. Pure.

A span is ``SPAN_S`` seconds long and numbered from 1970 on. Every offset of a time zone is a
multiple of it, so hours of any zone are whole numbers of spans.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

SPAN_S = 300

LATE_STEPS_S = (
    *(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 3600),
)
"""Latenesses are counted by the first of these that they stay below."""


def span_of(moment: datetime) -> int:
    """The span that ``moment`` (aware) lies in."""
    return int(moment.timestamp()) // SPAN_S


def start_of(span: int) -> datetime:
    """UTC."""
    return datetime.fromtimestamp(span * SPAN_S, UTC)


def spread(count: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """``count`` things that are evenly spread over the spans ``first`` to ``last``, as (span, how
    many); the sum is exact."""
    width = max(last - first, 0) + 1
    given = 0
    for number in range(width):
        upto = count * (number + 1) // width
        if upto > given:
            yield first + number, upto - given
        given = upto


@dataclass
class Tally:
    """Counts. ``late`` is by span and index in ``LATE_STEPS_S`` (behind it: later than all)."""

    states: Counter[tuple[int, str]] = field(default_factory=Counter)
    late: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Count what ``other`` has counted as well."""
        self.states.update(other.states)
        self.late.update(other.late)

    def forget_before(self, span: int) -> None:
        """Keep ``span`` and later ones."""
        for counts in (self.states, self.late):
            for key in [key for key in counts if key[0] < span]:
                del counts[key]

    def by_state(self, first: int, last: int) -> Counter[str]:
        """The sum over the spans ``first`` to ``last``."""
        found: Counter[str] = Counter()
        for (span, state), count in self.states.items():
            if first <= span <= last:
                found[state] += count
        return found

    def bars(self, starts: Sequence[int]) -> list[Counter[str]]:
        """Sums from each of the spans ``starts`` (ascending) to before the next one; the last
        takes everything behind it."""
        found: list[Counter[str]] = [Counter() for _start in starts]
        for (span, state), count in self.states.items():
            place = bisect_right(starts, span) - 1
            if place >= 0:
                found[place][state] += count
        return found

    def lateness(self, first: int, last: int, shares: Iterable[float]) -> list[float | None]:
        """For each share (0 to 1): the step in seconds below which that many of those that began
        stay; None if none began, infinity if it lies behind the last step."""
        steps = [0] * (len(LATE_STEPS_S) + 1)
        for (span, step), count in self.late.items():
            if first <= span <= last:
                steps[step] += count
        return [_step_at(steps, share) for share in shares]


def _step_at(steps: Sequence[int], share: float) -> float | None:
    total = sum(steps)
    if not total:
        return None
    seen = 0
    for index, count in enumerate(steps):
        seen += count
        if seen >= share * total:
            return LATE_STEPS_S[index] if index < len(LATE_STEPS_S) else float("inf")
    return float("inf")
