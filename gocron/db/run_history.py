"""What became of the runs of the last week, kept counted in memory: a look at it costs what has
happened since the last look, however many runs there are.

Runs that have ended never change any more, and ids are given out in order. So they are counted
once, piece by piece along their ids:

    ─────┬──────────────────────────────┬───────────────────┬──▶ ids
     not │ counted once; those that had │ made during the   │
     yet │ not ended are looked at      │ last SETTLE_S:    │
     ◀───│ again until they have        │ counted each time │
        low                            high

``low`` moves down a piece at a time until the week is complete: each look has a budget, so the
first ones after a start answer at once and say that they have not seen everything yet. ``high``
stays behind the present by ``SETTLE_S``, which is longer than a transaction may take: no row
appears below it any more.

Holds for a process, and is used by one thread at a time (``admin.overview`` sees to that).
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from gocron.core.states import RunState, Trigger
from gocron.core.tally import LATE_STEPS_S, SPAN_S, Tally, span_of, spread
from gocron.db.dialects import Dialect
from gocron.db.models import Run
from gocron.db.naming import table
from gocron.db.run_search import AHEAD, first_since

KEPT = timedelta(days=7)
SETTLE = timedelta(seconds=30)
PIECE = 10_000
"""Ids counted by one statement."""

OPEN_AT_ONCE = 2_000
MOST_RECENT = 10 * PIECE
SLOWEST = 10
SLOWEST_WITHIN = timedelta(days=1)
_HOUR = 3600 // SPAN_S
_OPEN = f"r.state IN ('{RunState.QUEUED}', '{RunState.RUNNING}')"
_PUNCTUAL = (
    f"r.trigger_kind = '{Trigger.SCHEDULE}' AND r.attempt = 0 "
    "AND r.started_at IS NOT NULL AND r.held_at IS NULL"
)
"""Those that should have begun at their slot: not told to wait for others."""


@dataclass(frozen=True)
class Longest:
    """The longest run of a task in an hour."""

    task_id: int
    task_name: str
    took_s: float


@dataclass
class RunHistory:
    """See above. ``clock`` gives monotonic seconds. ``complete``: all runs of the week are
    counted."""

    clock: Callable[[], float] = time.monotonic
    complete: bool = False
    _counted: Tally = field(default_factory=Tally)
    _recent: Tally = field(default_factory=Tally)
    _open: set[int] = field(default_factory=set)
    _asked: int = 0
    """The last of ``_open`` that was looked at."""

    _slowest: dict[int, list[Longest]] = field(default_factory=dict)
    _bounds: _Bounds | None = None

    def tally(self) -> Tally:
        """What has been counted."""
        whole = Tally()
        whole.add(self._counted)
        whole.add(self._recent)
        return whole

    def slowest(self, now: datetime) -> list[Longest]:
        """The tasks with the longest runs of the last ``SLOWEST_WITHIN`` (by slot, in whole
        hours), one entry each."""
        first = span_of(now - SLOWEST_WITHIN) // _HOUR
        recent = (one for hour, found in self._slowest.items() if hour >= first for one in found)
        return _best(recent)

    def forget(self) -> None:
        """Begin anew."""
        self._counted, self._recent = Tally(), Tally()
        self._open, self._slowest = set(), {}
        self._bounds, self.complete = None, False

    def look(self, connection: Connection, dialect: Dialect, budget_s: float) -> datetime:
        """Count what is new, and older runs for ``budget_s`` (a piece of each at least); the
        database's time."""
        until = self.clock() + budget_s
        now = dialect.now(connection)
        reader = _Reader(connection, dialect)
        bounds = self._bounds_of_now(connection, now)
        if bounds is None:
            self.complete = True
            return now
        settled = first_since(connection, now - SETTLE, bounds.high)
        while bounds.high < settled:
            end = min(settled, bounds.high + PIECE)
            self._count(reader, bounds.high, end, bounds)
            bounds.high = end
            if self.clock() >= until:
                break
        self._look_again(reader)
        while bounds.low > bounds.start:
            first = max(bounds.start, bounds.low - PIECE)
            self._count(reader, first, bounds.low, bounds)
            bounds.low = first
            if self.clock() >= until:
                break
        self._recent = _tally(reader.counts("r.id >= :first AND r.id < :end", bounds.recent))
        self.complete = bounds.low <= bounds.start and bounds.high >= settled
        self._forget_what_is_old(now)
        return now

    def _bounds_of_now(self, connection: Connection, now: datetime) -> _Bounds | None:
        """None while there are no runs: ids need not begin at 1."""
        newest: int | None = connection.execute(select(func.max(Run.id))).scalar()
        if newest is None:
            self.forget()
            return None
        if self._bounds is not None and newest + 1 < self._bounds.high:
            self.forget()  # another database than before, or an older state of it
        if self._bounds is None:
            start = first_since(connection, now - KEPT - AHEAD)
            day = first_since(connection, now - SLOWEST_WITHIN - AHEAD, start)
            high = first_since(connection, now - SETTLE, day)
            self._bounds = _Bounds(start, day, high, high)
        return self._bounds

    def _count(self, reader: _Reader, first: int, end: int, bounds: _Bounds) -> None:
        """Those with ``first <= id < end``, for good. Everything is read before anything is kept:
        a database that goes away meanwhile lets nothing be counted twice."""
        where, values = "r.id >= :first AND r.id < :end", {"first": first, "end": end}
        counts = reader.counts(where, values)
        longest = reader.longest(where, values) if end > bounds.day else ()
        self._keep(counts)
        self._note(longest)

    def _look_again(self, reader: _Reader) -> None:
        """At those that had not ended, in turn if there are many; the ones that are gone were
        withdrawn."""
        waiting = sorted(self._open)
        turn = bisect_right(waiting, self._asked)
        ids = waiting[turn : turn + OPEN_AT_ONCE] or waiting[:OPEN_AT_ONCE]
        if ids:
            where = f"r.id IN ({', '.join(map(str, ids))})"
            counts, longest = reader.counts(where, {}), reader.longest(where, {})
            self._asked = ids[-1]
            self._open.difference_update(ids)
            self._keep(counts)
            self._note(longest)

    def _keep(self, rows: Sequence[Row[Any]]) -> None:
        self._open.update(int(row.open_id) for row in rows if row.open_id is not None)
        self._counted.add(_tally(rows))

    def _note(self, rows: Sequence[Row[Any]]) -> None:
        for row in rows:
            one = Longest(row.task_id, row.task_name, float(row.took))
            there = self._slowest.setdefault(int(row.hour), [])
            there[:] = _best([*there, one])

    def _forget_what_is_old(self, now: datetime) -> None:
        self._counted.forget_before(span_of(now - KEPT))
        oldest = span_of(now - SLOWEST_WITHIN) // _HOUR
        self._slowest = {hour: found for hour, found in self._slowest.items() if hour >= oldest}


