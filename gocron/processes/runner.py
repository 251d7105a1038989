"""The runner: starts what was claimed for this node, watches it, stops it, records what became
of it. One event loop; three threads that talk to the database and to nobody else.

::

    wake-up / every second -> load queued rows -> wait for start_at
        -> one transaction: decide overlap, queued -> running (compare-and-set)
        -> spawn what matched
        -> output as it comes, end -> Recorder

Nothing is spawned that the database has not made ``running`` for this node in this very moment;
a runner that comes back from a long sleep finds its rows adopted by somebody else.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gocron.clock import DatabaseClock, boottime
from gocron.core.firing import decide_start
from gocron.core.paths import node_folder
from gocron.core.protocol import Ready, Unable
from gocron.core.states import RunState
from gocron.db import nodes, runs
from gocron.db.engine import Database, describe
from gocron.db.runs import QueuedWork
from gocron.execution.registry import executors
from gocron.metrics import DATABASE_ERRORS, LATENESS
from gocron.processes.active import Active
from gocron.processes.base import Channel, Links, ParentGone, Shared, configure_logs
from gocron.processes.recorder import Recorder
from gocron.processes.spool import Spool

log = logging.getLogger("gocron.runner")

LOAD_S = 1.0
STOP_LOOK_S = 0.5
ABANDON_S = 1.0
"""How long commands get between SIGTERM and SIGKILL when the parent is gone."""

T = TypeVar("T")

TROUBLE = (SQLAlchemyError, OSError)


def run(links: Links, shared: Shared) -> int:
    """The runner process; its exit code."""
    configure_logs(shared.settings)
    try:
        channel = Channel(links, "runner", death_signal=signal.SIGTERM)
    except ParentGone:
        return 0
    return asyncio.run(_main(shared, channel))


async def _main(shared: Shared, channel: Channel) -> int:
    """Executors belong to an event loop, so everything is made inside it."""
    return await Runner(shared, channel).main()


class Runner:
    """One node's runs."""

    def __init__(self, shared: Shared, channel: Channel) -> None:
        self._settings = shared.settings
        self._me = shared.identity
        self._board = shared.board
        self._channel = channel
        self._wake_pipe = shared.wake_runner[0]
        self._database = Database(shared.settings, size=3, silence_s=10.0)
        self._starter = ThreadPoolExecutor(1, "starter")
        self._reader = ThreadPoolExecutor(1, "reader")
        self._clock = DatabaseClock()
        spool = Spool(node_folder(shared.settings.home, self._me.name))
        self._recorder = Recorder(self._database, self._me.id, spool)
        self._active = Active(
            executors(os.environ, shared.settings.allow_root),
            self._recorder,
            self._clock,
            self._me.name,
            shared.settings.output_limit,
        )
        self._queue: list[tuple[float, int, QueuedWork]] = []
        self._known: set[int] = set()
        self._late_when_loaded: set[int] = set()
        self._doubtful: set[int] = set()
        self._new_work = asyncio.Event()
        self._ending = asyncio.Event()
        self._end_kind = ""
        self._prepared = False
        self._heartbeat_at = 0.0
        self._complained = ""

    # life -------------------------------------------------------------------------------------

    async def main(self) -> int:
        """Until told to end."""
        loop = asyncio.get_running_loop()
        os.set_blocking(self._wake_pipe, False)
        loop.add_reader(self._channel.signals.fileno(), self._on_signal)
        loop.add_reader(self._channel.lifeline, self._on_parent_gone)
        loop.add_reader(self._wake_pipe, self._on_wake)
        self._channel.tell(Ready())
        jobs = [
            asyncio.create_task(work)
            for work in (
                self._load_forever(),
                self._start_forever(),
                self._watch_forever(),
                self._recorder.flush_forever(),
            )
        ]
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait([ending, *jobs], return_when=asyncio.FIRST_COMPLETED)
        for job in jobs:
            if job.done():
                job.result()  # a bug: let it be seen, the parent starts us anew
        for job in jobs[:3]:
            job.cancel()
        await self._wind_up()
        jobs[3].cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        self._active.close()
        return 0

    def _on_signal(self) -> None:
        signals = self._channel.signals.drain()
        if signal.SIGQUIT in signals:
            self._end("at once")
        elif signal.SIGTERM in signals:
            self._end("drain")

    def _on_parent_gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._channel.lifeline)
        self._end("abandoned")

    def _on_wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_pipe, 4096)
        self._new_work.set()

    def _end(self, kind: str) -> None:
        """``drain``, ``at once`` or ``abandoned``; the more urgent one wins."""
        order = ("", "drain", "at once", "abandoned")
        if order.index(kind) > order.index(self._end_kind):
            self._end_kind = kind
            self._ending.set()
            self._active.changed.set()

    # queued work ------------------------------------------------------------------------------

    async def _load_forever(self) -> None:
        while True:
            try:
                if not self._prepared:
                    await self._prepare()
                await self._load()
                self._complained = ""
            except TROUBLE as error:
                self._complain(error)
                await asyncio.sleep(0.5)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOAD_S):
                    await self._new_work.wait()
            self._new_work.clear()

    async def _prepare(self) -> None:
        """Before the first start: results of an earlier runner are written, and what it was
        running otherwise is lost -- its commands were ended before this process began."""
        self._recorder.restore()
        if not await self._recorder.flush():
            await asyncio.sleep(0.5)
            return
        again = self._board.child("runner").restarts > 0
        reason = (
            "the runner process died while it ran; its command was ended"
            if again
            else "the node was started again while it ran; how it went is not known"
        )
        lost = await self._read(lambda: runs.mark_lost(self._database, [self._me.id], reason))
        if lost:
            log.error("%d runs of this node are lost: %s", lost, reason)
        self._prepared = True

    async def _load(self) -> None:
        if not self._prepared:
            return
        ids = set(await self._read(lambda: runs.queued_ids(self._database, self._me.id)))
        fresh = ids - self._known
        self._known &= ids | self._active.ids | self._doubtful
        if not fresh:
            return
        await self._read(self._read_clock)
        works = await self._read(lambda: runs.load(self._database, sorted(fresh)))
        now = self._clock.now()
        for work in works:
            self._known.add(work.id)
            heapq.heappush(self._queue, (work.start_at.timestamp(), work.id, work))
            if (now - work.start_at).total_seconds() > self._settings.misfire_grace_s:
                self._late_when_loaded.add(work.id)
        self._active.changed.set()

    def _read_clock(self) -> None:
        with self._database.read() as connection:
            connection.exec_driver_sql("SELECT 1")  # connecting is not part of the measurement
            for _sample in range(2):
                sent = boottime()
                now = self._database.dialect.now(connection)
                self._clock.observe(sent, now, boottime())

    # starting ---------------------------------------------------------------------------------

    async def _start_forever(self) -> None:
        while True:
            self._active.changed.clear()
            batch = self._take_due()
            if batch:
                await self._start(batch)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_next()):
                    await self._active.changed.wait()

    def _until_next(self) -> float | None:
        if not self._queue or len(self._active) >= self._settings.max_running:
            return None
        return max(0.0, self._clock.at(self._queue[0][2].start_at) - boottime())

    def _take_due(self) -> list[QueuedWork]:
        room = self._settings.max_running - len(self._active)
        batch: list[QueuedWork] = []
        if not self._clock.known:
            return batch
        now = self._clock.now().timestamp() + 0.0005
        while self._queue and len(batch) < room and self._queue[0][0] <= now:
            batch.append(heapq.heappop(self._queue)[2])
        return batch

    async def _start(self, batch: list[QueuedWork]) -> None:
        stale = [work.id for work in batch if self._is_stale(work)]
        if stale:
            batch = [work for work in batch if work.id not in stale]
        active = self._active.by_task()
        sent = boottime()
        try:
            if stale:
                await self._run_in(
                    self._starter, lambda: runs.hand_back(self._database, self._me.id, stale)
                )
            started = await self._run_in(self._starter, lambda: self._transact(batch, active))
        except TROUBLE as error:
            # Whether it was committed is not known: ``_settle_doubt`` finds out.
            # Until then their ids stay known, so that they are not started from a second reading.
            self._complain(error)
            self._doubtful.update(work.id for work in batch)
            await asyncio.sleep(0.2)
            return
        frozen_s = boottime() - sent
        for work in batch:
            if work.id in started:
                self._spawn(work, frozen_s)
        self._forget(work.id for work in batch if work.id not in started)

    def _is_stale(self, work: QueuedWork) -> bool:
        """It became late in our hands (a paused machine, a database that was away): the leader
        decides anew. What was late already when it came is late by the leader's decision."""
        if work.id in self._late_when_loaded or not work.scheduled:
            return False
        late = (self._clock.now() - work.start_at).total_seconds()
        return late > self._settings.misfire_grace_s

    def _transact(self, batch: list[QueuedWork], active: dict[int, int]) -> set[int]:
        """The start transaction, on the starter's thread."""

        def work(connection: Connection) -> set[int]:
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

    def _spawn(self, work: QueuedWork, frozen_s: float) -> None:
        if frozen_s > self._settings.lease_s:
            # Somebody paused us between the commit and this line; by now the others may have
            # given this run up. Better not at all than a second late surprise.
            self._active.give_up(work, "the node stood still just before the start")
            return
        LATENESS.observe(max(0.0, (self._clock.now() - work.start_at).total_seconds()))
        self._active.start(work)

    def _forget(self, run_ids: Iterable[int]) -> None:
        for run_id in run_ids:
            self._known.discard(run_id)
            self._late_when_loaded.discard(run_id)

    # watching ---------------------------------------------------------------------------------

    async def _watch_forever(self) -> None:
        """Heartbeat, stop requests, and rows of which we do not know whether they are ours."""
        while True:
            try:
                if (
                    boottime() - self._heartbeat_at >= nodes.HEARTBEAT_S
                    and not self._recorder.failing
                ):
                    await self._beat()
                if self._active.ids:
                    wanted = await self._read(
                        lambda: runs.stop_requests(self._database, self._me.id)
                    )
                    for run_id, who in wanted.items():
                        self._active.stop(run_id, RunState.CANCELLED, f"stopped by {who}")
                if self._doubtful:
                    await self._settle_doubt()
            except TROUBLE as error:
                self._complain(error)
            self._board.write_runner(len(self._active), self._recorder.waiting, self._heartbeat_at)
            await asyncio.sleep(STOP_LOOK_S)

    async def _beat(self) -> None:
        sent = boottime()
        if await self._read(lambda: nodes.heartbeat(self._database, self._me, len(self._active))):
            self._heartbeat_at = sent
            return
        reason = (
            f"another process has registered as node {self._me.name!r}: this one must not go on; "
            "give each node a name of its own (GOCRON_NODE_NAME)"
        )
        self._channel.tell(Unable(reason))
        self._end("at once")

    async def _settle_doubt(self) -> None:
        """A start whose COMMIT was not answered may have happened: then the row says running, and
        no command does. Say so; what is still queued may be read again."""
        doubtful = set(self._doubtful)
        lost = await self._read(
            lambda: runs.mark_unstarted(self._database, self._me.id, sorted(doubtful))
        )
        self._doubtful -= doubtful
        self._forget(doubtful)
        self._new_work.set()
        if lost:
            log.error("%d runs were marked as started when the database went away", lost)

    async def _read(self, work: Callable[[], T]) -> T:
        return await self._run_in(self._reader, work)

    async def _run_in(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(thread, work)

    def _complain(self, error: Exception) -> None:
        DATABASE_ERRORS.labels("runner").inc()
        words = describe(error)
        if words != self._complained:
            self._complained = words
            log.error("the database does not answer, trying again: %s", words)

    # the end ----------------------------------------------------------------------------------

    async def _wind_up(self) -> None:
        """Give back what has not begun, end or await what has, write everything down."""
        waiting = [work.id for _start, _id, work in self._queue]
        if waiting and self._end_kind in ("drain", "at once"):
            with suppress(*TROUBLE):
                await self._read(lambda: runs.hand_back(self._database, self._me.id, waiting))
        if self._end_kind == "drain":
            log.info(
                "draining: %d runs are going, up to %g s", len(self._active), self._settings.drain_s
            )
            await self._drain()
        if self._end_kind == "abandoned":
            await self._active.end_all(RunState.LOST, "the node's parent process died", ABANDON_S)
            await self._recorder.close(0.5)
            return
        await self._active.end_all(RunState.CANCELLED, "the node was stopped", 2.0)
        if await self._recorder.close(3.0):
            with suppress(*TROUBLE):
                await self._read(lambda: nodes.stopped(self._database, self._me))

    async def _drain(self) -> None:
        until = boottime() + self._settings.drain_s
        while self._active.ids and self._end_kind == "drain" and boottime() < until:
            self._active.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(1.0, until - boottime())):
                    await self._active.changed.wait()
