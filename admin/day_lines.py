"""Days as lines of text: ``2026-12-24``, or ``2026-12-24..2026-12-31`` for days in a row. Pure;
``gocron.core.calendars.parse_days`` reads them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

DAY = timedelta(days=1)


def write(days: Iterable[date]) -> str:
    """A line a day, or a run of days."""
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if runs and runs[-1][1] + DAY == day:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return "\n".join(f"{first}" if first == last else f"{first}..{last}" for first, last in runs)
