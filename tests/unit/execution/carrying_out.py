"""Jobs, and how a test carries one out."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gocron.execution.base import Executor, Handle, Job, Outcome

JOB = Job(
    run_id=71,
    task_id=5,
    task_name="a report",
    scheduled_at=datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC),
    attempt=2,
    term=9,
    node_name="node-a:5920",
    command="true",
    timeout_s=0,
)


def job(command: str, **changes: Any) -> Job:
    """A job like ``JOB``."""
    return replace(JOB, command=command, **changes)


class Carried:
    """A job that is being carried out: what it wrote, and how it ended."""

    def __init__(self, executor: Executor, work: Job) -> None:
        self.output = bytearray()
        self.size = 0
        self.ends: list[Outcome] = []
        self._over = asyncio.Event()
        self.handle: Handle = executor.start(work, self._write, self._done)

    def _write(self, piece: bytes) -> None:
        assert not self.ends, "output after the end"
        self.size += len(piece)
        if self.size <= 4 * 1024**2:
            self.output += piece

    def _done(self, outcome: Outcome) -> None:
        self.ends.append(outcome)
        self._over.set()

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace")

    async def until_written(self, text: str) -> None:
        async with asyncio.timeout(20):
            while text not in self.text:
                await asyncio.sleep(0.005)

    async def end(self, limit_s: float = 20.0) -> Outcome:
        async with asyncio.timeout(limit_s):
            await self._over.wait()
        await asyncio.sleep(0)
        assert len(self.ends) == 1, "the end is told once"
        return self.ends[0]


async def carry_out(executor: Executor, work: Job) -> tuple[Outcome, str]:
    """Start a job and wait for its end."""
    carried = Carried(executor, work)
    return await carried.end(), carried.text


def descriptors() -> set[str]:
    """What this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:
            continue  # the one that was open for listing
    return found
