"""Whether a run that is due may start now: asked at the very moment of starting, for one run after
the other, with everything known that is going on. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from gocron.core.states import Overlap
from gocron.sayings import say, say_n

MOST_WAITING = 100
"""Runs of one task that keep their turn while its group is at its limit; further ones are skipped.
Without an end the queue of a task that is due faster than its group runs it would grow for ever."""


@dataclass(frozen=True)
class Start:
    """It starts."""


@dataclass(frozen=True)
class Skip:
    """It will not run."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Not yet: others have to end first. ``keeps_turn``: it will not be late for having waited;
    after a pause it is, and its misfire policy says what that means. ``blocker``: what else than
    the runs of its own task it waits for; what waits for the same is let through in turn."""

    reason: str
    keeps_turn: bool = True
    blocker: str = ""


@dataclass(frozen=True)
class Replace:
    """Not yet: the runs of its task that are going on are stopped for it, and those that wait
    (``skipped``, by id) will not run."""

    reason: str
    skipped: tuple[int, ...]


Verdict = Start | Skip | Wait | Replace


@dataclass(frozen=True)
class Candidate:
    """A run that is due, and what its task says."""

    id: int
    task_id: int
    overlap: str
    max_parallel: int
    group: str = ""
    tag: str = ""
    in_order: bool = False
    """It is one of several that are to be caught up on or backfilled, one after the other: it
    waits for its turn where another would be skipped."""
    by_hand: bool = False
    """Somebody asked for this very run: no pause keeps it back."""
    held: bool = False
    """It was told to wait before, and keeps its turn: others that wait are no obstacle to it."""
    backfill_id: int | None = None
    backfill_parallel: int = 1


@dataclass
class Situation:
    """What is going on, on all nodes; ``decide`` adds what it lets start."""

    by_task: Counter[int] = field(default_factory=Counter)
    by_group: Counter[str] = field(default_factory=Counter)
    by_backfill: Counter[int] = field(default_factory=Counter)
    limits: Mapping[str, int] = field(default_factory=dict)
    """Group -> how many of its runs may go on at once."""
    pauses: Mapping[str, str] = field(default_factory=dict)
    """Tag -> reason; the tag "" means everything."""
    waiting: dict[int, list[int]] = field(default_factory=dict)
    """Task -> ids of its runs that keep their turn, in its order; not those ``in_order``."""
    in_order: Counter[int] = field(default_factory=Counter)
    """Task -> how many of ``by_task`` are ``in_order``."""

    def decide(self, run: Candidate) -> Verdict:
        """What happens to ``run``; ask for the runs of a task in the order they became due."""
        verdict = self._decide(run)
        line = self.waiting.setdefault(run.task_id, [])
        match verdict:
            case Start():
                self._count(run)
                line[:] = [other for other in line if other != run.id]
            case Skip():
                line[:] = [other for other in line if other != run.id]
            case Wait():
                if verdict.keeps_turn and not run.in_order and run.id not in line:
                    line.append(run.id)
            case Replace():
                line[:] = [run.id]
        return verdict

    def _count(self, run: Candidate) -> None:
        self.by_task[run.task_id] += 1
        self.in_order[run.task_id] += run.in_order
        if run.group:
            self.by_group[run.group] += 1
        if run.backfill_id is not None:
            self.by_backfill[run.backfill_id] += 1

    def _decide(self, run: Candidate) -> Verdict:
        pause = self._pause(run)
        if pause is not None and not run.by_hand:
            return pause
        policy = self._in_order(run) if run.in_order else self._overlap(run)
        return policy or self._group(run) or Start()

    def _pause(self, run: Candidate) -> Wait | None:
        for tag in ("", run.tag):
            if tag in self.pauses:
                return Wait(
                    _paused(tag, self.pauses[tag]), keeps_turn=False, blocker=f"pause {tag}"
                )
        return None

    def _in_order(self, run: Candidate) -> Verdict | None:
        """What is caught up on or backfilled uses the time between the runs that are due now. Runs
        of one backfill may go on beside each other as it says, whatever the task says."""
        going = self.by_task[run.task_id]
        beside = 0
        if run.backfill_id is not None:
            beside = self.by_backfill[run.backfill_id]
            if beside >= run.backfill_parallel:
                reason = say(
                    "%(runs)s going in this backfill, no more may at once", runs=_runs(beside)
                )
                return Wait(reason, blocker=f"backfill {run.backfill_id}")
        if self.waiting.get(run.task_id) and self._pause(run) is None:
            return Wait(say("a run that is due now goes first"))
        if run.overlap == Overlap.PARALLEL:
            most = run.max_parallel
            return Wait(_full(going, 0, most)) if most and going >= most else None
        if going > beside:
            return Wait(say("it is its turn once the runs before it have ended"))
        return None

    def _overlap(self, run: Candidate) -> Verdict | None:
        """What the task's own policy has against it. A policy that only a newer version knows is
        no permission. Runs that are ``in_order`` cost no other its slot: it waits for their end."""
        aside = self.in_order[run.task_id]
        going = self.by_task[run.task_id] - aside
        before = self._before(run)
        turn = Wait(say("it is its turn once a run of a catch-up or backfill has ended"))
        match run.overlap:
            case Overlap.PARALLEL:
                most = run.max_parallel
                if most and going + len(before) >= most:
                    return Skip(_full(going, len(before), most))
                return turn if most and going + aside >= most else None
            case Overlap.QUEUE:
                if before:
                    return Skip(say("another run waits already (overlap: queue)"))
                if going:
                    return Wait(say("the previous run is still going (overlap: queue)"))
            case Overlap.REPLACE:
                if going or before:
                    return Replace(_replaced(going), before)
            case _:
                if going:
                    return Skip(
                        say(
                            "the previous run is still going (overlap: %(overlap)s)",
                            overlap=run.overlap,
                        )
                    )
                if before:
                    return Skip(
                        say(
                            "the previous run still waits to begin (overlap: %(overlap)s)",
                            overlap=run.overlap,
                        )
                    )
        return turn if aside else None

    def _before(self, run: Candidate) -> tuple[int, ...]:
        """Those of its task that wait and come first. What a pause keeps back is in nobody's way,
        unless it is to be replaced."""
        paused = self._pause(run) is not None
        if run.held or (run.by_hand and paused and run.overlap != Overlap.REPLACE):
            return ()
        return tuple(takewhile(lambda other: other != run.id, self.waiting.get(run.task_id, ())))

    def _group(self, run: Candidate) -> Verdict | None:
        if not run.group:
            return None
        limit = self.limits.get(run.group, 1)  # a group that is gone gives no freedom
        if self.by_group[run.group] < limit:
            return None
        waiting = len(self._before(run))
        if waiting >= MOST_WAITING:
            return Skip(
                say(
                    "%(runs)s waiting already for the group %(group)s",
                    runs=_runs(waiting),
                    group=repr(run.group),
                )
            )
        reason = say(
            "the group %(group)s is at its limit of %(limit)s", group=repr(run.group), limit=limit
        )
        return Wait(reason, blocker=f"group {run.group}")


def _paused(tag: str, reason: str) -> str:
    if tag:
        return say(
            "tasks with the tag %(tag)s are paused: %(reason)s", tag=repr(tag), reason=reason
        )
    return say("everything is paused: %(reason)s", reason=reason)


def _replaced(going: int) -> str:
    if going:
        return say("the run before it is being stopped for it (overlap: replace)")
    return say("the run before it waited and will not run (overlap: replace)")


def _runs(count: int) -> str:
    return say_n("%(num)s run is", "%(num)s runs are", count)


def _full(going: int, waiting: int, most: int) -> str:
    runs = _runs(going)
    if not waiting:
        return say("%(runs)s going, at most %(most)s may (overlap: parallel)", runs=runs, most=most)
    return say(
        "%(runs)s going and %(waiting)s waiting, at most %(most)s may (overlap: parallel)",
        runs=runs,
        waiting=waiting,
        most=most,
    )