@dataclass
class _Bounds:
    """Ids: where the week begins, where the last day does, and what lies between is counted."""

    start: int
    day: int
    low: int
    high: int

    @property
    def recent(self) -> dict[str, int]:
        """What is counted anew each time; not more than can be counted at once."""
        return {"first": self.high, "end": self.high + MOST_RECENT}


def _best(found: Iterable[Longest]) -> list[Longest]:
    """The longest of each task, longest first."""
    best: dict[int, Longest] = {}
    for one in found:
        if one.task_id not in best or best[one.task_id].took_s < one.took_s:
            best[one.task_id] = one
    return sorted(best.values(), key=lambda one: -one.took_s)[:SLOWEST]


def _tally(rows: Sequence[Row[Any]]) -> Tally:
    """Of rows of ``_Reader.counts``; those that have not ended are left out."""
    found = Tally()
    for row in rows:
        if row.open_id is not None:
            continue
        first, count = int(row.span), int(row.n)
        last = first if row.until_span is None else int(row.until_span)
        for span, part in spread(count, first, last):
            found.states[span, row.state] += part
        if row.step is not None:
            found.late[first, int(row.step)] += count
    return found


class _Reader:
    """The two statements."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        late = dialect.seconds("r.scheduled_at", "r.started_at")
        steps = " ".join(f"WHEN x.late < {s} THEN {n}" for n, s in enumerate(LATE_STEPS_S))
        self._counts = (
            "SELECT x.span, x.until_span, x.state, x.open_id, "
            f"CASE WHEN x.late IS NULL THEN NULL {steps} ELSE {len(LATE_STEPS_S)} END AS step, "
            f"SUM(x.n) AS n FROM (SELECT {dialect.span('r.scheduled_at', SPAN_S)} AS span, "
            "CASE WHEN r.missed_count > 1 THEN "
            f"{dialect.span('r.missed_until', SPAN_S)} END AS until_span, r.state, "
            f"CASE WHEN {_OPEN} THEN r.id END AS open_id, "
            f"CASE WHEN {_PUNCTUAL} AND NOT ({_OPEN}) THEN {late} END AS late, "
            f"CASE WHEN r.missed_count > 1 THEN r.missed_count ELSE 1 END AS n "
            f"FROM {table('run')} r WHERE {{where}}) x GROUP BY 1, 2, 3, 4, 5"
        )
        hour = dialect.span("r.scheduled_at", 3600)
        took = dialect.seconds("r.started_at", "r.finished_at")
        self._longest = (
            "SELECT y.hour, y.task_id, y.task_name, y.took FROM (SELECT x.*, ROW_NUMBER() OVER "
            "(PARTITION BY x.hour ORDER BY x.took DESC, x.task_id) AS place "
            f"FROM (SELECT {hour} AS hour, r.task_id, MAX(r.task_name) AS task_name, "
            f"MAX({took}) AS took FROM {table('run')} r WHERE {{where}} "
            "AND r.finished_at IS NOT NULL AND r.started_at IS NOT NULL "
            f"GROUP BY {hour}, r.task_id) x) y WHERE y.place <= {SLOWEST}"
        )

    def counts(self, where: str, values: dict[str, int]) -> Sequence[Row[Any]]:
        """Ended runs as ``n`` by ``span`` (a range of missed slots: to ``until_span``), ``state``
        and ``step`` of their lateness; and the id of each that has not ended. One statement, so
        none is both or neither."""
        statement = text(self._counts.format(where=where))
        return self._connection.execute(statement, values).all()

    def longest(self, where: str, values: dict[str, int]) -> Sequence[Row[Any]]:
        """The tasks with the longest runs in each hour."""
        statement = text(self._longest.format(where=where))
        return self._connection.execute(statement, values).all()
