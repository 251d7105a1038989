"""Electors reduced to what the lock needs: the state machine, a session, and a thread.

``gocron.processes.elector`` does the same in a process, with a board, signals and logs.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from gocron.clock import boottime
from gocron.config import Settings
from gocron.core.leadership import (
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
from gocron.db.lock import LockLost, LockSession, NotHeld, ReadOnlyServer

TROUBLE = (SQLAlchemyError, NotHeld, LockLost, ReadOnlyServer, OSError)
PATIENCE_S = 20.0

LEASE_S = 2.0
"""Of elections in tests; the fixture ``quick`` has it."""


def session_id(session: LockSession) -> int:
    """The server's number for the session; asks the driver, not the server."""
    connection = session._open.connection.dbapi_connection
    assert connection is not None
    ask = getattr(connection, "get_backend_pid", None) or connection.thread_id
    return int(ask())


class Candidate:
    """Runs for election on a thread of its own until it is released."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self.session = LockSession(settings, f"{name}:1", name)
        self.elected: list[tuple[int, float]] = []
        """(term, when): boottime seconds, as all moments here."""
        self.downfalls: list[tuple[int, str]] = []
        self.failures: list[str] = []
        self.trust = Trust(0, 0.0)
        self.went_back: list[TermWentBack] = []
        self._awake = threading.Event()
        self._awake.set()
        self._asleep = threading.Event()
        self._stopped = threading.Event()
        timing = Timing(settings.lease_s, settings.renew_s, settings.grace_s, settings.poll_s)
        self._state = State(f"{name}:1", timing)
        self._events: deque[Event] = deque([Tick()])
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def leads(self) -> bool:
        """Whether it trusts itself at this moment."""
        return self.trust.until > boottime()

    def freeze(self) -> None:
        """As SIGSTOP: nothing is sent any more, the connection stays open."""
        self._awake.clear()
        assert self._asleep.wait(PATIENCE_S)

    def thaw(self) -> None:
        self._asleep.clear()
        self._awake.set()

    def release(self) -> None:
        """As SIGTERM."""
        self._events.appendleft(Release())
        self.thaw()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._maybe_sleep()
            event = self._events.popleft() if self._events else Tick()
            self._state, actions = step(self._state, event, boottime(), 0.0)
            for action in actions:
                self._do(action)

    def _maybe_sleep(self) -> None:
        if not self._awake.is_set():
            self._asleep.set()
            self._awake.wait()

    def _do(self, action: Action) -> None:
        try:
            event = self._perform(action)
        except TROUBLE as error:
            self.failures.append(repr(error))
            event = None if isinstance(action, GiveUpRow) else Failed(repr(error))
        if event is not None:
            self._events.append(event)

    def _perform(self, action: Action) -> Event | None:
        match action:
            case Connect():
                return Connected(self.session.connect())
            case Probe():
                return Probed(self.session.probe())
            case TakeOver(above):
                return TookOver(*self.session.take_over(above))
            case Commit():
                return Committed(self.session.renew_and_commit(self._state.term))
            case LockAgain(until):
                return self.session.lock_again(until, time.sleep)
            case GiveUpRow(term, reason):
                self.session.give_up(term, reason)
            case AwaitStandBy():
                pass  # there is no scheduler
            case LetGo():
                self.session.let_go()
            case Disconnect():
                self.session.close()
            case Trust():
                self.trust = action
            case Elected(term):
                self.elected.append((term, boottime()))
            case SteppedDown(term, reason):
                self.downfalls.append((term, reason))
            case TermWentBack():
                self.went_back.append(action)
            case Wait(until):
                while (left := until - boottime()) > 0 and not self._wanted():
                    self._maybe_sleep()
                    time.sleep(min(left, 0.005))
            case Stop():
                self._stopped.set()
        return None

    def _wanted(self) -> bool:
        return any(isinstance(event, Release) for event in tuple(self._events))


@contextmanager
def candidates(settings: Settings, *names: str) -> Iterator[list[Candidate]]:
    """Started, and released at the end whatever happened."""
    started = [Candidate(settings, name) for name in names]
    try:
        for candidate in started:
            candidate.start()
        yield started
    finally:
        for candidate in started:
            candidate.release()
        for candidate in started:
            candidate.join()


def until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for ``condition``."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not so after {patience_s:g} s: {what}"
        time.sleep(0.005)


def leader_of(among: Sequence[Candidate], patience_s: float = PATIENCE_S) -> Candidate:
    """The one that leads the latest term, waited for. (A leader whose connection was cut learns
    of it at its next renewal; until then it trusts itself, and its claims are refused.)"""

    def latest() -> Candidate | None:
        leading = [candidate for candidate in among if candidate.leads()]
        return max(leading, key=lambda one: one.trust.term, default=None)

    until(latest, "somebody leads", patience_s)
    found = latest()
    return found if found is not None else leader_of(among, patience_s)


def terms(among: Sequence[Candidate]) -> list[int]:
    """All terms in the order of their elections."""
    elections = sorted((when, term) for candidate in among for term, when in candidate.elected)
    return [term for _when, term in elections]
