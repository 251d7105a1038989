"""The runner: starts what was claimed for this node, watches it, stops it, records what became
of it. One event loop, and a few threads that talk to the database and to nobody else.

::

    wake-up / every second -> load queued rows -> wait for start_at            (Starter)
        -> one transaction: decide overlap, queued -> running (compare-and-set)
        -> spawn what matched                                                  (Active)
        -> output as it comes, end -> database, or spool                       (Recorder)
    meanwhile: heartbeat, stop requests, reconciliation                        (Upkeep)

Nothing is spawned that the database has not made ``running`` for this node in this very moment; a
runner that comes back from a long sleep finds its rows adopted by somebody else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from gocron.board import CHILDREN
from gocron.clock import DatabaseClock, boottime
from gocron.core.paths import node_folder
from gocron.core.protocol import Ready, Unable
from gocron.core.states import RunState
from gocron.db import nodes
from gocron.db.engine import Database, describe
from gocron.execution.guard import Guard
from gocron.execution.registry import executors
from gocron.metrics import DATABASE_ERRORS
from gocron.processes.active import Active
from gocron.processes.base import Channel, Links, ParentGone, Shared, configure_logs
from gocron.processes.purger import Purger
from gocron.processes.recorder import Recorder
from gocron.processes.spool import Spool
from gocron.processes.starter import Starter
from gocron.processes.threads import CONNECTIONS, Threads
from gocron.processes.upkeep import Upkeep
from gocron.sayings import say

log = logging.getLogger("gocron.runner")

ABANDON_S = 1.0
"""How long commands get between SIGTERM and SIGKILL when the node ends and they have not."""

LAST_START_S = 3.0
"""How long a start that is under way may take when the node ends."""

URGENCY = ("", "drain", "at once", "abandoned")

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
    """One node's runs, from the first to the last."""

    def __init__(self, shared: Shared, channel: Channel) -> None:
        settings = shared.settings
        self._me = shared.identity
        self._channel = channel
        self._drain_s = settings.drain_s
        self._wake_pipe = shared.wake_runner[0]
        self._database = Database(settings, size=CONNECTIONS, silence_s=10.0)
        self._threads = Threads()
        clock = DatabaseClock()
        spool = Spool(node_folder(settings.home, self._me.name))
        self._recorder = Recorder(self._database, self._me.id, spool)
        self._active = Active(
            executors(
                os.environ,
                settings.allow_root,
                Guard(settings.http_allow_networks, settings.http_deny_networks),
            ),
            self._recorder,
            clock,
            self._me.name,
            settings.output_limit,
        )
        self._starter = Starter(
            self._database,
            self._me,
            self._active,
            self._threads,
            clock,
            max_running=settings.max_running,
            misfire_grace_s=settings.misfire_grace_s,
            complain=self._complain,
        )
        self._upkeep = Upkeep(
            self._database,
            self._me,
            shared.board,
            self._active,
            self._starter,
            self._recorder,
            self._threads,
            self._complain,
            CHILDREN[1:] if shared.single_term else CHILDREN,
        )
        self._purger = Purger(self._database, self._me, shared.board, self._threads, self._complain)
        self._ending = asyncio.Event()
        self._urgent = asyncio.Event()
        self._end_kind = ""
        self._complained = ""

    async def main(self) -> int:
        """Until told to end."""
        loop = asyncio.get_running_loop()
        os.set_blocking(self._wake_pipe, False)
        loop.add_reader(self._channel.signals.fileno(), self._on_signal)
        loop.add_reader(self._channel.lifeline, self._on_parent_gone)
        loop.add_reader(self._wake_pipe, self._on_wake)
        work = self._begin(self._work())
        keeping = [
            self._begin(job)
            for job in (
                self._upkeep.tick_forever(),
                self._upkeep.beat_forever(),
                self._upkeep.look_forever(),
                self._recorder.flush_forever(),
                self._purger.purge_forever(),
                self._watch_name(),
            )
        ]
        self._channel.tell(Ready())
        await self._ending.wait()
        await self._wind_up(work)
        for job in keeping:
            job.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        self._active.close()
        return 0

    async def _work(self) -> None:
        await self._upkeep.prepare()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._starter.load_forever())
            group.create_task(self._starter.start_forever())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A job that must not end with an error: if it does, the parent starts this process
        anew, and everything it was running is accounted for."""

        def look(job: asyncio.Task[None]) -> None:
            if not job.cancelled() and job.exception() is not None:
                log.critical("a bug: the runner cannot go on", exc_info=job.exception())
                os._exit(70)

        job = asyncio.create_task(work)
        job.add_done_callback(look)
        return job

    # signals ----------------------------------------------------------------------------------

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
        self._starter.new_work.set()

    async def _watch_name(self) -> None:
        await self._upkeep.name_taken.wait()
        reason = (
            f"another process has registered as node {self._me.name!r}: this one must not go on; "
            "give each node a name of its own (GOCRON_NODE_NAME)"
        )
        self._channel.tell(Unable(reason))
        self._end("at once")

    def _end(self, kind: str) -> None:
        """``drain``, ``at once`` or ``abandoned``; the more urgent one wins."""
        if URGENCY.index(kind) > URGENCY.index(self._end_kind):
            self._end_kind = kind
            self._starter.ending = True
            self._starter.may_spawn = kind == "drain"
            self._starter.new_work.set()
            self._active.changed.set()
            self._ending.set()
            if kind != "drain":
                self._urgent.set()

    def _complain(self, error: Exception) -> None:
        DATABASE_ERRORS.labels("runner").inc()
        words = describe(error)
        if words != self._complained:
            self._complained = words
            log.error("the database does not answer, trying again: %s", words)

    # the end ----------------------------------------------------------------------------------

    async def _wind_up(self, work: asyncio.Task[None]) -> None:
        """End or await what runs, give back what has not begun, write everything down. Commands
        never wait for the database here: it may be what is broken."""
        giving_back = asyncio.create_task(self._give_back(work))
        if self._end_kind == "drain":
            log.info("draining: %d runs are going, up to %g s", len(self._active), self._drain_s)
            await self._drain(giving_back)
        if self._end_kind == "abandoned":
            await self._active.end_all(
                RunState.LOST, say("the node's parent process died"), ABANDON_S
            )
            await self._recorder.close(0.5)
        else:
            await self._active.end_all(RunState.CANCELLED, say("the node was stopped"), ABANDON_S)
            if await self._recorder.close(3.0):
                await self._say_stopped()
        giving_back.cancel()
        work.cancel()
        await asyncio.gather(giving_back, work, return_exceptions=True)

    async def _give_back(self, work: asyncio.Task[None]) -> None:
        """First what is in flight comes to its end, then what waits goes back."""
        await asyncio.wait([work], timeout=LAST_START_S)
        await self._starter.hand_back_waiting()

    async def _drain(self, giving_back: asyncio.Task[None]) -> None:
        until = boottime() + self._drain_s
        urgent = asyncio.create_task(self._urgent.wait())
        await asyncio.wait(
            [giving_back, urgent], timeout=2 * LAST_START_S, return_when=asyncio.FIRST_COMPLETED
        )
        urgent.cancel()
        while self._active.ids and self._end_kind == "drain" and boottime() < until:
            self._active.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(1.0, max(0.0, until - boottime()))):
                    await self._active.changed.wait()

    async def _say_stopped(self) -> None:
        with suppress(TimeoutError, *TROUBLE):
            async with asyncio.timeout(2.0):
                await self._threads.beat(lambda: nodes.stopped(self._database, self._me))
