"""What a runner does besides starting: it shows that it lives, looks for stop requests, and sees
to it that the database and reality agree on what is running here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from gocron.board import Board
from gocron.clock import boottime
from gocron.core.identity import Identity
from gocron.core.states import RunState
from gocron.db import adoption, nodes, runs
from gocron.db.engine import Database
from gocron.processes.active import Active
from gocron.processes.children import processes_of
from gocron.processes.leftovers import end_commands_of
from gocron.processes.recorder import Recorder
from gocron.processes.starter import Starter
from gocron.processes.threads import Threads
from gocron.sayings import say

log = logging.getLogger("gocron.runner")

LOOK_S = 0.5
SWEEP_S = 5.0
RETRY_S = 1.0

TROUBLE = (SQLAlchemyError, OSError)


class Upkeep:
    """Runs until the very end, also while the node drains."""

    def __init__(
        self,
        database: Database,
        me: Identity,
        board: Board,
        active: Active,
        starter: Starter,
        recorder: Recorder,
        threads: Threads,
        complain: Callable[[Exception], None],
        children: Sequence[str],
    ) -> None:
        self._database = database
        self._me = me
        self._board = board
        self._active = active
        self._starter = starter
        self._recorder = recorder
        self._threads = threads
        self._complain = complain
        self._children = children
        self._heartbeat_at = 0.0
        self._swept_at = boottime()
        self._unaccounted: set[int] = set()
        self.name_taken = asyncio.Event()

    async def prepare(self) -> None:
        """Before the first start: results that an earlier runner could not write are written, its
        commands are ended if nobody did that, and what it was running otherwise is lost."""
        again = self._board.child("runner").restarts > 0
        reason = (
            say("the runner process died while it ran; its command was ended")
            if again
            else say("the node was started again while it ran; how it went is not known")
        )
        while True:
            try:
                self._recorder.restore()
                if await self._recorder.flush():
                    await self._threads.read(lambda: self._end_earlier(reason))
                    return
            except TROUBLE as error:
                self._complain(error)
            await asyncio.sleep(RETRY_S)

    def _end_earlier(self, reason: str) -> None:
        running = runs.running_ids(self._database, self._me.id)
        if not running:
            return
        ended = end_commands_of(self._me.name, running)
        if ended:
            log.warning("%d processes of an earlier runner were ended", ended)
        lost = adoption.mark_lost(self._database, self._me.id, reason)
        log.error("%d runs of this node are lost: %s", lost, reason)

    async def tick_forever(self) -> None:
        """Show the parent that the event loop turns."""
        while True:
            self._board.write_runner(
                len(self._active), self._recorder.waiting, self._heartbeat_at, boottime()
            )
            await asyncio.sleep(LOOK_S)

    async def beat_forever(self) -> None:
        """A heartbeat every ``HEARTBEAT_S``, and when a process of the node has changed; ends when
        the node's name belongs to somebody else."""
        while True:
            sent, report = boottime(), processes_of(self._board, self._children)
            try:
                beat = partial(nodes.heartbeat, self._database, self._me, len(self._active), report)
                ours = await self._threads.beat(beat)
                if not ours:
                    self.name_taken.set()
                    return
                self._heartbeat_at = sent
                await self._until_next_beat(sent, report)
            except TROUBLE as error:
                self._complain(error)
                await asyncio.sleep(RETRY_S)

    async def _until_next_beat(self, last: float, report: list[dict[str, object]]) -> None:
        """The board is memory: looking at it costs nothing."""
        while boottime() - last < nodes.HEARTBEAT_S:
            await asyncio.sleep(min(LOOK_S, max(0.0, last + nodes.HEARTBEAT_S - boottime())))
            if processes_of(self._board, self._children) != report:
                return

    async def look_forever(self) -> None:
        """Stop requests, doubtful starts, and rows that nobody accounts for."""
        while True:
            try:
                if self._active.ids:
                    await self._stop_requested()
                await self._starter.settle_doubt()
                if boottime() - self._swept_at >= SWEEP_S:
                    self._swept_at = boottime()
                    await self._sweep()
            except TROUBLE as error:
                self._complain(error)
            await asyncio.sleep(LOOK_S)

    async def _stop_requested(self) -> None:
        wanted = await self._threads.read(lambda: runs.stop_requests(self._database, self._me.id))
        for run_id, who in wanted.items():
            self._active.stop(run_id, RunState.CANCELLED, say("stopped by %(who)s", who=who))

    async def _sweep(self) -> None:
        """A row that says running here for two looks, while nothing runs and nothing waits to be
        written, is the trace of a COMMIT that came after all."""
        before = self._starter.known | self._recorder.unwritten
        rows = set(await self._threads.read(lambda: runs.running_ids(self._database, self._me.id)))
        nobodys = rows - before - self._starter.known - self._recorder.unwritten
        twice = sorted(nobodys & self._unaccounted)
        self._unaccounted = nobodys
        if twice:
            _settled, ended = await self._threads.read(
                lambda: runs.settle_unstarted(
                    self._database, self._me.id, twice, say("no command was running for it")
                )
            )
            log.error("%d runs said running, but nothing ran for them: lost", ended)
