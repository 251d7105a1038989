"""What the first page shows, gathered. It is looked at every few seconds by everybody who has it
open, so what it costs is shared: a look serves all of a node's visitors for ``FRESH_S``, and what
is slower to find (``Slow``) for longer. While one request looks, the others take the last result.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from admin.chart_bars import Bar, hours_of_day, quarters_of_week
from admin.presentation import home_zone
from gocron.context import Context
from gocron.core.states import RunState
from gocron.core.tally import Tally, span_of, start_of
from gocron.db import agenda, overview, run_queries, statistics, task_queries
from gocron.db.agenda import Agenda
from gocron.db.overview import Going, Stuck, Trouble
from gocron.db.run_history import Longest, RunHistory
from gocron.db.run_queries import RunFacts
from gocron.db.task_queries import Upcoming

FRESH_S = 2.0
COUNTING_FRESH_S = 0.1
"""While older runs are being counted."""

SLOW_FRESH_S = 15.0
BUDGET_S = 0.04
"""For counting what is not counted yet."""

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ROWS = 8
AHEAD_MINUTES = 60
AGENDA_TASKS = 50


@dataclass(frozen=True)
class Lateness:
    """Below how many seconds half and 99 of 100 runs began after their slot, of those that their
    schedule started since ``since``; None if there were none."""

    since: datetime
    half: float | None
    most: float | None


@dataclass(frozen=True)
class Slow:
    """What is looked for less often."""

    failing: list[Trouble]
    not_run: list[Trouble]
    stuck: list[Stuck]
    agenda: Agenda
    tasks_enabled: int
    is_empty: bool


@dataclass(frozen=True)
class Overview:
    """One look. ``complete`` is False while older runs are still being counted."""

    now: datetime
    complete: bool
    running: int
    queued: int
    day: Counter[str]
    hours: list[Bar]
    week: list[Bar]
    lateness_hour: Lateness
    lateness_day: Lateness
    failures: tuple[RunFacts, ...]
    going: list[Going]
    slowest: list[Longest]
    upcoming: list[Upcoming]
    slow: Slow

    @property
    def failed(self) -> int:
        """Of the last 24 hours."""
        return sum(self.day[state] for state in overview.FAILURES)

    @property
    def success_rate(self) -> float | None:
        """Of what ran in the last 24 hours; None if nothing did."""
        ran = self.day[RunState.SUCCESS] + self.failed
        return self.day[RunState.SUCCESS] / ran if ran else None


class Lookout:
    """The overviews of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._history = RunHistory()
        self._last: Overview | None = None
        self._last_at = self._slow_at = 0.0
        self._slow: Slow | None = None

    def look(self, context: Context) -> Overview:
        """As it is now, or was ``FRESH_S`` ago."""
        last = self._last
        if not self._lock.acquire(blocking=last is None):
            assert last is not None
            return last
        try:
            fresh_s = FRESH_S if self._history.complete else COUNTING_FRESH_S
            if self._last is None or time.monotonic() - self._last_at > fresh_s:
                self._last = self._gather(context)
                self._last_at = time.monotonic()
            return self._last
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Look at everything anew."""
        with self._lock:
            self._history.forget()
            self._last = self._slow = None

    def _gather(self, context: Context) -> Overview:
        database = context.database
        with database.read() as connection:
            now = self._history.look(connection, database.dialect, BUDGET_S)
            going = overview.longest_going(connection, ROWS)
            unfinished = overview.unfinished(connection)
            slow = self._slow_look(connection, context, now)
        tally = self._history.tally()
        zone = home_zone()
        return Overview(
            now=now,
            complete=self._history.complete,
            running=unfinished[RunState.RUNNING],
            queued=unfinished[RunState.QUEUED],
            day=tally.by_state(span_of(now - DAY), span_of(now + DAY)),
            hours=hours_of_day(tally, now, zone),
            week=quarters_of_week(tally, now, zone),
            lateness_hour=_lateness(tally, now, HOUR),
            lateness_day=_lateness(tally, now, DAY),
            failures=run_queries.failures(database, DAY, ROWS),
            going=going,
            slowest=self._history.slowest(now)[:ROWS],
            upcoming=task_queries.upcoming(database, ROWS),
            slow=slow,
        )

    def _slow_look(self, connection: Connection, context: Context, now: datetime) -> Slow:
        """An empty installation is looked at each time: whoever fills it waits for that."""
        old = self._slow
        fresh = time.monotonic() - self._slow_at <= SLOW_FRESH_S
        if old is not None and fresh and not old.is_empty:
            return old
        self._slow, self._slow_at = _slow(connection, context, now), time.monotonic()
        return self._slow


def _slow(connection: Connection, context: Context, now: datetime) -> Slow:
    grace = timedelta(seconds=context.settings.misfire_grace_s)
    return Slow(
        failing=overview.troubled(connection, overview.FAILURES, now, DAY, ROWS),
        not_run=overview.troubled(connection, overview.NOT_RUN, now, DAY, ROWS),
        stuck=overview.stuck(connection, context.database.dialect, grace, ROWS),
        agenda=agenda.agenda(connection, now, AHEAD_MINUTES, AGENDA_TASKS),
        tasks_enabled=statistics.tasks_by_enabled(connection)[0],
        is_empty=overview.is_empty(connection),
    )


def _lateness(tally: Tally, now: datetime, within: timedelta) -> Lateness:
    """The span that ``within`` ago lies in is left out, so it is never more than that."""
    first = span_of(now - within) + 1
    half, most = tally.lateness(first, span_of(now), (0.5, 0.99))
    return Lateness(start_of(first), half, most)
