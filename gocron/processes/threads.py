"""The runner's threads: each kind of database work waits for its own kind only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

CONNECTIONS = 5
"""One a thread, and one for the recorder."""


class Threads:
    """``start`` for starts, which must be on time; ``beat`` for heartbeats, on which the others
    judge this node; ``purge`` for throwing away, which has time; ``read`` for the rest."""

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(1, "starter")
        self._heart = ThreadPoolExecutor(1, "heart")
        self._reader = ThreadPoolExecutor(1, "reader")
        self._purger = ThreadPoolExecutor(1, "purger")

    async def start(self, work: Callable[[], T]) -> T:
        """Run on the starter's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._starter, work)

    async def beat(self, work: Callable[[], T]) -> T:
        """Run on the heartbeat's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._heart, work)

    async def purge(self, work: Callable[[], T]) -> T:
        """Run on the purger's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._purger, work)

    async def read(self, work: Callable[[], T]) -> T:
        """Run on the reader's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)
