"""The scheduler: reads what is due, claims it, and lets the runner know.

::

    standing by --board wants it, trust holds--> dispatching under a term
         ^                                             |
         +---- board says stop, or trust ran out ------+

It keeps no schedule in memory: every half second it asks the database what is due within the next
second and a half, claims it about a second ahead, and forgets it. What another node edits holds
from its commit on. It starts nothing itself, so it can be stopped at any moment.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterable, Iterator
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from gocron.clock import DatabaseClock, boottime
from gocron.core.firing import DueTask, Plan, plan, settle
from gocron.core.liveness import Watch
from gocron.core.protocol import Acting, Ready, StandingBy
from gocron.core.schedule import Calendars, timetable_of
from gocron.core.timetable import parse
from gocron.db import adoption, elections, follow_ups, nodes, pauses
from gocron.db.calendars import Shelf
from gocron.db.claims import PAGE, Claimant, TermOver, claim, due, mark_broken
from gocron.db.engine import Database, describe
from gocron.errors import InvalidSchedule
from gocron.metrics import CLAIMED, DATABASE_ERRORS, ROUND
from gocron.processes.base import Channel, Links, ParentGone, Shared, configure_logs
from gocron.sayings import say

log = logging.getLogger("gocron.scheduler")

ROUND_S = 0.5
READ_AHEAD_S = 1.5
"""What is due within this time is claimed: between one and one and a half seconds ahead."""

LOOK_AT_NODES_S = 1.0

MOST_ROWS = 2000
"""Runs that one transaction claims."""

TROUBLE = (SQLAlchemyError, OSError)


def run(links: Links, shared: Shared) -> int:
    """The scheduler process; its exit code."""
    configure_logs(shared.settings)
    try:
        channel = Channel(links, "scheduler", death_signal=signal.SIGKILL)
        return Scheduler(shared, channel).loop()
    except ParentGone:
        return 0


class Scheduler:
    """Dispatches while it may."""

    def __init__(self, shared: Shared, channel: Channel) -> None:
        settings = shared.settings
        self._database = Database(settings, size=1, silence_s=10.0)
        self._board = shared.board
        self._me = shared.identity
        self._channel = channel
        self._wake_runner = shared.wake_runner[1]
        os.set_blocking(self._wake_runner, False)
        self._grace = timedelta(seconds=settings.misfire_grace_s)
        self._clock = DatabaseClock()
        self._term = 0
        self._watch = Watch(nodes.LOST_AFTER_S)
        self._looked_at_nodes = 0.0
        self._broken: dict[tuple[int, int], str] = {}
        self._calendars = Shelf()
        self._elected = 0
        self._complained = ""

    def loop(self) -> int:
        """Until SIGTERM."""
        log.info("Scheduler infrastructure initialized")
        self._channel.tell(Ready())
        self._channel.tell(StandingBy())
        next_round = 0.0
        self._follow_board()
        while True:
            signals = self._channel.wait(next_round - boottime() if self._term else ROUND_S)
            if signals & {signal.SIGTERM, signal.SIGQUIT}:
                self._stand_by()
                return 0
            self._follow_board()
            if self._term and boottime() >= next_round:
                next_round = boottime() + ROUND_S
                with ROUND.time():
                    self._round()

    # leading or not ---------------------------------------------------------------------------

    def _may_lead(self) -> bool:
        """The parent wants it, and the trust in our leadership has not run out: read anew before
        every transaction, because parent and elector may be frozen."""
        return self._board.wanted_to_lead and self._board.trust().holds(boottime())

    def _follow_board(self) -> None:
        term = self._board.trust().term if self._may_lead() else 0
        if term == self._term:
            return
        if self._term:
            self._stand_by()
        if term:
            self._term = term
            self._tick()
            self._watch = Watch(nodes.LOST_AFTER_S)
            log.info("Starting to load scheduled tasks (this node is leader)")
            self._channel.tell(Acting(term))

    def _stand_by(self) -> None:
        if self._term:
            log.info("Stopping scheduler (this node lost leadership)")
        self._term = 0
        self._board.write_acting(0, boottime())
        self._channel.tell(StandingBy())

    # one round --------------------------------------------------------------------------------

    def _round(self) -> None:
        """Adopt first: nothing new is claimed before what an earlier leader queued is ours, so
        two nodes never decide about the same task at the same time."""
        claimant = Claimant(self._me.id, self._term)
        try:
            self._follow_election(claimant)
            while self._may_lead() and (
                follow_ups.look_after(self._database, claimant) >= follow_ups.PAGE
            ):
                self._tick()
            if self._adopt(claimant):
                self._wake()
            self._tick()
            self._claim_due(claimant)
            self._look_at_nodes()
            self._complained = ""
        except TermOver as over:
            self._complain_once(str(over))
        except TROUBLE as error:
            DATABASE_ERRORS.labels("scheduler").inc()
            self._complain_once(f"the round was given up, it is tried again: {describe(error)}")
        self._tick()

    def _tick(self) -> None:
        """The parent watches that this goes on."""
        self._board.write_acting(self._term, boottime())

    def _adopt(self, claimant: Claimant) -> int:
        waiting = adoption.orphans(self._database, claimant)
        if not waiting or not self._may_lead():
            return 0
        if not self._clock.known:
            self._read_clock()
        missed = settle(waiting, self._clock.now(), self._grace)
        ours = [run.id for run in waiting if run.id not in missed]
        adopted = adoption.adopt(self._database, claimant, ours, missed)
        log.debug("adopted %d queued runs, wrote %d off", adopted, len(missed))
        return adopted

    def _read_clock(self) -> None:
        with self._database.read() as connection:
            sent = boottime()
            now = self._database.dialect.now(connection)
            self._clock.observe(sent, now, boottime())

    def _claim_due(self, claimant: Claimant) -> None:
        """Page by page, and tell the runner after each: the first must not wait for the last."""
        with self._database.read() as connection:
            paused = pauses.in_force(connection, self._database.dialect)
        if "" in paused:
            return
        after = None
        while self._may_lead():
            tasks = due(self._database, self._clock, READ_AHEAD_S, after, sorted(paused))
            # After the tasks: a calendar that changed in between has changed their revision too.
            days = self._calendars.take(self._database, _calendars_of(tasks))
            plans = [made for task in tasks if (made := self._plan(task, days)) is not None]
            self._say_what_is_broken()
            for batch in _batches(plans):
                if self._may_lead():
                    CLAIMED.inc(claim(self._database, claimant, batch))
                    self._wake()
                    self._tick()
            self._tick()
            if len(tasks) < PAGE:
                break
            after = (tasks[-1].next_fire_at, tasks[-1].id)

    def _plan(self, task: DueTask, days: Calendars) -> Plan | None:
        now = self._clock.now()
        try:
            timetable = timetable_of(task, days)
        except InvalidSchedule as error:
            if task.broken != str(error)[:512]:
                self._broken[task.id, task.revision] = str(error)
                log.error("task %r cannot be scheduled: %s", task.name, error)
            return None
        if task.broken:
            self._broken[task.id, task.revision] = ""
        if timetable is None:
            return Plan(task, (), None)
        return plan(task, timetable, now, now + timedelta(seconds=READ_AHEAD_S), self._grace)

    def _say_what_is_broken(self) -> None:
        if self._broken:
            mark_broken(self._database, self._broken)
            self._broken.clear()

    def _follow_election(self, claimant: Claimant) -> None:
        """Once a term: the runs that an election asks for."""
        if self._elected == claimant.term:
            return

        def wanted(spec: str, zone: str) -> bool:
            try:
                return parse(spec, zone).on_election
            except InvalidSchedule:
                return False

        if elections.queue_election_runs(self._database, claimant, wanted):
            self._wake()
        self._elected = claimant.term

    def _wake(self) -> None:
        try:
            os.write(self._wake_runner, b"w")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    # nodes that are gone ----------------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        """Running runs of nodes without a heartbeat are lost: their tasks must not wait for them,
        and somebody has to be told."""
        now = boottime()
        if now - self._looked_at_nodes < LOOK_AT_NODES_S:
            return
        self._looked_at_nodes = now
        suspects = set(adoption.nodes_with_running(self._database, self._me.id))
        pulses = nodes.pulses(self._database)
        gone = self._watch.look(
            [(pulse.node_id, pulse.heartbeat_at, pulse.age_s) for pulse in pulses], now
        )
        gone |= {pulse.node_id for pulse in pulses if pulse.stopped}
        gone |= suspects - {pulse.node_id for pulse in pulses}
        for node_id in gone & suspects:
            pulse = next((pulse for pulse in pulses if pulse.node_id == node_id), None)
            name = pulse.name if pulse else "?"
            lost = adoption.mark_lost(
                self._database,
                node_id,
                say(
                    "node %(node)s gave no sign of life for %(seconds)s s while it ran",
                    node=name,
                    seconds=round(nodes.LOST_AFTER_S),
                ),
                pulse.heartbeat_at if pulse else None,
            )
            if lost:
                log.error("node %s is gone: %d of its runs are lost", name, lost)

    def _complain_once(self, words: str) -> None:
        if words != self._complained:
            self._complained = words
            log.error("%s", words)


def _batches(plans: list[Plan]) -> Iterator[list[Plan]]:
    """Plans in transactions of a bearable size: after a long outage one task may have a thousand
    slots to catch up on."""
    batch: list[Plan] = []
    rows = 0
    for made in plans:
        if batch and rows + len(made.runs) > MOST_ROWS:
            yield batch
            batch, rows = [], 0
        batch.append(made)
        rows += len(made.runs)
    if batch:
        yield batch


def _calendars_of(tasks: Iterable[DueTask]) -> set[str]:
    return {name for task in tasks for name in (*task.exclude_calendars, *task.require_calendars)}
