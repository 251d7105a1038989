"""Throws away, on the node that leads, what is older than the settings say: a batch, a pause, a
batch. It has a thread and a connection of its own, and nobody waits for it.

::

    every LOOK_S: leading? -> read the rules -> changed, or EVERY_S over? -> a round
               and each time: what has expired (sessions, limits of logins, answered requests)
    a round: old runs -> surplus runs of each task -> audit log -> history of leadership
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from gocron.board import Board
from gocron.clock import boottime
from gocron.core.identity import Identity
from gocron.db import login_limits, purge, retention, run_requests, sessions
from gocron.db.engine import Database
from gocron.db.purge import Step
from gocron.db.retention import Retention
from gocron.processes.threads import Threads

log = logging.getLogger("gocron.runner")

LOOK_S = 5.0
EVERY_S = 300.0
PAUSE_S = 0.25
"""Between two batches: whatever else the database does comes first."""

TASKS_AT_ONCE = 200

EXPIRED = (sessions.purge, login_limits.purge, run_requests.purge)
"""What is thrown away whatever the settings say: it means nothing any more."""

TROUBLE = (SQLAlchemyError, OSError)


class LedNoMore(Exception):
    """Another node goes on with it."""


class Purger:
    """One for each node; only the leader's does anything."""

    def __init__(
        self,
        database: Database,
        me: Identity,
        board: Board,
        threads: Threads,
        complain: Callable[[Exception], None],
    ) -> None:
        self._database = database
        self._me = me
        self._board = board
        self._threads = threads
        self._complain = complain
        self._done = Retention()
        self._done_at = 0.0

    async def purge_forever(self) -> None:
        """Until the node ends."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if self._leads():
                    await self._look()
            except LedNoMore:
                continue
            except TROUBLE as error:
                self._complain(error)

    def _leads(self) -> bool:
        return self._board.trust().holds(boottime())

    async def _look(self) -> None:
        rules = await self._threads.purge(lambda: retention.rules(self._database))
        due = rules != self._done or boottime() - self._done_at >= EVERY_S
        if due and rules != Retention():
            await self._round(rules)
        if due:
            for throw_away in EXPIRED:
                await self._threads.purge(partial(throw_away, self._database))
            self._done, self._done_at = rules, boottime()

    async def _round(self, rules: Retention) -> None:
        now = await self._threads.purge(self._now)
        runs = 0
        if rules.run_days is not None:
            runs += await self._old_runs(now - timedelta(days=rules.run_days))
        if rules.runs_per_task is not None:
            runs += await self._surplus_runs(rules.runs_per_task)
        lines = terms = 0
        if rules.audit_days is not None:
            lines = await self._audit_lines(_midnight(now, rules.audit_days))
        if rules.leadership_days is not None:
            before = _midnight(now, rules.leadership_days)
            terms = await self._repeat(partial(purge.old_terms, self._database, before))
        if runs or lines or terms:
            log.info("thrown away: %d runs, %d audit lines, %d terms", runs, lines, terms)
        record = partial(retention.record_purge, self._database, runs, lines, terms)
        await self._threads.purge(record)

    def _now(self) -> datetime:
        with self._database.read() as connection:
            return self._database.dialect.now(connection)

    async def _old_runs(self, before: datetime) -> int:
        gone, after = 0, 0
        while True:
            step = await self._batch(partial(purge.old_runs, self._database, before, after))
            gone += step.gone
            if step.after is None:
                return gone
            after = step.after

    async def _surplus_runs(self, keep: int) -> int:
        gone, after = 0, 0
        while True:
            find = partial(purge.tasks_with_runs, self._database, after, TASKS_AT_ONCE)
            ids = await self._threads.purge(find)
            for task_id in ids:
                gone += await self._repeat(
                    partial(purge.surplus_runs, self._database, task_id, keep)
                )
            if len(ids) < TASKS_AT_ONCE:
                return gone
            after = ids[-1]
            await asyncio.sleep(PAUSE_S)

    async def _audit_lines(self, before: datetime) -> int:
        lines = await self._repeat(partial(purge.old_audit_lines, self._database, before))
        if lines:
            say = partial(
                purge.say_audit_was_shortened, self._database, self._me.name, lines, before
            )
            await self._threads.purge(say)
        return lines

    async def _repeat(self, work: Callable[[], Step]) -> int:
        """One batch after another; how many rows went."""
        gone = 0
        while True:
            step = await self._batch(work)
            gone += step.gone
            if step.after is None:
                return gone

    async def _batch(self, work: Callable[[], Step]) -> Step:
        if not self._leads():
            raise LedNoMore
        step = await self._threads.purge(work)
        if step.gone:
            await asyncio.sleep(PAUSE_S)
        return step


def _midnight(now: datetime, days: int) -> datetime:
    """So that a log which is always a little too long is not shortened all day long."""
    return (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
