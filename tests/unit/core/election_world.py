"""A small world to replay elections in: one lock row on a server with a clock of its own, and
electors that carry out what ``core.leadership`` decides, one small move at a time.

Between any two moves time may pass, so a delayed answer and a frozen elector are nothing special
here. ``World.moves`` says what may happen next; who calls it chooses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gocron.core import leadership as le
from gocron.core.lease import LockRow, Timing

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

DATABASE_ACTIONS = (le.Connect, le.Probe, le.TakeOver, le.Commit, le.LockAgain, le.GiveUpRow)


class SplitLeadership(AssertionError):
    """Two electors trusted themselves at the same time, or the same term was given twice."""


@dataclass
class Row:
    """What is committed."""

    locked_by: str | None = None
    term: int = 0
    renewed: float = -1e6
    expires: float = -1e6
    version: int = 0


@dataclass
class Session:
    """One connection, as the server sees it."""

    number: int
    open: bool = True
    read_version: int | None = None
    """The row as it was when the open transaction began; None: no transaction is open."""
    pending: Row | None = None
    heard: float = 0.0


class Server:
    """One row, its lock, and an end to idle transactions after the lease.

    With ``local_locks`` the lock excludes everybody else. Without, everybody gets "the" lock on a
    server of his own, and the first to commit wins (Galera).
    """

    def __init__(self, timing: Timing, local_locks: bool) -> None:
        self.timing = timing
        self.local_locks = local_locks
        self.row = Row()
        self.locked_by: int | None = None
        self.sessions: dict[int, Session] = {}
        self.connected = 0
        self.clock_offset = 0.0

    def connect(self, now: float) -> int:
        self.connected += 1
        self.sessions[self.connected] = Session(self.connected, heard=now)
        return self.connected

    def end(self, number: int) -> None:
        """ROLLBACK and close."""
        self.sessions.pop(number, None)
        if self.locked_by == number:
            self.locked_by = None

    def rollback(self, session: Session) -> None:
        session.read_version = session.pending = None
        if self.locked_by == session.number:
            self.locked_by = None

    def lock_skipping(self, session: Session, now: float) -> LockRow | None:
        self.rollback(session)
        if self.local_locks:
            if self.locked_by is not None:
                return None
            self.locked_by = session.number
        session.read_version = self.row.version
        session.heard = now
        row, clock = self.row, self.clock(now)
        return LockRow(row.locked_by, row.term, instant(row.renewed), instant(row.expires), clock)

    def write(self, session: Session, row: Row, now: float) -> None:
        if session.read_version is None:
            session.read_version = self.row.version
        session.pending = row
        session.heard = now

    def commit(self, session: Session) -> bool:
        """False: somebody else committed the same row first, on another server."""
        pending, seen = session.pending, session.read_version
        self.rollback(session)
        if pending is None or seen != self.row.version:
            return False
        self.row = replace(pending, version=self.row.version + 1)
        return True

    def clock(self, now: float) -> datetime:
        return instant(now + self.clock_offset)

    def end_idle(self, now: float) -> list[int]:
        return [
            number
            for number, session in self.sessions.items()
            if session.read_version is not None and now - session.heard >= self.timing.lease_s
        ]


def instant(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


@dataclass
class Node:
    """An elector process and the trust it published."""

    name: str
    state: le.State
    events: list[le.Event] = field(default_factory=lambda: [le.Tick()])
    actions: list[le.Action] = field(default_factory=list)
    session: int | None = None
    sent: float | None = None
    """A TakeOver or Commit is on its way since then ..."""
    written: bool = False
    """... and the server has its UPDATE."""
    trust: tuple[int, float] = (0, 0.0)
    asked: bool = False
    """Somebody wants it to step down."""
    cut_off: bool = False
    stopped: bool = False


class World:
    """Nodes, a server, and time."""

    def __init__(self, names: list[str], timing: Timing, *, local_locks: bool = True) -> None:
        self.now = 100.0
        self.timing = timing
        self.server = Server(timing, local_locks)
        self.nodes = [Node(name, le.State(name, timing)) for name in names]
        self.jitter = 0.0
        self.elected: list[tuple[int, int]] = []
        self.overlap_allowed = False

    def copy(self) -> World:
        twin = copy.copy(self)
        twin.server = copy.copy(self.server)
        twin.server.sessions = {n: copy.copy(s) for n, s in self.server.sessions.items()}
        twin.nodes = [copy.copy(node) for node in self.nodes]
        for node in twin.nodes:
            node.events, node.actions = list(node.events), list(node.actions)
        twin.elected = list(self.elected)
        return twin

    # what may happen ------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.check()

    def end_idle_transactions(self) -> None:
        for number in self.server.end_idle(self.now):
            self.server.end(number)

    def crash(self, number: int) -> None:
        """kill -9 of the whole node; the kernel closes its connection. It is started again."""
        node = self.nodes[number]
        if node.session is not None and not node.cut_off:
            self.server.end(node.session)
        self.nodes[number] = Node(node.name, le.State(node.name, self.timing))

    def fail(self, number: int, *, after: bool = False) -> None:
        """What the node asks the database for ends in an error, before it was done or after."""
        node = self.nodes[number]
        assert node.actions
        if after:
            self.move(number)
            if node.events and not isinstance(node.events[-1], le.Failed):
                node.events[-1] = le.Failed("the answer was lost")
        else:
            self._answer(node, le.Failed("the database did not answer"))

    def release(self, number: int) -> None:
        """SIGTERM, looked at before the next event. What is being done is done first."""
        node = self.nodes[number]
        if isinstance(node.actions[0] if node.actions else None, le.Wait):
            node.actions.clear()
        node.events = [le.Release()]

    def can_move(self, number: int) -> bool:
        node = self.nodes[number]
        waits = node.actions and isinstance(node.actions[0], le.Wait)
        return not node.stopped and not (waits and node.actions[0].until > self.now)  # type: ignore[union-attr]

    def in_database(self, number: int) -> bool:
        node = self.nodes[number]
        return bool(node.actions) and isinstance(node.actions[0], DATABASE_ACTIONS)

    def move(self, number: int) -> None:
        """The next small thing that this node does."""
        node = self.nodes[number]
        if node.actions:
            self._perform(node, node.actions[0])
        else:
            event = node.events.pop(0) if node.events else le.Tick()
            node.state, actions = le.step(node.state, event, self.now, self.jitter)
            node.actions = list(actions)
        self.check()

    def check(self) -> None:
        trusted = [node for node in self.nodes if node.trust[1] > self.now]
        if len(trusted) > 1 and not self.overlap_allowed:
            raise SplitLeadership(f"at {self.now:.3f}: {[(n.name, n.trust) for n in trusted]}")

    # actions --------------------------------------------------------------------------------------

    def _answer(self, node: Node, event: le.Event | None) -> None:
        action = node.actions.pop(0)
        node.sent, node.written = None, False
        if event is not None and not isinstance(action, le.GiveUpRow):
            node.events.append(event)

    def _perform(self, node: Node, action: le.Action) -> None:
        match action:
            case le.Wait(until):
                if self.now >= until:
                    node.actions.pop(0)
            case le.AwaitStandBy():
                node.actions.pop(0)
            case le.Trust(term, until):
                node.trust = (term, until)
                node.actions.pop(0)
            case le.Elected(term):
                self._elect(node, term)
                node.actions.pop(0)
            case le.Disconnect():
                if node.session is not None and not node.cut_off:
                    self.server.end(node.session)
                node.session = None
                node.actions.pop(0)
            case le.Stop():
                node.stopped = True
                node.actions.clear()
            case le.Connect():
                if node.cut_off:
                    self._answer(node, le.Failed("no route"))
                else:
                    node.session = self.server.connect(self.now)
                    self._answer(node, le.Connected(self.server.local_locks))
            case le.LetGo():
                session = self.server.sessions.get(node.session or 0)
                if session is not None and not node.cut_off:
                    self.server.rollback(session)
                node.actions.pop(0)
            case le.SteppedDown() | le.TermWentBack():
                node.actions.pop(0)
            case _:
                self._ask(node, action)

    def _ask(self, node: Node, action: le.Action) -> None:
        session = self.server.sessions.get(node.session or 0)
        if session is None or node.cut_off:
            self._answer(node, le.Failed("the session is gone"))
            return
        match action:
            case le.Probe():
                row = self.server.lock_skipping(session, self.now)
                self._answer(node, le.Probed(row))
            case le.LockAgain(until):
                row = self.server.lock_skipping(session, self.now)
                if row is not None:
                    asked_by = "ada" if node.asked else ""
                    self._answer(node, le.Locked(row.locked_by, row.term, asked_by))
                elif self.now >= until:
                    self._answer(node, le.Failed("the lock was not to be had again in time"))
            case le.TakeOver(above):
                self._renew(node, session, above + 1, take_over=True)
            case le.Commit():
                self._renew(node, session, node.state.term, take_over=False)
            case le.GiveUpRow(term):
                if self.server.locked_by in (None, session.number):
                    row_now = self.server.row
                    if (row_now.locked_by, row_now.term) == (node.name, term):
                        freed = replace(row_now, locked_by=None, expires=self._clock_now())
                        node.asked = False
                        self.server.write(session, freed, self.now)
                        self.server.commit(session)
                    self._answer(node, None)

    def _renew(self, node: Node, session: Session, term: int, *, take_over: bool) -> None:
        """Three moves: it is sent; the UPDATE is done; the COMMIT is done."""
        if node.sent is None:
            node.sent = self.now
            return
        if not node.written:
            row = self.server.row
            if not take_over and (row.locked_by, row.term) != (node.name, term):
                self._answer(node, le.Failed("the lock row is not ours any more"))
                return
            clock = self._clock_now()
            new = Row(node.name, term, clock, clock + self.timing.lease_s)
            self.server.write(session, new, self.now)
            node.written = True
            return
        sent = node.sent
        before = self.server.row.term
        if not self.server.commit(session):
            self._answer(node, le.Failed("a conflict at commit"))
            return
        if self.server.row.term < before:
            raise SplitLeadership(f"the term went from {before} to {self.server.row.term}")
        self._answer(node, le.TookOver(term, sent) if take_over else le.Committed(sent))

    def _clock_now(self) -> float:
        return self.now + self.server.clock_offset

    def _elect(self, node: Node, term: int) -> None:
        # Said late, by one who was frozen before he could say it, it may be out of order.
        if any(term == earlier for earlier, _ in self.elected):
            raise SplitLeadership(f"term {term} was given to {node.name} after {self.elected}")
        self.elected.append((term, self.nodes.index(node)))

    # afterwards -----------------------------------------------------------------------------------

    def leader(self) -> Node | None:
        """Who trusts itself, if anybody."""
        return next((node for node in self.nodes if node.trust[1] > self.now), None)

    def calm(self, seconds: float, until: Callable[[World], bool] | None = None) -> None:
        """Nothing fails any more, and everybody is quick."""
        end = self.now + seconds
        for node in self.nodes:
            node.cut_off = False
        while self.now < end and not (until is not None and until(self)):
            for number in range(len(self.nodes)):
                for _move in range(20):
                    if not self.can_move(number):
                        break
                    self.move(number)
            self.pass_time(0.01)
            self.end_idle_transactions()
