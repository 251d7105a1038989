"""What comes after a run that has ended: a retry of it, or the tasks that depend on it. Pure.

Asked by the leader alone, for every run whose end nobody has looked after yet (``run.follow_up``),
so two nodes never decide about the same slot. What it answers becomes rows, in one transaction
with the note that the end has been looked after.

A chain is everything that runs for the same slot. A child runs once all its parents have come to
their end for that slot; a chain that is run again from a point of it is a new ``generation``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gocron.core.jitter import jitter_of
from gocron.core.parameters import Parameter, Value, values_for
from gocron.core.states import BY_ITSELF, Backoff, Need, OnLost, RunState, Trigger
from gocron.errors import InvalidTask
from gocron.sayings import say

MOST_RERUNS = 10
"""So often is a run begun again whose node died; then it may be the run that kills them."""

_ENDED = {
    RunState.FAILED: say("failed"),
    RunState.TIMEOUT: say("timeout"),
    RunState.CANCELLED: say("cancelled"),
    RunState.LOST: say("lost"),
    RunState.SKIPPED: say("skipped"),
    RunState.MISSED: say("missed"),
}

LONGEST_DELAY = timedelta(days=1)


@dataclass(frozen=True)
class ChainTask:
    """What a task says about what comes after its runs."""

    id: int
    name: str
    revision: int
    enabled: bool
    retry_times: int = 0
    retry_interval: int = 0
    retry_backoff: str = Backoff.FIXED
    retry_jitter: int = 0
    retry_on: tuple[str, ...] = ()
    on_lost: str = OnLost.FAIL
    followed: bool = False
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class Edge:
    """``task_id`` runs after ``parent_id``."""

    task_id: int
    parent_id: int
    need: str


@dataclass(frozen=True)
class ChainRun:
    """A run of a chain, whatever its state."""

    id: int
    task_id: int
    scheduled_at: datetime
    attempt: int
    state: RunState
    trigger: str
    generation: int = 0
    follow_up: bool = False
    triggered_by: str = ""
    parameters: Mapping[str, Value] | None = None
    parents: Sequence[Mapping[str, object]] = ()
    backfill_id: int | None = None
    finished_at: datetime | None = None
    missed_until: datetime | None = None
    """One row answers for all slots from ``scheduled_at`` to here."""


@dataclass(frozen=True)
class NextRun:
    """A row to be written; ``start_at`` None means at once."""

    task_id: int
    task_name: str
    revision: int
    scheduled_at: datetime
    attempt: int
    trigger: str
    triggered_by: str
    generation: int
    state: RunState = RunState.QUEUED
    reason: str = ""
    start_at: datetime | None = None
    follow_up: bool = False
    parents: Sequence[Mapping[str, object]] = ()
    parameters: Mapping[str, Value] | None = None
    backfill_id: int | None = None


def retry_delay(task: ChainTask, number: int, slot: datetime) -> timedelta:
    """How long to wait before retry ``number`` (1, 2 …). An interval of 0 means what it means in
    gocron: 1, 2, 3 … minutes."""
    if not task.retry_interval:
        delay = timedelta(minutes=number)
    elif task.retry_backoff == Backoff.EXPONENTIAL:
        delay = timedelta(seconds=task.retry_interval * 2 ** (number - 1))
    else:
        delay = timedelta(seconds=task.retry_interval)
    return min(delay, LONGEST_DELAY) + jitter_of(f"{task.name} {number}", slot, task.retry_jitter)


class Chains:
    """The tasks, who depends on whom, and all runs of the slots in question."""

    def __init__(
        self, tasks: Iterable[ChainTask], edges: Iterable[Edge], runs: Iterable[ChainRun]
    ) -> None:
        self._tasks = {task.id: task for task in tasks}
        self._children: dict[int, list[Edge]] = defaultdict(list)
        self._parents: dict[int, list[Edge]] = defaultdict(list)
        for edge in edges:
            self._children[edge.parent_id].append(edge)
            self._parents[edge.task_id].append(edge)
        self._runs: dict[tuple[int, datetime], list[ChainRun]] = defaultdict(list)
        self._missed: dict[int, list[ChainRun]] = defaultdict(list)
        for run in runs:
            self._runs[run.task_id, run.scheduled_at].append(run)
            if run.missed_until is not None:
                self._missed[run.task_id].append(run)

    def after(self, ended: Sequence[ChainRun], now: datetime) -> list[NextRun]:
        """The rows that follow from these ends, which are taken to be looked after then."""
        rows: list[NextRun] = []
        for run in ended:
            retry = self._retry(run, now)
            if retry is not None:
                self._add(rows, retry)
                continue
            # From now on it counts as the last word on this slot.
            known = self._runs[run.task_id, run.scheduled_at]
            known[:] = [replace(r, follow_up=False) if r.id == run.id else r for r in known]
            for edge in self._children[run.task_id]:
                child = self._child(edge.task_id, run)
                if child is not None:
                    self._add(rows, child)
        return rows

    def _add(self, rows: list[NextRun], row: NextRun) -> None:
        rows.append(row)
        self._runs[row.task_id, row.scheduled_at].append(
            ChainRun(
                0,
                row.task_id,
                row.scheduled_at,
                row.attempt,
                row.state,
                row.trigger,
                row.generation,
                follow_up=True,
                parameters=row.parameters,
            )
        )

    # the run again ----------------------------------------------------------------------------

    def _retry(self, run: ChainRun, now: datetime) -> NextRun | None:
        task = self._tasks.get(run.task_id)
        if task is None or (run.trigger in BY_ITSELF and not task.enabled):
            return None
        known = self._runs[run.task_id, run.scheduled_at]
        if any(other.generation > run.generation for other in known):
            return None  # somebody has begun it anew meanwhile
        earlier = [r.state for r in known if _repeats(run, r)]
        rerun = {RunState.LOST} if task.on_lost == OnLost.RERUN else set()
        start_at = None
        if run.state in rerun:
            if earlier.count(RunState.LOST) >= MOST_RERUNS:
                return None
        elif run.state in task.retry_on:
            number = 1 + sum(state in task.retry_on and state not in rerun for state in earlier)
            if number > task.retry_times:
                return None
            start_at = (run.finished_at or now) + retry_delay(task, number, run.scheduled_at)
        else:
            return None
        return NextRun(
            task.id,
            task.name,
            task.revision,
            run.scheduled_at,
            run.attempt + 1,
            run.trigger,
            run.triggered_by,
            run.generation,
            start_at=start_at,
            follow_up=True,
            parents=run.parents,
            parameters=run.parameters,
            backfill_id=run.backfill_id,
        )

    # the tasks that depend on it --------------------------------------------------------------

    def _child(self, task_id: int, ended: ChainRun) -> NextRun | None:
        """The run of a child for the slot of ``ended``; None while it has to wait, or if it has
        been decided about."""
        task, slot = self._tasks.get(task_id), ended.scheduled_at
        if task is None:
            return None
        lasts = {
            edge.parent_id: self._last(edge.parent_id, slot) for edge in self._parents[task_id]
        }
        # One of them may have been run again while another was still at it.
        generation = max(run.generation for run in (ended, *lasts.values()) if run is not None)
        known = self._runs[task_id, slot]
        if any(run.generation >= generation for run in known):
            return None
        before: list[dict[str, object]] = []
        unmet = ""
        waits = False
        for edge in self._parents[task_id]:
            last = lasts[edge.parent_id]
            name = self._name(edge.parent_id)
            if last is None and slot.microsecond and not self._comes(edge.parent_id, slot, 0):
                continue  # no slot of a schedule, and nothing that leads to it was begun by hand
            if last is None and (absence := self._absence(edge.parent_id, name)):
                unmet = unmet or absence
                continue
            if (
                last is None
                or not last.state.ended
                or last.follow_up
                or (last.generation < generation and self._comes(edge.parent_id, slot, generation))
            ):
                waits = True
                continue
            before.append({"run": last.id, "task": name, "state": str(last.state)})
            if last.state is RunState.MISSED or (
                edge.need != Need.WEAK and last.state is not RunState.SUCCESS
            ):
                unmet = unmet or say(
                    "%(task)s, which it depends on, ended %(state)s",
                    task=repr(name),
                    state=_ENDED.get(last.state, str(last.state)),
                )
        if waits and not unmet:
            return None
        values, unmet = self._values(task, slot, unmet)
        if not task.enabled:
            unmet = unmet or say("the task is disabled")
        return NextRun(
            task.id,
            task.name,
            task.revision,
            slot,
            max((run.attempt for run in known), default=-1) + 1,
            Trigger.DEPENDENCY,
            ended.triggered_by,
            generation,
            state=RunState.SKIPPED if unmet else RunState.QUEUED,
            reason=unmet,
            follow_up=task.followed,
            parents=before,
            parameters=values,
            backfill_id=None,
        )

    def _values(
        self, task: ChainTask, slot: datetime, unmet: str
    ) -> tuple[dict[str, Value] | None, str]:
        """A child is given what the runs before it were given, as far as it knows the names: what
        was run again counts first, then what is nearest."""
        names = {parameter.name for parameter in task.parameters}
        above = (self._last(other, slot) for other in upwards(task.id, self._parents))
        given: dict[str, Value] = {}
        for run in sorted((r for r in above if r is not None), key=lambda r: -r.generation):
            for name, value in self._given(run).items():
                if name in names:
                    given.setdefault(name, value)
        try:
            return values_for(task.parameters, given) or None, unmet
        except InvalidTask as error:
            return None, unmet or say(
                "it cannot be given its parameters: %(mistake)s", mistake=error.message
            )

    def _given(self, run: ChainRun) -> Mapping[str, Value]:
        if run.parameters is not None:
            return run.parameters
        task = self._tasks.get(run.task_id)
        known = task.parameters if task else ()
        return {p.name: p.default for p in known if p.default is not None}

    def _last(self, task_id: int, slot: datetime) -> ChainRun | None:
        exact = self._runs.get((task_id, slot))
        if exact:
            return max(exact, key=lambda r: (r.generation, r.attempt))
        for run in self._missed.get(task_id, ()):
            if run.missed_until is not None and run.scheduled_at <= slot <= run.missed_until:
                return run
        return None

    def _absence(self, task_id: int, name: str) -> str:
        """Why a task without a run will have none, if that is known: what has a timetable and is
        disabled has no slots."""
        if self._parents.get(task_id):
            return ""
        task = self._tasks.get(task_id)
        if task is None:
            return say("%(task)s, which it depends on, does not exist any more", task=repr(name))
        if task.enabled:
            return ""
        return say("%(task)s, which it depends on, is disabled", task=repr(name))

    def _name(self, task_id: int) -> str:
        task = self._tasks.get(task_id)
        return task.name if task else f"task {task_id}"

    def _comes(self, task_id: int, slot: datetime, generation: int) -> bool:
        """Whether a run of ``task_id`` is still to come for this slot and generation, because
        something that leads to it has been begun."""
        return any(
            run.generation >= generation
            for ancestor in ancestors(task_id, self._parents)
            for run in self._runs.get((ancestor, slot), ())
        )


def _repeats(run: ChainRun, earlier: ChainRun) -> bool:
    return earlier.generation == run.generation and earlier.attempt < run.attempt


def ancestors(task_id: int, parents: Mapping[int, Sequence[Edge]]) -> set[int]:
    """Everything that ``task_id`` depends on, over any number of levels; not itself."""
    return set(upwards(task_id, parents))


def upwards(task_id: int, parents: Mapping[int, Sequence[Edge]]) -> list[int]:
    """The same, the nearest first; on one level by id."""
    found: dict[int, None] = {task_id: None}
    level = [task_id]
    while level:
        above = sorted({edge.parent_id for below in level for edge in parents.get(below, ())})
        level = [parent for parent in above if parent not in found]
        found |= dict.fromkeys(level)
    return list(found)[1:]


def find_cycle(edges: Mapping[str, Iterable[str]], start: str) -> list[str] | None:
    """A way from ``start`` over what it depends on back to itself, both ends included; None if
    there is none. ``edges``: name -> names of its parents."""
    path: list[str] = []
    done: set[str] = set()

    trail = [(start, iter(edges.get(start, ())))]
    path.append(start)
    while trail:
        _name, rest = trail[-1]
        for parent in rest:
            if parent == start:
                return [*path, start]
            if parent not in done:
                done.add(parent)
                path.append(parent)
                trail.append((parent, iter(edges.get(parent, ()))))
                break
        else:
            trail.pop()
            path.pop()
    return None
