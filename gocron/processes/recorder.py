"""Writes what became of runs: output as it comes, ends in batches, on a thread of its own.

The runner's loop only hands over; it never waits for the database or the disk. Nothing is
forgotten before it is written: while the database is away, ends go to the spool on disk and stay in
memory too, and everything is written when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from sqlalchemy.exc import DataError, ProgrammingError, SQLAlchemyError

from gocron.db import run_output, runs
from gocron.db.engine import Database, describe
from gocron.db.runs import End
from gocron.execution.output import NUL_SHOWN, OutputKeeper
from gocron.metrics import DATABASE_ERRORS
from gocron.processes.pending_output import Drop, PendingOutput
from gocron.processes.spool import Chunk, Spool

log = logging.getLogger("gocron.runner")

FLUSH_S = 0.1
OUTPUT_FLUSH_S = 0.4
RETRY_S = 0.5
BATCH = 1000

PATIENCE = 5
"""So often may the database refuse output while it takes ends; then what it refuses is given up."""

TROUBLE = (SQLAlchemyError, OSError)

T = TypeVar("T")

CONTENT = (DataError, ProgrammingError)
"""A value that it cannot store, as opposed to a server that cannot store anything just now."""


class Recorder:
    """Collects ends and output; ``flush_forever`` writes them."""

    def __init__(self, database: Database, node_id: int, spool: Spool) -> None:
        self._database = database
        self._node_id = node_id
        self._spool = spool
        self._thread = ThreadPoolExecutor(1, "recorder")
        self._ends: list[End] = []
        self._output = PendingOutput()
        self._keepers: dict[int, OutputKeeper] = {}
        self._wake = asyncio.Event()
        self._restored = False
        self._on_disk = False
        self._spooled: set[int] = set()
        self._refusals = 0
        self._busy = asyncio.Lock()
        self._last_output = 0.0
        self.failing = False

    @property
    def waiting(self) -> int:
        """Ends that the database has not taken yet."""
        return len(self._ends)

    @property
    def unwritten(self) -> set[int]:
        """Ids of those runs."""
        return {end.id for end in self._ends}

    def watch(self, run_id: int, keeper: OutputKeeper) -> None:
        """Flush this run's output from time to time, from now on."""
        self._keepers[run_id] = keeper

    def ended(self, end: End) -> None:
        """A run is over; its last output goes along."""
        keeper = self._keepers.pop(end.id, None)
        if keeper is not None:
            self._output.put(end.id, keeper.flush(final=True))
        self._ends.append(replace(end, reason=_storable(end.reason)))
        self._wake.set()

    def restore(self) -> None:
        """Take up what an earlier runner left in the spool; a second call does nothing."""
        if self._restored:
            return
        ends, pieces = self._spool.load()
        self._restored = True
        self._on_disk = self._spool.exists
        self._ends += ends
        self._output.put_back(pieces)
        self._spooled |= {end.id for end in ends}

    async def flush_forever(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(OUTPUT_FLUSH_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            self._collect()
            await asyncio.sleep(FLUSH_S if await self.flush() else RETRY_S)

    def _collect(self) -> None:
        """What running commands wrote. While the database takes nothing it stays in the keepers,
        where it is bounded."""
        now = asyncio.get_running_loop().time()
        if self.failing or self._refusals or now - self._last_output < OUTPUT_FLUSH_S:
            return
        self._last_output = now
        for run_id, keeper in self._keepers.items():
            if keeper.pending:
                self._output.put(run_id, keeper.flush())

    async def flush(self) -> bool:
        """Write what there is; False if the database did not take it (nothing is lost then)."""
        async with self._busy:
            while self._ends or self._output:
                if not await self._write_batch():
                    await self._keep_on_disk()
                    return False
            if self._on_disk:
                await self._in_thread(self._spool.clear)
                self._on_disk = False
                self._spooled.clear()
            return True

    async def _write_batch(self) -> bool:
        """Output first, so that who sees an end sees all of it. But output must never be the
        reason why an end is not recorded."""
        pieces, drops = self._output.batch()
        ends = self._ends[:BATCH]
        try:
            refusal = await self._refusal_of(pieces, drops)
            if ends or refusal:  # without ends: does it take anything at all?
                await self._in_thread(lambda: runs.finish(self._database, self._node_id, ends))
        except TROUBLE as error:
            DATABASE_ERRORS.labels("runner").inc()
            if not self.failing:
                log.error("results cannot be written, they are kept: %s", describe(error))
            self.failing = True
            return False
        del self._ends[: len(ends)]
        if self.failing:
            log.info("results are written again")
        self.failing = False
        if refusal is None:
            self._refusals = 0
            self._output.written(pieces, drops)
            return True
        self._refusals += 1
        if isinstance(refusal, CONTENT) or self._refusals >= PATIENCE:
            await self._in_thread(lambda: self._write_one_by_one(pieces))
            self._refusals = 0
            self._output.written(pieces, [])
            return True
        return bool(self._ends)

    async def _refusal_of(self, pieces: list[Chunk], drops: list[Drop]) -> Exception | None:
        """Write output; the error if it was not taken."""
        if not pieces and not drops:
            return None
        try:
            await self._in_thread(lambda: run_output.write_output(self._database, pieces, drops))
        except TROUBLE as error:
            return error
        return None

    def _write_one_by_one(self, pieces: list[Chunk]) -> None:
        """Find the piece that is at fault and give up no other."""
        for piece in pieces:
            try:
                run_output.write_output(self._database, [piece], [])
            except TROUBLE as error:
                DATABASE_ERRORS.labels("runner").inc()
                log.error(
                    "a piece of the output of run %d was refused by the database and is dropped: "
                    "%s",
                    piece[0],
                    describe(error),
                )

    async def _keep_on_disk(self) -> None:
        """Ends are small and matter most: they are safe before the database is back."""
        fresh = [end for end in self._ends if end.id not in self._spooled]
        kept = await self._in_thread(lambda: self._spool.keep(fresh))
        if kept and fresh:
            self._on_disk = True
            self._spooled |= {end.id for end in fresh}

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self, limit_s: float) -> bool:
        """Write everything, within ``limit_s``; what is left goes to the spool. Whether all was
        written."""
        try:
            async with asyncio.timeout(limit_s):
                if await self.flush():
                    return True
        except TimeoutError:
            pass
        # Also what is being written at this moment: nobody will hear whether it arrives.
        fresh = [end for end in self._ends if end.id not in self._spooled]
        self._spool.keep(fresh, self._output.pieces)
        return False


def _storable(text: str) -> str:
    """Without what no database takes: NUL, and halves of surrogate pairs from odd file names."""
    return text.encode("utf-8", "replace").decode().replace("\0", NUL_SHOWN)
