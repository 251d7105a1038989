"""What to do with slots that are due, late or in each other's way. Pure.

``plan`` turns one due task into the rows to write: every slot between the cursor and the horizon
ends in exactly one of them. ``settle`` does the same for rows that were queued by a leader that is
no more. ``decide_start`` is asked at the very moment of starting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gocron.core.states import Misfire, Overlap, RunState

TINY = timedelta(microseconds=1)

MOST_SLOTS = 120
"""On-time slots of one task that one round plans; the cursor stays at the rest."""

MOST_COUNTED = 100_000
"""Missed slots are counted up to this many; the row then says "at least"."""


class Slots(Protocol):
    """What is asked of a timetable (``core.timetable``); all instants are aware UTC."""

    def next_after(self, instant: datetime) -> datetime | None:
        """First slot strictly after ``instant``."""
        ...

    def between(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """Slots in (after, until], ascending, at most ``limit``."""
        ...

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """Newest slot not later than ``instant``."""
        ...

    def count(self, after: datetime, until: datetime, limit: int) -> int:
        """How many slots lie in (after, until], at most ``limit``."""
        ...


@dataclass(frozen=True)
class DueTask:
    """A task whose cursor has come near."""

    id: int
    name: str
    revision: int
    next_fire_at: datetime
    spec: str
    timezone: str
    misfire: str = Misfire.RUN_ONCE


@dataclass(frozen=True)
class PlannedRun:
    """A row to be inserted."""

    task_id: int
    task_name: str
    revision: int
    scheduled_at: datetime
    state: RunState = RunState.QUEUED
    reason: str = ""
    missed_until: datetime | None = None
    missed_count: int | None = None


@dataclass(frozen=True)
class Plan:
    """What becomes of a task's due slots: rows to write, and where its cursor goes."""

    task: DueTask
    runs: tuple[PlannedRun, ...]
    next_fire_at: datetime | None


def plan(task: DueTask, slots: Slots, now: datetime, horizon: datetime, grace: timedelta) -> Plan:
    """All slots from the cursor up to ``horizon``. Those older than ``grace`` are late and follow
    the task's misfire policy; each of the others runs on its own."""
    if task.next_fire_at > horizon:
        return Plan(task, (), task.next_fire_at)
    runs: list[PlannedRun] = []
    on_time_from = max(task.next_fire_at, now - grace)
    if task.next_fire_at < on_time_from:
        late = MISFIRE.get(task.misfire, _run_once)  # a newer version may know more policies
        runs += late(task, slots, on_time_from - TINY)
    on_time = slots.between(on_time_from - TINY, horizon, MOST_SLOTS)
    runs += [_planned(task, slot) for slot in on_time]
    last = on_time[-1] if on_time else max(on_time_from - TINY, task.next_fire_at)
    return Plan(task, tuple(runs), slots.next_after(last))


def missed_only(task: DueTask, slots: Slots, until: datetime, reason: str) -> list[PlannedRun]:
    """Every slot from the cursor to ``until`` as one row ``missed`` (or none)."""
    newest = slots.latest_at_or_before(until)
    if newest is None or newest < task.next_fire_at:
        return []
    count = slots.count(task.next_fire_at - TINY, newest, MOST_COUNTED)
    words = f"{'at least ' if count >= MOST_COUNTED else ''}{count} slot{'s'[: count > 1]} missed"
    return [
        PlannedRun(
            task.id,
            task.name,
            task.revision,
            task.next_fire_at,
            RunState.MISSED,
            f"{words}: {reason}",
            newest,
            count,
        )
    ]


def _run_once(task: DueTask, slots: Slots, until: datetime) -> list[PlannedRun]:
    """The newest late slot runs, the others are recorded as missed."""
    newest = slots.latest_at_or_before(until)
    if newest is None or newest < task.next_fire_at:
        return []
    older = missed_only(
        task, slots, newest - TINY, "nobody scheduled in time; the newest late slot runs instead"
    )
    return [*older, _planned(task, newest)]


MISFIRE: dict[str, Callable[[DueTask, Slots, datetime], list[PlannedRun]]] = {
    Misfire.RUN_ONCE: _run_once
}
"""Policy for late slots -> the rows they become. A new policy is one function and one line."""


def _planned(task: DueTask, slot: datetime) -> PlannedRun:
    return PlannedRun(task.id, task.name, task.revision, slot)


@dataclass(frozen=True)
class QueuedRun:
    """A row that waits to be started, and what matters of its task."""

    id: int
    task_id: int
    scheduled: bool
    """Whether a slot made it (and not a person)."""
    start_at: datetime
    cursor: datetime | None
    """The task's next slot without a row; None if it has none (or is gone)."""


def settle(runs: Iterable[QueuedRun], now: datetime, grace: timedelta) -> list[int]:
    """Ids of queued runs that have become late beyond ``grace`` and must not start any more.

    Policy ``run_once``: of a task's late slots only the newest runs, and not even that when the
    cursor holds a newer late one. Manual runs are never too late.
    """
    late: dict[int, list[QueuedRun]] = defaultdict(list)
    for run in runs:
        if run.scheduled and run.start_at < now - grace:
            late[run.task_id].append(run)
    missed: list[int] = []
    for waiting in late.values():
        waiting.sort(key=lambda run: run.start_at)
        cursor = waiting[-1].cursor
        newer_is_late = cursor is not None and cursor < now - grace
        missed += [run.id for run in (waiting if newer_is_late else waiting[:-1])]
    return missed


@dataclass(frozen=True)
class Skip:
    """A run does not start, and why."""

    reason: str


def decide_start(overlap: str, max_parallel: int, active: int) -> Skip | None:
    """Whether a run may start while ``active`` runs of the same task go on; None means yes. A
    policy that only a newer version knows is no permission."""
    if active == 0:
        return None
    if overlap != Overlap.PARALLEL:
        return Skip(f"the previous run is still going (overlap: {overlap})")
    if max_parallel and active >= max_parallel:
        return Skip(f"{active} runs are going, at most {max_parallel} may (overlap: parallel)")
    return None
