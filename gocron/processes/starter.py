"""From a queued row to a running command.

Every run this process knows of is in exactly one of four places, and that is why none is started
twice and none is forgotten::

    queued_ids -> waiting -> in flight -> active      (started)
                                |    +--> forgotten   (not ours any more, skipped, to be read again)
                                +-------> doubtful    (the database went away during COMMIT)

A run that is forgotten and still queued here is simply read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gocron.clock import DatabaseClock, boottime
from gocron.core.firing import decide_start
from gocron.core.identity import Identity
from gocron.db import nodes, runs
from gocron.db.engine import Database
from gocron.db.runs import QueuedWork
from gocron.metrics import LATENESS
from gocron.processes.active import Active
from gocron.processes.threads import Threads
from gocron.processes.waiting import Waiting

log = logging.getLogger("gocron.runner")

LOAD_S = 1.0
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
            try:
                await self.load()
            except TROUBLE as error:
                self._complain(error)
                await asyncio.sleep(RETRY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOAD_S):
                    await self.new_work.wait()
            self.new_work.clear()

    async def load(self) -> None:
        """Make ``waiting`` what the database says is queued for this node."""
        waiting_before = self._waiting.ids
        ids = await self._threads.read(lambda: runs.queued_ids(self._database, self._me.id))
        if len(ids) < runs.MOST_QUEUED:
            # Withdrawn by an edit, or adopted by another node. (A cut list proves nothing.)
            self._waiting.drop(waiting_before - set(ids))
        fresh = sorted(set(ids) - self.known)
        if not fresh:
            return
        await self._threads.read(self._read_clock)
        works = await self._threads.read(lambda: runs.load(self._database, self._me.id, fresh))
        for work in works:
            if work.id not in self.known:
                self._waiting.add(work)
        self._active.changed.set()

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
            self._active.changed.clear()
            batch = self._take_due()
            if batch:
                await self._start(batch)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_next()):
                    await self._active.changed.wait()

    def _room(self) -> int:
        return self._max_running - len(self._active)

    def _until_next(self) -> float | None:
        at = self._waiting.next_at()
        if at is None or self._room() <= 0:
            return None  # the end of a run, or new work, will wake us
        return max(0.0, at - self._clock.offset - boottime())

    def _take_due(self) -> list[QueuedWork]:
        if not self._clock.known:
            return []
        now = self._clock.now().timestamp() + 0.0005
        return self._waiting.take_due(now, min(BATCH, self._room()))

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
            active = self._active.by_task()
            started = await self._threads.start(lambda: self._transact(fit, active)) if fit else []
        except TROUBLE as error:
            # Whether it was committed is not known: ``settle_doubt`` finds out.
            self._complain(error)
            self._doubtful |= {work.id for work in batch}
            started = []
            await asyncio.sleep(RETRY_S)
        for work in started:
            self._spawn(work, sent)
        self._in_flight -= {work.id for work in batch}
        if len(started) < len(batch):
            self.new_work.set()  # what was locked or edited just now is to be read again

    def _is_stale(self, work: QueuedWork) -> bool:
        """It became late in our hands (a paused machine, no room for long): the leader decides
        anew. A row that the leader decided to run late carries a ``start_at`` of that moment."""
        return work.scheduled and self._clock.now() - work.start_at > self._grace

    def _transact(self, batch: Sequence[QueuedWork], active: dict[int, int]) -> list[QueuedWork]:
        """The start transaction, on the starter's thread."""

        def work(connection: Connection) -> list[QueuedWork]:
            elsewhere = runs.running_elsewhere(connection, self._me.id)
            counts = Counter(active)

            def refusal(item: QueuedWork) -> str | None:
                going = counts[item.task_id] + elsewhere.get(item.task_id, 0)
                skip = decide_start(item.overlap, item.max_parallel, going)
                if skip is not None:
                    return skip.reason
                counts[item.task_id] += 1
                return None

            return runs.start(connection, self._database.dialect, self._me, batch, refusal)

        return self._database.transact(work)

    def _spawn(self, work: QueuedWork, sent: float) -> None:
        if boottime() - sent > FROZEN_S:
            self._active.give_up(work, "the node stood still just before the start")
        elif not self.may_spawn:
            self._active.give_up(work, "the node was stopped just before the start")
        else:
            due = work.scheduled_at if work.scheduled else work.start_at
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
                "the database went away at the moment of the start; nothing was started",
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
