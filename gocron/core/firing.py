"""What to do with slots that are due or late. Pure.

``plan`` turns one due task into the rows to write: every slot between the cursor and the horizon
ends in exactly one of them. ``settle`` does the same for rows that were queued by a leader that is
no more. What else is going on at the moment of starting is ``starting``'s business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from gocron.core.jitter import jitter_of
from gocron.core.states import Misfire, RunState, Trigger
from gocron.sayings import inside, say, say_n

TINY = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)

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
    misfire_grace: int | None = None
    """Seconds; None: the installation's."""
    catch_up_limit: int = 100
    jitter: int = 0
    """Seconds by which a run may begin later than its slot, but never after the next one."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    exclude_calendars: tuple[str, ...] = ()
    require_calendars: tuple[str, ...] = ()
    followed: bool = False
    broken: str = ""


@dataclass(frozen=True)
class PlannedRun:
    """A row to be inserted; ``start_at`` None: at its slot."""

    task_id: int
    task_name: str
    revision: int
    scheduled_at: datetime
    state: RunState = RunState.QUEUED
    reason: str = ""
    missed_until: datetime | None = None
    missed_count: int | None = None
    start_at: datetime | None = None
    trigger: Trigger = Trigger.SCHEDULE
    follow_up: bool = False


@dataclass(frozen=True)
class Plan:
    """What becomes of a task's due slots: rows to write, and where its cursor goes."""

    task: DueTask
    runs: tuple[PlannedRun, ...]
    next_fire_at: datetime | None


def plan(task: DueTask, slots: Slots, now: datetime, horizon: datetime, grace: timedelta) -> Plan:
    """All slots from the cursor up to ``horizon``. Those that should have begun more than ``grace``
    ago are late and follow the task's misfire policy; each of the others runs on its own. If late
    ones are caught up on, what is due with them is too: it must not be skipped for their sake."""
    if task.misfire_grace is not None:
        grace = timedelta(seconds=task.misfire_grace)
    if task.next_fire_at > horizon:
        return Plan(task, (), task.next_fire_at)
    runs: list[PlannedRun] = []
    on_time_from = max(task.next_fire_at, _first_on_time(task, slots, now - grace))
    if task.next_fire_at < on_time_from:
        late = MISFIRE.get(task.misfire, _run_once)  # a newer version may know more policies
        runs += late(task, slots, on_time_from - TINY)
    caught_up = any(run.trigger is Trigger.CATCH_UP for run in runs)
    trigger = Trigger.CATCH_UP if caught_up else Trigger.SCHEDULE
    on_time = slots.between(on_time_from - TINY, horizon, MOST_SLOTS)
    runs += [_planned(task, slots, slot, trigger) for slot in on_time]
    last = on_time[-1] if on_time else max(on_time_from - TINY, task.next_fire_at)
    return Plan(task, tuple(runs), slots.next_after(last))


