"""The runs that are going on in this process."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from gocron.clock import DatabaseClock, boottime
from gocron.core.states import RunState
from gocron.db import starts
from gocron.db.runs import End, QueuedWork
from gocron.execution.base import Executor, Handle, Job, Outcome
from gocron.execution.output import OutputKeeper
from gocron.metrics import DURATION, ENDED
from gocron.processes.recorder import Recorder
from gocron.sayings import say

log = logging.getLogger("gocron.runner")


@dataclass
class Going:
    """One run: what it does, how to stop it, when it began (boottime)."""

    work: QueuedWork
    keeper: OutputKeeper
    began: float
    handle: Handle | None = None


class Active:
    """Starts, counts and stops runs; hands their ends to the recorder."""

    def __init__(
        self,
        executors: dict[str, Executor],
        recorder: Recorder,
        clock: DatabaseClock,
        node_name: str,
        output_limit: int,
    ) -> None:
        self._executors = executors
        self._recorder = recorder
        self._clock = clock
        self._node_name = node_name
        self._output_limit = output_limit
        self._going: dict[int, Going] = {}
        self.changed = asyncio.Event()
        """Set whenever a run ended or new work came: there may be room now."""

    def __len__(self) -> int:
        return len(self._going)

    @property
    def ids(self) -> set[int]:
        """Ids of the runs that are going on."""
        return set(self._going)

    def counted(self, waiting: dict[int, list[int]]) -> starts.Going:
        """How many are going on here, of each task, group and backfill."""
        works = [going.work for going in self._going.values()]
        return starts.Going(
            Counter(work.task_id for work in works),
            Counter(work.group for work in works if work.group),
            Counter(work.backfill_id for work in works if work.backfill_id is not None),
            waiting,
            Counter(work.task_id for work in works if work.in_order),
        )

    def start(self, work: QueuedWork) -> None:
        """Carry out a run that the database has just made ours."""
        keeper = OutputKeeper(self._output_limit)
        going = Going(work, keeper, boottime())
        self._going[work.id] = going
        self._recorder.watch(work.id, keeper)
        executor = self._executors.get(work.protocol)
        done = partial(self._ended, going)
        if executor is None:
            done(
                Outcome(
                    RunState.FAILED,
                    say("this node has no executor for %(protocol)s", protocol=repr(work.protocol)),
                )
            )
            return
        try:
            going.handle = executor.start(self._job(work), keeper.feed, done)
        except Exception as error:  # a bug, but one task's: the other runs must not end with it
            log.exception("the executor of run %d failed", work.id)
            done(
                Outcome(RunState.FAILED, say("gocron could not start it: %(why)s", why=repr(error)))
            )

    def give_up(self, work: QueuedWork, reason: str) -> None:
        """Record that a run which the database shows as running was never started."""
        self._record(work, Outcome(RunState.LOST, reason), 0)

    def stop(self, run_id: int, state: RunState, reason: str) -> None:
        """End one run, politely first."""
        going = self._going.get(run_id)
        if going is not None and going.handle is not None:
            going.handle.stop(state, reason)

    async def end_all(self, state: RunState, reason: str, grace_s: float) -> None:
        """End all runs: SIGTERM now, SIGKILL after ``grace_s``; returns when they are gone."""
        for run_id in list(self._going):
            self.stop(run_id, state, reason)
        await self._until_empty(grace_s)
        for going in list(self._going.values()):
            if going.handle is not None:
                going.handle.kill(state, reason)
        await self._until_empty(1.5)

    async def _until_empty(self, limit_s: float) -> None:
        until = boottime() + limit_s
        while self._going and boottime() < until:
            self.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, until - boottime())):
                    await self.changed.wait()

    def close(self) -> None:
        """Release what the executors hold."""
        for executor in self._executors.values():
            executor.close()

    def _ended(self, going: Going, outcome: Outcome) -> None:
        work = going.work
        del self._going[work.id]
        DURATION.labels(work.protocol).observe(boottime() - going.began)
        self._record(work, outcome, going.keeper.seen)
        self.changed.set()

    def _record(self, work: QueuedWork, outcome: Outcome, output_bytes: int) -> None:
        ENDED.labels(str(outcome.state)).inc()
        self._recorder.ended(
            End(
                work.id,
                str(outcome.state),
                outcome.reason,
                outcome.exit_code,
                self._clock.now(),
                output_bytes,
            )
        )

    def _job(self, work: QueuedWork) -> Job:
        return Job(
            run_id=work.id,
            task_id=work.task_id,
            task_name=work.task_name,
            scheduled_at=work.scheduled_at,
            attempt=work.attempt,
            term=work.term,
            node_name=self._node_name,
            command=work.command,
            timeout_s=work.timeout,
            working_dir=work.working_dir,
            environment=work.environment,
            http_method=work.http_method,
            http_headers=work.http_headers,
            http_body=work.http_body,
            http_statuses=work.http_statuses,
            http_verify_tls=work.http_verify_tls,
            success_pattern=work.success_pattern,
            parameters=work.parameters,
            parents=work.parents,
        )
