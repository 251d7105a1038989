"""The elector: carries out what ``core.leadership`` decides, one action after another.

::

    event -> core.leadership.step -> actions -> db.lock -> event ...

It publishes trust on the board *before* anything that could end it, tells the parent when this
node begins and ceases to lead, and asks nobody else anything. Errors of the database are events
like others; in doubt this node does not lead.
"""

from __future__ import annotations

import logging
import random
import signal
import time
from collections import deque
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from gocron.board import Board, TrustCell
from gocron.clock import boottime
from gocron.core.leadership import (
    NO_TRUST,
    Action,
    AwaitStandBy,
    Commit,
    Committed,
    Connect,
    Connected,
    Disconnect,
    Elected,
    Event,
    Failed,
    GiveUpRow,
    LetGo,
    LockAgain,
    Probe,
    Probed,
    Release,
    State,
    SteppedDown,
    Stop,
    TakeOver,
    TermWentBack,
    Tick,
    TookOver,
    Trust,
    Wait,
    step,
)
from gocron.core.lease import Timing
from gocron.core.protocol import Leading, NotLeading, Ready
from gocron.db.engine import describe
from gocron.db.lock import LockLost, LockSession, NotHeld, ReadOnlyServer
from gocron.processes.base import Channel, Links, ParentGone, Shared, configure_logs

log = logging.getLogger("gocron.elector")

STAND_BY_LOOK_S = 0.02

TROUBLE = (SQLAlchemyError, NotHeld, LockLost, ReadOnlyServer, OSError)


def run(links: Links, shared: Shared) -> int:
    """The elector process; its exit code."""
    configure_logs(shared.settings)
    try:
        channel = Channel(links, "elector", death_signal=signal.SIGKILL)
        return Elector(shared, channel).loop()
    except ParentGone:
        return 0


@dataclass
class Ending:
    """A leadership that ended; written into the history when the database can be reached."""

    term: int
    reason: str


class Elector:
    """Interprets actions. One event is answered completely before the next is looked at."""

    def __init__(self, shared: Shared, channel: Channel) -> None:
        settings = shared.settings
        self._holder = shared.identity.holder
        self._board: Board = shared.board
        self._channel = channel
        self._session = LockSession(settings, self._holder, shared.identity.name)
        timing = Timing(settings.lease_s, settings.renew_s, settings.grace_s, settings.poll_s)
        self._state = State(self._holder, timing)
        self._events: deque[Event] = deque([Tick()])
        # They count since the node started, whatever became of earlier elector processes.
        self._elections, self._errors = shared.board.counters()
        self._trust = TrustCell()
        self._stopped = False
        self._complained = ""
        self._unwritten: Ending | None = None

    def loop(self) -> int:
        """Until released."""
        self._channel.tell(Ready())
        while not self._stopped:
            self._listen(0.0)
            event = self._events.popleft() if self._events else Tick()
            self._state, actions = step(
                self._state,
                event,
                boottime(),
                random.uniform(-1, 1),  # noqa: S311
            )
            for action in actions:
                self._do(action)
        return 0

    def _listen(self, timeout_s: float) -> None:
        """Wait for signals; one that asks us to let go is the next event, and the last."""
        signals = self._channel.wait(timeout_s)
        if signals & {signal.SIGTERM, signal.SIGQUIT}:
            self._events.clear()
            self._events.append(Release())

    def _do(self, action: Action) -> None:
        """Carry one action out; whatever the database answers becomes the next event."""
        try:
            event = self._perform(action)
        except TROUBLE as error:
            self._errors += 1
            self._count()
            event = None if isinstance(action, GiveUpRow) else Failed(self._complain(error))
        if event is not None:
            self._events.append(event)

    def _perform(self, action: Action) -> Event | None:
        match action:
            case Connect():
                return Connected(self._session.connect())
            case Probe():
                return self._probe()
            case TakeOver(above):
                return TookOver(*self._session.take_over(above))
            case Commit():
                return Committed(self._session.renew_and_commit(self._state.term))
            case LockAgain(until):
                return self._session.lock_again(until, time.sleep)
            case AwaitStandBy(until):
                self._await_stand_by(until)
            case GiveUpRow(term, reason):
                log.info("Releasing leader lock: %s", self._holder)
                self._session.give_up(term, reason)
            case LetGo():
                self._session.let_go()
            case Disconnect():
                self._session.close()
            case Trust(term, until):
                self._publish(term, until)
            case Elected(term):
                self._announce(term)
            case SteppedDown(term, reason, orderly):
                self._step_down(term, reason, orderly)
            case TermWentBack(found, seen):
                log.error(
                    "the lock row shows term %d after term %d was seen: the database lost "
                    "commits (a failover of its own?); carrying on above %d",
                    found,
                    seen,
                    seen,
                )
            case Wait(until):
                self._sleep(until)
            case Stop():
                self._stopped = True
        return None

    def _probe(self) -> Event:
        if self._unwritten is not None:
            ending, self._unwritten = self._unwritten, None
            self._session.end_history(ending.term, ending.reason)
        row = self._session.probe()
        self._complained = ""
        self._heard()
        return Probed(row)

    def _sleep(self, until: float) -> None:
        while not self._events and (left := until - boottime()) > 0:
            self._listen(left)

    def _await_stand_by(self, until: float) -> None:
        """The scheduler has no trust to act under any more; this is for what it is in the middle
        of. A wish to end the node that comes meanwhile is carried out right afterwards."""
        while self._board.acting()[0] and (left := until - boottime()) > 0:
            self._listen(min(left, STAND_BY_LOOK_S))

    def _publish(self, term: int, until: float) -> None:
        now = boottime()
        if until == NO_TRUST:
            self._trust = TrustCell(heard=self._trust.heard)
        else:
            self._trust = TrustCell(term, until, self._state.sent or now, now)
        self._board.write_trust(self._trust)

    def _heard(self) -> None:
        """The database answered; ``/readyz`` wants to know when it last did."""
        trust = self._trust
        self._trust = TrustCell(trust.term, trust.until, trust.renewed, boottime())
        self._board.write_trust(self._trust)

    def _announce(self, term: int) -> None:
        self._elections += 1
        self._count()
        log.info("This node elected as leader: %s", self._holder)
        log.info("leading term %d", term)
        self._channel.tell(Leading(term))

    def _step_down(self, term: int, reason: str, orderly: bool) -> None:
        if orderly:
            log.info("term %d is over: %s", term, reason)
        else:
            log.error("Leader lease renewal failed, stepping down")
            log.error("term %d is over: %s", term, reason)
            self._unwritten = Ending(term, reason)
        self._channel.tell(NotLeading(reason))

    def _count(self) -> None:
        self._board.write_counters(self._elections, self._errors)

    def _complain(self, error: Exception) -> str:
        """The error in words; logged once, not five times a second."""
        words = describe(error)
        if words != self._complained:
            self._complained = words
            log.warning("election: %s", words)
        return words