def missed_only(task: DueTask, slots: Slots, until: datetime, reason: str) -> list[PlannedRun]:
    """Every slot from the cursor to ``until`` as one row ``missed`` (or none)."""
    newest = slots.latest_at_or_before(until)
    if newest is None or newest < task.next_fire_at:
        return []
    count = slots.count(task.next_fire_at - TINY, newest, MOST_COUNTED)
    missed = say_n("%(num)s slot missed", "%(num)s slots missed", count)
    if count >= MOST_COUNTED:
        missed = say("at least %(missed)s", missed=missed)
    first = slots.next_after(task.next_fire_at - TINY) or task.next_fire_at
    return [
        PlannedRun(
            task.id,
            task.name,
            task.revision,
            first,
            RunState.MISSED,
            inside([missed], reason),
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
        task,
        slots,
        newest - TINY,
        say("nobody scheduled in time; the newest late slot runs instead"),
    )
    return [*older, _planned(task, slots, newest)]


def _skip(task: DueTask, slots: Slots, until: datetime) -> list[PlannedRun]:
    """None of them runs."""
    return missed_only(task, slots, until, say("nobody scheduled in time (misfire: skip)"))


def _run_all(task: DueTask, slots: Slots, until: datetime) -> list[PlannedRun]:
    """All of them, the oldest first, up to the task's limit; the rest is recorded as missed."""
    late = slots.between(task.next_fire_at - TINY, until, task.catch_up_limit)
    runs = [_planned(task, slots, slot, Trigger.CATCH_UP) for slot in late]
    rest = replace(task, next_fire_at=late[-1] + TINY) if late else task
    return runs + missed_only(
        rest,
        slots,
        until,
        say(
            "nobody scheduled in time, and at most %(most)s are caught up on",
            most=task.catch_up_limit,
        ),
    )


MISFIRE: dict[str, Callable[[DueTask, Slots, datetime], list[PlannedRun]]] = {
    Misfire.RUN_ONCE: _run_once,
    Misfire.SKIP: _skip,
    Misfire.RUN_ALL: _run_all,
}
"""Policy for late slots -> the rows they become. A new policy is one function and one line."""


def _first_on_time(task: DueTask, slots: Slots, limit: datetime) -> datetime:
    """``limit``, or the slot before it, if jitter has it begin after ``limit``."""
    newest = slots.latest_at_or_before(limit - TINY) if task.jitter else None
    return newest if newest is not None and _start_of(task, slots, newest) >= limit else limit


def _start_of(task: DueTask, slots: Slots, slot: datetime) -> datetime:
    """When the run of ``slot`` is to begin: with jitter later, but before the slot after it."""
    if not task.jitter:
        return slot
    following = slots.next_after(slot)
    most_s = task.jitter
    if following is not None:
        most_s = min(most_s, max(0, (following - slot) // SECOND - 1))
    return slot + jitter_of(task.name, slot, most_s)


def _planned(
    task: DueTask, slots: Slots, slot: datetime, trigger: Trigger = Trigger.SCHEDULE
) -> PlannedRun:
    return PlannedRun(
        task.id,
        task.name,
        task.revision,
        slot,
        start_at=_start_of(task, slots, slot),
        trigger=trigger,
        follow_up=task.followed,
    )


@dataclass(frozen=True)
class QueuedRun:
    """A row that waits to be started, and what matters of its task."""

    id: int
    task_id: int
    scheduled: bool
    """Whether its slot made it, for the first time: not a person, not a retry, and it was not told
    to wait for others."""
    start_at: datetime
    cursor: datetime | None
    """The task's next slot without a row; None if it has none (or is gone)."""
    misfire: str = Misfire.RUN_ONCE
    misfire_grace: int | None = None


def settle(runs: Iterable[QueuedRun], now: datetime, grace: timedelta) -> dict[int, str]:
    """Queued runs that have become late beyond their grace and must not start any more: id ->
    reason. It is what the misfire policy says, as in ``plan``: ``run_once`` lets only the newest
    late slot of a task run, and not even that when the cursor holds a newer late one."""
    late: dict[int, list[QueuedRun]] = defaultdict(list)
    for run in runs:
        if run.scheduled and run.start_at < now - _grace_of(run, grace):
            late[run.task_id].append(run)
    missed: dict[int, str] = {}
    for waiting in late.values():
        waiting.sort(key=lambda run: run.start_at)
        newest = waiting[-1]
        if newest.misfire == Misfire.RUN_ALL:
            continue
        if newest.misfire == Misfire.SKIP:
            reason = say("nobody started it in time (misfire: skip)")
            missed |= dict.fromkeys((run.id for run in waiting), reason)
            continue
        limit = now - _grace_of(newest, grace)
        newer_is_late = newest.cursor is not None and newest.cursor < limit
        reason = say("nobody started it in time; a newer slot runs instead")
        missed |= dict.fromkeys(
            (run.id for run in (waiting if newer_is_late else waiting[:-1])), reason
        )
    return missed


def _grace_of(run: QueuedRun, grace: timedelta) -> timedelta:
    return grace if run.misfire_grace is None else timedelta(seconds=run.misfire_grace)
