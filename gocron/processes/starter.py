"""From a queued row to a running command.

Every run this process knows of is in exactly one of four places, and that is why none is started
twice and none is forgotten::

    queued_ids -> waiting -> in flight -> active      (started)
                                |  |  +-> waiting     (held: others have to end first)
                                |  +----> forgotten   (not ours any more, skipped, to be read again)
                                +-------> doubtful    (the database went away during COMMIT)

A run that is forgotten and still queued here is simply read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from gocron.clock import DatabaseClock, boottime
from gocron.core.identity import Identity
from gocron.core.starting import Wait
from gocron.db import nodes, runs, starts
from gocron.db.engine import Database
from gocron.db.runs import QueuedWork
from gocron.metrics import LATENESS
from gocron.processes.active import Active
from gocron.processes.threads import Threads
from gocron.processes.waiting import Waiting
from gocron.sayings import say

log = logging.getLogger("gocron.runner")

LOAD_S = 1.0
LATE_LOAD_S = 5.0
FEW_LATE = 200
"""What is caught up on is only read this often while at least so much of it is at hand: there may
be tens of thousands, and what is due now would wait for them to be read."""

HELD_S = 0.5
"""How often runs that wait for others are looked at again, besides when a run ends here."""

RETRY_S = 0.2
BATCH = 1000

FROZEN_S = nodes.LOST_AFTER_S - nodes.HEARTBEAT_S - 2.0
"""A start that took longer than this from asking the database to spawning is given up: the others
may believe by then that this node is gone."""

TROUBLE = (SQLAlchemyError, OSError)


class Starter:
    """Loads what is queued for this node and starts it when it is due."""

    def __init__(
        self,
        database: Database,
        me: Identity,
        active: Active,
        threads: Threads,
        clock: DatabaseClock,
        *,
        max_running: int,
        misfire_grace_s: float,
        complain: Callable[[Exception], None],
    ) -> None:
        self._database = database
        self._me = me
        self._active = active
        self._threads = threads
        self._clock = clock
        self._max_running = max_running
        self._grace = timedelta(seconds=misfire_grace_s)
        self._complain = complain
        self._waiting = Waiting()
        self._in_flight: set[int] = set()
        self._doubtful: set[int] = set()
        self._passed_over: set[int] = set()
        self._release_at = 0.0
        self._late_at = 0.0
        self.new_work = asyncio.Event()
        self.ending = False
        """Set once: nothing new is begun, what is in flight is brought to its end."""
        self.may_spawn = True
        """False when the node ends at once: what was made running is given up instead."""

    @property
    def known(self) -> set[int]:
        """Every run that this process has in hand."""
        return self._waiting.ids | self._in_flight | self._doubtful | self._active.ids

    # loading ----------------------------------------------------------------------------------

    async def load_forever(self) -> None:
        """Read what is queued, every second and whenever the scheduler says so."""
        while not self.ending:
            self.new_work.clear()
            try:
                await self.load()
            except TROUBLE as error:
                self._complain(error)
                await asyncio.sleep(RETRY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOAD_S):
                    await self.new_work.wait()

    async def load(self) -> None:
        """Make ``waiting`` what the database says is queued for this node."""
        with_late = self._waiting.late_count < FEW_LATE or boottime() >= self._late_at
        waiting_before = self._waiting.ids if with_late else self._waiting.on_time
        ids = await self._threads.read(
            lambda: runs.queued_ids(self._database, self._me.id, with_late=with_late)
        )
        if with_late:
            self._late_at = boottime() + LATE_LOAD_S
        if len(ids) < runs.MOST_QUEUED:
            # Withdrawn by an edit, or adopted by another node. (A cut list proves nothing.)
            self._waiting.drop(waiting_before - set(ids))
        fresh = self._unknown(ids)
        if not fresh:
            return
        if len(fresh) > BATCH:
            self.new_work.set()  # the rest at once, but what is due next before it
        await self._threads.read(self._read_clock)
        page = fresh[:BATCH]
        works = await self._threads.read(lambda: runs.load(self._database, self._me.id, page))
        unknown = set(self._unknown(page))
        for work in works:
            if work.id in unknown:
                self._waiting.add(work)
        self._active.changed.set()

    def _unknown(self, ids: Sequence[int]) -> list[int]:
        begun = self._in_flight | self._doubtful | self._active.ids
        return [run_id for run_id in ids if run_id not in begun and run_id not in self._waiting]

    def _read_clock(self) -> None:
        with self._database.read() as connection:
            connection.exec_driver_sql("SELECT 1")  # connecting is not part of the measurement
            for _sample in range(2):
                sent = boottime()
                now = self._database.dialect.now(connection)
                self._clock.observe(sent, now, boottime())

    # starting ---------------------------------------------------------------------------------

    async def start_forever(self) -> None:
        """Start what is due; returns when ``ending`` is set and nothing is in flight."""
        while not self.ending:
            if self._active.changed.is_set() or boottime() >= self._release_at:
                self._active.changed.clear()
                self._waiting.release()
                self._release_at = boottime() + HELD_S
            batch = self._take_due()
            if batch:
                began = self._posix()
                await self._start(batch)
                if any(work.in_order for work in batch):
                    self._waiting.caught_up(began, self._posix())
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_next()):
                    await self._active.changed.wait()

    def _posix(self) -> float:
        """The database's time now."""
        return boottime() + self._clock.offset

    def _room(self) -> int:
        return self._max_running - len(self._active)

    def _until_next(self) -> float | None:
        if self._room() <= 0 or not self._clock.known:
            return None  # the end of a run, or what is loaded, will wake us
        at = self._waiting.next_at(self._posix())
        until_due = None if at is None else at - self._posix()
        if not self._waiting.any_held:
            return None if until_due is None else max(0.0, until_due)
        until_release = self._release_at - boottime()
        return max(0.0, until_release if until_due is None else min(until_due, until_release))

    def _take_due(self) -> list[QueuedWork]:
        if not self._clock.known:
            return []
        now = self._posix() + 0.0005
        # More than there is room for: those that have to wait take none.
        return self._waiting.take_due(now, BATCH) if self._room() > 0 else []

    async def _start(self, batch: list[QueuedWork]) -> None:
        """One batch, from the transaction to the commands. Its runs leave ``in flight`` here."""
        self._in_flight |= {work.id for work in batch}
        sent = boottime()
        stale = [work.id for work in batch if self._is_stale(work)]
        fit = [work for work in batch if work.id not in stale]
        try:
            if stale:
                await self._threads.start(
                    lambda: runs.hand_back(self._database, self._me.id, stale)
                )
            going = self._active.counted(self._waiting.turns())
            room = self._room()
            decided = await self._threads.start(lambda: self._transact(fit, going, room))
        except TROUBLE as error:
            # Whether it was committed is not known: ``settle_doubt`` finds out.
            self._complain(error)
            self._doubtful |= {work.id for work in batch}
            decided = starts.Decided()
            await asyncio.sleep(RETRY_S)
        for work in decided.started:
            self._spawn(work, sent)
        for work in fit:
            if verdict := decided.held.get(work.id):
                turn, blocker = True, f"task {work.task_id}"
                if isinstance(verdict, Wait):
                    turn = work.held or verdict.keeps_turn
                    blocker = verdict.blocker or blocker
                held = replace(work, reason=verdict.reason, held=turn, blocker=blocker)
                self._waiting.hold(held, blocker)
        # Where some of those that were held got through, others may.
        self._waiting.release({w.blocker for w in batch if w.blocker and w.id not in decided.held})
        for work in decided.later:
            self._waiting.add(work)
        self._waiting.drop(decided.skipped)
        self._in_flight -= {work.id for work in batch}
        settled = {*(work.id for work in (*decided.started, *decided.later)), *stale}
        settled |= decided.held.keys() | decided.skipped.keys() | self._doubtful
        self._read_again({work.id for work in batch} - settled)

    def _read_again(self, passed_over: set[int]) -> None:
        """What was locked or edited just now: at once, but not again and again. A row may stay
        locked, and one whose term is over is not ours to start before somebody has adopted it."""
        if passed_over - self._passed_over:
            self.new_work.set()
        elif passed_over:
            asyncio.get_running_loop().call_later(RETRY_S, self.new_work.set)
        self._passed_over = passed_over

    def _is_stale(self, work: QueuedWork) -> bool:
        """It became late in our hands (a paused machine or cluster, no room for long): the leader
        decides anew. A row that the leader decided to run late carries a ``start_at`` of that
        moment, and one that waits for others keeps its turn."""
        if not work.scheduled or work.held:
            return False
        grace = self._grace
        if work.misfire_grace is not None:
            grace = timedelta(seconds=work.misfire_grace)
        return self._clock.now() - work.start_at > grace

    def _transact(
        self, batch: Sequence[QueuedWork], going: starts.Going, room: int
    ) -> starts.Decided:
        """The start transaction, on the starter's thread."""
        if not batch:
            return starts.Decided()
        dialect = self._database.dialect
        return self._database.transact(
            lambda connection: starts.start(connection, dialect, self._me, batch, going, room)
        )

    def _spawn(self, work: QueuedWork, sent: float) -> None:
        if boottime() - sent > FROZEN_S:
            self._active.give_up(work, say("the node stood still just before the start"))
        elif not self.may_spawn:
            self._active.give_up(work, say("the node was stopped just before the start"))
        else:
            on_time = work.scheduled and not work.jitter
            due = work.scheduled_at if on_time else work.start_at
            LATENESS.observe(max(0.0, (self._clock.now() - due).total_seconds()))
            self._active.start(work)

    # doubt ------------------------------------------------------------------------------------

    async def settle_doubt(self) -> None:
        """A start whose COMMIT was not answered may have happened: then the row says running, and
        no command does. Say so; what is still queued is read again."""
        if not self._doubtful:
            return
        doubtful = sorted(self._doubtful)
        settled, ended = await self._threads.read(
            lambda: runs.settle_unstarted(
                self._database,
                self._me.id,
                doubtful,
                say("the database went away at the moment of the start; nothing was started"),
            )
        )
        self._doubtful -= settled
        self.new_work.set()
        if ended:
            log.error("%d runs were marked as started when the database went away", ended)

    async def hand_back_waiting(self) -> None:
        """Give up what has not begun, so that whoever leads can have it started elsewhere."""
        ids = sorted(self._waiting.ids)
        self._waiting.drop(ids)
        if ids:
            with suppress(*TROUBLE):
                await self._threads.read(lambda: runs.hand_back(self._database, self._me.id, ids))
