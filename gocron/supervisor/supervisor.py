"""The parent's loop: spawn, reap, restart, and keep what is wanted and what is reported together.

::

    RUNNING --SIGTERM/SIGINT--> STANDBY -> RELEASE -> DRAIN -> CLOSE -> (exit)
       |            second signal, or SIGQUIT, in any state: at once
       +------- a child reports that the node must not go on: the same way down, exit code 1

Signals are no queue, so a signal to the scheduler only says "look at the board". What it is wanted
to do stands there; what it does it reports. Until both agree the parent signals again, and a
scheduler that does not stand by when it should is killed: at worst its queued runs are adopted by
the next leader.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterable

from gocron.board import Board, TrustCell
from gocron.clock import boottime
from gocron.core.child_state import ChildPhase
from gocron.core.protocol import (
    Acting,
    Leading,
    Message,
    NotLeading,
    Ready,
    StandingBy,
    Unable,
)
from gocron.posix import PR_SET_CHILD_SUBREAPER, Signals, prctl, wait_readable
from gocron.supervisor import strays
from gocron.supervisor.child import Child, ChildSpec, how_it_ended
from gocron.supervisor.shutdown import Shutdown
from gocron.supervisor.watch import TickWatch

log = logging.getLogger("gocron.parent")

TICK_S = 0.5
RESIGNAL_S = 1.0
UNRESPONSIVE_S = 10.0
STALLED_LOOKS = 24
"""A child whose tick has not moved for so many of our own looks (half a second apart) is stuck,
whatever the reason. Looks are counted, not seconds: a machine that was paused has none."""

ADOPTED_AFTER_S = 1.0
"""A process that came to us while the runner lived is somebody's daemon only if the runner still
lives so much later: the commands of a runner that is just dying arrive before its death is seen."""

NEEDED_TO_LEAD = ("scheduler", "runner")


class Supervisor:
    """Runs the children until told to stop. ``alone`` means: lead without an election."""

    def __init__(
        self, specs: Iterable[ChildSpec], board: Board, *, alone_term: int, drain_s: float
    ):
        self.children = {spec.name: Child(spec, board) for spec in specs}
        self.board = board
        self.drain_s = drain_s
        self._alone_term = alone_term
        self._signals = Signals(
            (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD)
        )
        self.want_lead = False
        self.leading = False
        """What the scheduler last reported."""
        self._unequal_since = 0.0
        self._signalled_at = 0.0
        self._shutdown: Shutdown | None = None
        self._exit_code = 0
        self._arrived: dict[int, float] = {}
        """Processes that became ours while the runner lived, and when (boottime)."""
        self._watch = TickWatch(STALLED_LOOKS, TICK_S)
        # They are for the scheduler. Ignored here, and so by each child until it listens.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)

    def run(self) -> int:
        """Until all children have ended; the exit code of the node."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        for child in self.children.values():
            self._start(child)
        if self._alone_term:
            self.board.write_trust(TrustCell(self._alone_term, float("inf"), 0.0, 0.0))
            self.set_lead(True)
        while self._shutdown is None or not self._shutdown.over:
            self._wait()
            self._reap()
            self._hear()
            self._restart()
            self._reconcile()
            if self._shutdown is not None:
                self._shutdown.advance()
        self._signals.close()
        return self._exit_code

    # events -----------------------------------------------------------------------------------

    def _wait(self) -> None:
        statuses = [child.status for child in self.children.values() if child.status >= 0]
        wait_readable((self._signals.fileno(), *statuses), self._timeout())
        for number in self._signals.drain():
            self._on_signal(number)

    def _timeout(self) -> float:
        if self._shutdown is not None:
            return 0.05
        due = [
            child.state.restart_at - boottime()
            for child in self.children.values()
            if child.state.phase is ChildPhase.BACKOFF
        ]
        return max(0.0, min([TICK_S, *due]))

    def _on_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            if self._shutdown is None:
                self.begin_shutdown(f"{signal.Signals(number).name} received")
            else:
                self._shutdown.hurry()
        elif number == signal.SIGQUIT:
            self.begin_shutdown("SIGQUIT received: stopping at once")
            assert self._shutdown is not None
            self._shutdown.hurry()
        elif number == signal.SIGHUP:
            log.info("SIGHUP: settings are read at start; restart the node to change them")

    def begin_shutdown(self, reason: str, exit_code: int = 0) -> None:
        """Begin to end, in good order; a second call changes nothing."""
        if self._shutdown is None:
            log.info("stopping: %s", reason)
            self._exit_code = exit_code
            self._shutdown = Shutdown(self)

    def _reap(self) -> None:
        """Every child that ended, ours or adopted, so that nothing stays a zombie."""
        by_pid = {child.pid: child for child in self.children.values() if child.alive}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                break
            child = by_pid.get(pid)
            if child is not None:
                self._on_death(child, how_it_ended(status))
        known = {child.pid for child in self.children.values()}
        if self.children["runner"].alive:
            now, strangers = boottime(), strays.children() - known
            self._arrived = {pid: self._arrived.get(pid, now) for pid in strangers}

    def _on_death(self, child: Child, how: str) -> None:
        for message in child.messages() if child.status >= 0 else []:
            self._on_message(child, message)
        expected = child.state.phase is ChildPhase.STOPPING
        child.mark_died(how)
        (log.info if expected else log.error)("%s ended: %s", child.name, how)
        if child.name == "elector":
            # Its trust died with it; nobody else writes this cell until it is back.
            self.board.write_trust(TrustCell())
            self.set_lead(False)
        elif child.name == "scheduler":
            self.leading = False
        elif child.name == "runner":
            self._end_commands()
        if child.state.phase is ChildPhase.FATAL:
            log.critical(
                "%s keeps dying (%s): it is given up on; restart the node when the cause is mended",
                child.name,
                how,
            )
            if child.name in NEEDED_TO_LEAD:
                self._let_go_for_good()

    def _end_commands(self) -> None:
        """The runner is gone: end its commands before another runner starts."""
        settled = boottime() - ADOPTED_AFTER_S
        daemons = {pid for pid, since in self._arrived.items() if since <= settled}
        known = {child.pid for child in self.children.values() if child.alive} | daemons
        self._arrived.clear()
        ended = strays.end_all_except(known)
        if ended:
            log.warning("%d processes that the runner left behind were ended", ended)

    def _let_go_for_good(self) -> None:
        """This node cannot do a leader's work: the elector lets go and is not started again."""
        self.set_lead(False)
        elector = self.children.get("elector")
        if elector is not None:
            elector.mark_stopping()
            elector.send(signal.SIGTERM)

    # messages ---------------------------------------------------------------------------------

    def _hear(self) -> None:
        for child in self.children.values():
            if child.status >= 0:
                for message in child.messages():
                    self._on_message(child, message)

    def _on_message(self, child: Child, message: Message) -> None:
        match message:
            case Ready():
                child.mark_ready()
            case Leading():
                self.set_lead(True)
            case NotLeading():
                self.set_lead(False)
            case Acting():
                self.leading = True
            case StandingBy():
                self.leading = False
            case Unable(reason):
                log.critical("%s: %s", child.name, reason)
                self.begin_shutdown(reason, exit_code=1)

    # wanted and reported ----------------------------------------------------------------------

    def set_lead(self, wanted: bool) -> None:
        """What the scheduler should do, from now on."""
        wanted = wanted and self._shutdown is None
        self.want_lead = wanted
        self.board.want(lead=wanted, stop=self._shutdown is not None)
        self._unequal_since = boottime()
        self._signal_scheduler()

    def _signal_scheduler(self) -> None:
        self._signalled_at = boottime()
        self.children["scheduler"].send(signal.SIGUSR1 if self.want_lead else signal.SIGUSR2)

    def _reconcile(self) -> None:
        scheduler = self.children["scheduler"]
        now = boottime()
        self._follow_trust(now)
        self._kill_stuck()
        if not scheduler.alive or self.want_lead == self.leading:
            self._unequal_since = now
            return
        if now - self._unequal_since > UNRESPONSIVE_S and (
            not self.want_lead or self.board.trust().holds(now)
        ):
            verb = "take up its work" if self.want_lead else "stand by"
            log.error("the scheduler does not %s: it is killed", verb)
            self._unequal_since = now
            scheduler.send(signal.SIGKILL)
        elif now - self._signalled_at > RESIGNAL_S:
            self._signal_scheduler()

    def _follow_trust(self, now: float) -> None:
        """The board is the truth; the elector's message is only quicker, and may get lost."""
        holds = self.board.trust().holds(now)
        if holds and not self.want_lead and self._able_to_lead():
            self.set_lead(True)

    def _able_to_lead(self) -> bool:
        return not any(
            self.children[name].state.phase is ChildPhase.FATAL for name in NEEDED_TO_LEAD
        )

    def _kill_stuck(self) -> None:
        """A child that is there and does nothing is worse than one that died."""
        ticks = self.board.ticks()
        watched = {"runner": self.children["runner"], "scheduler": self.children["scheduler"]}
        for name, child in watched.items():
            busy = child.state.phase is ChildPhase.RUNNING and (name == "runner" or self.leading)
            tick = ticks[name] if busy and self._shutdown is None else None
            if self._watch.stuck(name, child.pid, tick, boottime()):
                log.error("the %s has done nothing for a while: it is killed", name)
                child.send(signal.SIGKILL)

    # children ---------------------------------------------------------------------------------

    def _start(self, child: Child) -> None:
        others = [
            descriptor
            for other in self.children.values()
            if other is not child
            for descriptor in other.parent_descriptors()
        ]
        child.start([*others, *self._signals.descriptors()])

    def _restart(self) -> None:
        if self._shutdown is None:
            for child in self.children.values():
                if child.due():
                    log.info("starting %s again", child.name)
                    self._start(child)
                    self._tell_anew(child)

    def _tell_anew(self, child: Child) -> None:
        """A new scheduler reads the board by itself; until it has, nothing is reported."""
        if child.name == "scheduler":
            self._unequal_since = self._signalled_at = boottime()
