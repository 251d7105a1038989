"""What became of a task's runs: by day, how long the last ones took, and which failed last.

Everything is read along the index of the task's own slots, and from a bounded time or number of
rows: it stays quick for a task with a hundred thousand runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median, quantiles

from sqlalchemy import select, text

from gocron.core.daylight import stretch_at
from gocron.core.states import RunState
from gocron.db import run_queries
from gocron.db.engine import Database
from gocron.db.models import Run
from gocron.db.naming import table
from gocron.db.run_queries import FAILURES, RunFacts, RunFilter

EPOCH_DAY = date(1970, 1, 1)

Time = Callable[[datetime], str | None]

BAD = frozenset(FAILURES)

MOST_COUNTED = 200_000
"""Runs, so that a task that is due every second does not read millions."""

LOOKED_THROUGH = 400
"""Rows in which the last runs that were really started are looked for."""


@dataclass(frozen=True)
class Day:
    """A day on the clock of a zone. ``counts``: state -> slots that ended in it (a range of missed
    ones counts all of them)."""

    day: date
    counts: Mapping[RunState, int] = field(default_factory=dict)

    @property
    def good(self) -> int:
        """How many succeeded."""
        return self.counts.get(RunState.SUCCESS, 0)

    @property
    def bad(self) -> int:
        """How many failed, took too long or got lost."""
        return sum(count for state, count in self.counts.items() if state in BAD)

    @property
    def idle(self) -> int:
        """How many did not run: missed, skipped, cancelled."""
        states = (RunState.MISSED, RunState.SKIPPED, RunState.CANCELLED)
        return sum(self.counts.get(state, 0) for state in states)


@dataclass(frozen=True)
class Days:
    """Days that follow each other, oldest first. Not ``complete``: only the newest
    ``MOST_COUNTED`` runs are counted, there were more."""

    days: list[Day]
    complete: bool


@dataclass(frozen=True)
class Ran:
    """A run that was started and has ended; ``seconds`` is how long it took."""

    run_id: int
    slot: datetime
    state: RunState
    seconds: float


@dataclass(frozen=True)
class Durations:
    """The last runs, oldest first; seconds, None without runs."""

    runs: tuple[Ran, ...]
    median_s: float | None
    p95_s: float | None


def days(database: Database, task_id: int, zone: str, number: int) -> Days:
    """The last ``number`` days up to today of ``zone`` (an IANA name)."""
    dialect = database.dialect
    with database.read() as connection:
        now = dialect.now(connection)
        today = _day_of(zone, now)
        first = today - timedelta(days=number - 1)
        since = now - timedelta(days=number + 1)  # a little more: what is too old is left out
        day = dialect.day_number("scheduled_at", _offset_sql(zone, since, now, dialect.time))
        found = connection.execute(
            text(
                f"SELECT {day} AS day, state, SUM(COALESCE(missed_count, 1)) AS n, "
                "COUNT(*) AS seen "
                f"FROM (SELECT scheduled_at, state, missed_count FROM {table('run')} "
                "WHERE task_id = :task AND scheduled_at >= :since "
                "ORDER BY scheduled_at DESC LIMIT :most) AS r GROUP BY 1, 2"
            ),
            {"task": task_id, "since": dialect.time(since), "most": MOST_COUNTED},
        ).all()
    counts: dict[date, dict[RunState, int]] = {}
    for row in found:
        when = EPOCH_DAY + timedelta(days=int(row.day))
        counts.setdefault(when, {})[RunState(row.state)] = int(row.n)
    wanted = (first + timedelta(days=offset) for offset in range(number))
    complete = sum(row.seen for row in found) < MOST_COUNTED
    return Days([Day(when, counts.get(when, {})) for when in wanted], complete)


def durations(database: Database, task_id: int, limit: int) -> Durations:
    """How long the last ``limit`` runs took that were started and have ended."""
    with database.read() as connection:
        rows = connection.execute(
            select(Run.id, Run.scheduled_at, Run.state, Run.started_at, Run.finished_at)
            .where(Run.task_id == task_id)
            .order_by(Run.scheduled_at.desc(), Run.attempt.desc())
            .limit(LOOKED_THROUGH)
        ).all()
    ran = [
        Ran(
            row.id,
            row.scheduled_at,
            RunState(row.state),
            max((row.finished_at - row.started_at).total_seconds(), 0.0),
        )
        for row in rows
        if row.started_at is not None and row.finished_at is not None
    ][:limit]
    lengths = [run.seconds for run in ran]
    return Durations(
        tuple(reversed(ran)),
        median(lengths) if lengths else None,
        quantiles(lengths, n=20, method="inclusive")[-1] if len(lengths) > 1 else None,
    )


def last_failures(
    database: Database, task_id: int, known: list[Day], limit: int
) -> tuple[RunFacts, ...]:
    """The newest failures, of the days that are ``known`` to have some."""
    first, number = None, 0
    for day in reversed(known):
        if day.bad:
            first, number = day.day, number + day.bad
        if number >= limit:
            break
    if first is None:
        return ()
    since = datetime.fromisoformat(f"{first}T00:00+00:00") - timedelta(days=1)
    wanted = RunFilter(task_ids=(task_id,), states=FAILURES, since=since)
    return run_queries.page(database, wanted, limit).runs


def _day_of(zone: str, instant: datetime) -> date:
    second = int(instant.timestamp())
    days_since = (second + stretch_at(zone, second).offset) // 86_400
    return EPOCH_DAY + timedelta(days=days_since)


def _offset_sql(zone: str, since: datetime, until: datetime, time: Time) -> str:
    """SQL: how far the clock of ``zone`` is ahead of UTC at ``scheduled_at``, in seconds."""
    cases = []
    stretch = stretch_at(zone, int(since.timestamp()))
    while stretch.end <= until.timestamp():
        cases.append(f"WHEN scheduled_at < '{time(_instant(stretch.end))}' THEN {stretch.offset}")
        stretch = stretch_at(zone, stretch.end)
    return f"CASE {' '.join(cases)} ELSE {stretch.offset} END" if cases else str(stretch.offset)


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
