"""Writes what became of runs: output as it comes, ends in batches, on a thread of its own.

The runner's loop only hands over; it never waits for the database. While the database is away,
ends go to the spool on disk and stay in memory too, and everything is written when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gocron.db import runs
from gocron.db.engine import Database, describe
from gocron.db.runs import End
from gocron.execution.output import OutputKeeper
from gocron.metrics import DATABASE_ERRORS
from gocron.processes.spool import Chunk, Spool

log = logging.getLogger("gocron.runner")

FLUSH_S = 0.1
OUTPUT_FLUSH_S = 0.4
RETRY_S = 0.5
BATCH = 1000


class Recorder:
    """Collects ends and output; ``flush_forever`` writes them."""

    def __init__(self, database: Database, node_id: int, spool: Spool) -> None:
        self._database = database
        self._node_id = node_id
        self._spool = spool
        self._thread = ThreadPoolExecutor(1, "recorder")
        self._ends: list[End] = []
        self._chunks: list[Chunk] = []
        self._drops: list[tuple[int, int]] = []
        self._keepers: dict[int, OutputKeeper] = {}
        self._wake = asyncio.Event()
        self._spooled: set[int] = set()
        self._busy = asyncio.Lock()
        self._last_output = 0.0
        self.failing = False

    @property
    def waiting(self) -> int:
        """Ends that the database has not taken yet."""
        return len(self._ends)

    def watch(self, run_id: int, keeper: OutputKeeper) -> None:
        """Flush this run's output from time to time, from now on."""
        self._keepers[run_id] = keeper

    def ended(self, end: End) -> None:
        """A run is over; its last output goes along."""
        keeper = self._keepers.pop(end.id, None)
        if keeper is not None:
            self._collect(end.id, keeper, final=True)
        self._ends.append(end)
        self._wake.set()

    def restore(self) -> None:
        """Take up what an earlier runner left in the spool."""
        ends, chunks = self._spool.load()
        self._ends += ends
        self._chunks += chunks
        self._spooled |= {end.id for end in ends}

    def _collect(self, run_id: int, keeper: OutputKeeper, *, final: bool = False) -> None:
        changes = keeper.flush(final=final)
        self._chunks += [(run_id, seq, text) for seq, text in changes.add if text]
        self._drops += [(run_id, seq) for seq in changes.drop]

    async def flush_forever(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(OUTPUT_FLUSH_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if not self.failing and loop.time() - self._last_output >= OUTPUT_FLUSH_S:
                self._last_output = loop.time()
                for run_id, keeper in self._keepers.items():
                    if keeper.pending:
                        self._collect(run_id, keeper)
            if not await self.flush():
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(FLUSH_S)

    async def flush(self) -> bool:
        """Write what there is; False if the database did not take it (nothing is lost then)."""
        async with self._busy:
            while self._ends or self._chunks or self._drops:
                ends, self._ends = self._ends[:BATCH], self._ends[BATCH:]
                chunks, self._chunks = self._chunks, []
                drops, self._drops = self._drops, []
                if await self._write(ends, chunks, drops):
                    continue
                self._ends = ends + self._ends
                self._chunks = chunks + self._chunks
                self._drops = drops + self._drops
                self._keep_on_disk()
                return False
            if self._spooled:
                self._spool.clear()
                self._spooled.clear()
            return True

    def _keep_on_disk(self) -> None:
        """Ends are small and matter most: they are safe before the database is back."""
        fresh = [end for end in self._ends if end.id not in self._spooled]
        self._spool.keep(fresh)
        self._spooled |= {end.id for end in fresh}

    async def _write(
        self, ends: list[End], chunks: list[Chunk], drops: list[tuple[int, int]]
    ) -> bool:
        try:
            if chunks or drops:
                await self._in_thread(lambda: self._write_output(chunks, drops))
            if ends:
                await self._in_thread(lambda: runs.finish(self._database, self._node_id, ends))
        except (SQLAlchemyError, OSError) as error:
            DATABASE_ERRORS.labels("runner").inc()
            if not self.failing:
                log.error("results cannot be written, they are kept: %s", describe(error))
            self.failing = True
            return False
        if self.failing:
            log.info("results are written again")
        self.failing = False
        return True

    def _write_output(self, chunks: list[Chunk], drops: list[tuple[int, int]]) -> None:
        """Output must never be the reason why an end is not recorded: what the database refuses
        for its content is given up, what it cannot take now is tried again."""
        try:
            runs.write_output(self._database, chunks, drops)
        except DBAPIError as error:
            if error.connection_invalidated or not _refused_for_content(error):
                raise
            log.error("output was refused by the database and is dropped: %s", describe(error))

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self, limit_s: float) -> bool:
        """Write everything, within ``limit_s``; what is left goes to the spool. Whether all was
        written."""
        try:
            async with asyncio.timeout(limit_s):
                if await self.flush():
                    return True
        except TimeoutError:
            pass
        fresh = [end for end in self._ends if end.id not in self._spooled]
        self._spool.keep(fresh, self._chunks)
        return False


def _refused_for_content(error: DBAPIError) -> bool:
    """A value it cannot store, as opposed to a server that cannot store anything just now."""
    from sqlalchemy.exc import DataError, ProgrammingError

    return isinstance(error, DataError | ProgrammingError)
