"""The elector's state machine, without a database: ``step(state, event) -> (state, actions)``.

::

                 Connected            free row, may take over
    DISCONNECTED ---------> FOLLOWING ------------------------> CONFIRMING
      ^  ^                    ^   ^                               |    |
      |  |     held, or young |   | not us any more               |    | Locked(me, term)
      |  |                    +---+-------------------------------+    v
      |  |  any database error, lock not back in time               LEADING <--+
      |  +-------------------------------------------------------------|       | Locked(me, term)
      |                                                 time to renew  v       |
      +----------------------------------------------------------- ROTATING ---+

    Release in any state -> RELEASED (after letting go of the row, if we hold it)
    Locked(me, term) by which somebody asks us to step down -> FOLLOWING, aside for a while

Why this is safe:

* Only ``LEADING`` and ``ROTATING`` carry trust, and trust is a moment, not a flag: whoever reads
  it compares it with the clock himself. A process that is frozen needs nobody to tell it.
* ``CONFIRMING`` does not lead: having written our name is not enough, the row must be locked by us
  and still say so.
* In ``ROTATING`` the row is free for about a millisecond; trust shrinks to less than a grace
  *before* the COMMIT is sent, and followers wait a whole grace.
* In doubt -- any database error, a late answer, another name in the row -- we are not the leader.
* Who steps down ends its trust first and gives the row up last; standing aside afterwards is only
  more patience than other followers have, and never for longer than ``ASIDE_S``.

What it does not guarantee: that a process resumed after its lease does nothing for an instant.
The claim does that (``db/claims.py``): one row per slot, unique in the database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from gocron.core.backoff import delay
from gocron.core.lease import (
    LockRow,
    Timing,
    takeover_in,
    trusted_between,
    trusted_while_held,
)

NO_TRUST = 0.0

ASIDE_S = 10.0
"""How long a node that was asked to step down leaves a free row to the others."""

STAND_BY_S = 2.0
"""How long stepping down waits for the scheduler to dispatch no more."""

ASKED = "asked to step down by "
"""Begins the reason in the history; the name of whoever asked follows."""

RELEASED = "released"
"""The reason in the history when a node was stopped."""

HAIR_S = 0.002
"""Added to a wait for the row's age, so that one look at it is enough."""


class Phase(Enum):
    """Where the elector stands."""

    DISCONNECTED = "disconnected"
    FOLLOWING = "following"
    CONFIRMING = "confirming"
    LEADING = "leading"
    ROTATING = "rotating"
    RELEASED = "released"


# Events: what happened. All moments are boottime seconds.


@dataclass(frozen=True)
class Tick:
    """The moment that the last ``Wait`` asked for has come."""


@dataclass(frozen=True)
class Connected:
    """A session is open; ``local_locks`` is false where row locks do not reach all writers."""

    local_locks: bool = True


@dataclass(frozen=True)
class Probed:
    """A follower's look: ``row`` is None when somebody holds the lock."""

    row: LockRow | None


@dataclass(frozen=True)
class TookOver:
    """Our name and ``term`` are committed; the renewal was sent at ``sent``."""

    term: int
    sent: float


@dataclass(frozen=True)
class Committed:
    """A leader's renewal is committed; it was sent at ``sent``."""

    sent: float


@dataclass(frozen=True)
class Locked:
    """The row is locked by us again, and says this. ``asked_by``: who wants us to step down."""

    locked_by: str | None
    term: int
    asked_by: str = ""


@dataclass(frozen=True)
class Failed:
    """The database did not do as told."""

    reason: str


@dataclass(frozen=True)
class Release:
    """Somebody wants this node to let go, for good."""


Event = Tick | Connected | Probed | TookOver | Committed | Locked | Failed | Release


# Actions: what to do next.


@dataclass(frozen=True)
class Connect:
    """Open a session of our own; answer ``Connected`` or ``Failed``."""


@dataclass(frozen=True)
class Probe:
    """Look whether the row is free; keep its lock if so. Answer ``Probed`` or ``Failed``."""


@dataclass(frozen=True)
class TakeOver:
    """Write our name and a term above ``above``, COMMIT. Answer ``TookOver`` or ``Failed``."""

    above: int


@dataclass(frozen=True)
class Commit:
    """Renew in the open transaction and COMMIT. Answer ``Committed`` or ``Failed``."""


@dataclass(frozen=True)
class LockAgain:
    """Lock the row without waiting; answer ``Locked`` or ``Failed`` no later than ``until``."""

    until: float


@dataclass(frozen=True)
class Trust:
    """Publish: leading ``term`` until ``until``; NO_TRUST means not leading."""

    term: int
    until: float


@dataclass(frozen=True)
class Elected:
    """Tell everybody: this node leads ``term``."""

    term: int


@dataclass(frozen=True)
class SteppedDown:
    """Tell everybody: this node leads ``term`` no longer, because of ``reason``. In an ``orderly``
    end the row is given up, with the reason."""

    term: int
    reason: str
    orderly: bool = False


@dataclass(frozen=True)
class TermWentBack:
    """Alarm: the row shows ``found`` after ``seen`` had been seen; the database lost commits."""

    found: int
    seen: int


@dataclass(frozen=True)
class AwaitStandBy:
    """Wait until the scheduler dispatches no more, at most until ``until``."""

    until: float


@dataclass(frozen=True)
class LetGo:
    """ROLLBACK: give the row's lock back without a change."""


@dataclass(frozen=True)
class GiveUpRow:
    """Write ``locked_by = NULL`` and COMMIT, so that a follower need not wait."""

    term: int
    reason: str = RELEASED


@dataclass(frozen=True)
class Disconnect:
    """Close the session; nothing in it is to be trusted."""


@dataclass(frozen=True)
class Wait:
    """Send ``Tick`` at ``until``."""

    until: float


@dataclass(frozen=True)
class Stop:
    """The elector is done."""


Action = (
    Connect | Probe | TakeOver | Commit | LockAgain | Trust | Elected | SteppedDown
    | TermWentBack | AwaitStandBy | LetGo | GiveUpRow | Disconnect | Wait | Stop
)  # fmt: skip


@dataclass(frozen=True)
class State:
    """Everything the elector remembers between two events."""

    me: str
    timing: Timing
    phase: Phase = Phase.DISCONNECTED
    term: int = 0
    """The term we lead or try to lead; 0 when following. Known from the moment we ask for it."""
    sent: float = 0.0
    """When our last renewal was sent."""
    highest_term: int = 0
    """The highest term ever seen, by which a database that lost commits is noticed."""
    failures: int = 0
    local_locks: bool = True
    free_row: tuple[int, datetime | None] | None = None
    """Term and renewal of the row when it was last found unlocked ..."""
    free_since: float = 0.0
    """... and when it was first found so."""
    aside: tuple[int, float] = (0, 0.0)
    """The term that was given up because somebody asked for it, and until when the row is left to
    others while nobody has led after it."""

    @property
    def leads(self) -> bool:
        """Whether this node was told to be the leader and not yet to be none."""
        return self.phase in (Phase.LEADING, Phase.ROTATING)


def step(state: State, event: Event, now: float, jitter: float) -> tuple[State, list[Action]]:
    """One step. ``now`` is boottime seconds; ``jitter`` is drawn evenly from -1 … 1."""
    if state.phase is Phase.RELEASED:
        return state, []
    if isinstance(event, Release):
        return _release(state)
    if isinstance(event, Failed):
        return _doubt(state, event.reason, now, jitter)
    match state.phase, event:
        case Phase.DISCONNECTED, Tick():
            return state, [Connect()]
        case Phase.DISCONNECTED, Connected(local_locks):
            following = replace(
                state, phase=Phase.FOLLOWING, local_locks=local_locks, free_row=None
            )
            return following, [Probe()]
        case Phase.FOLLOWING, Tick():
            return state, [Probe()]
        case Phase.FOLLOWING, Probed(row):
            return _probed(state, row, now, jitter)
        case Phase.FOLLOWING, TookOver(term, sent):
            confirming = replace(
                state, phase=Phase.CONFIRMING, term=term, sent=sent, highest_term=term
            )
            return confirming, [LockAgain(trusted_between(sent, state.timing))]
        case Phase.CONFIRMING | Phase.ROTATING, Locked():
            return _locked(state, event, now, jitter)
        case Phase.LEADING, Tick():
            return _rotate(state, now)
        case Phase.ROTATING, Committed(sent):
            return replace(state, sent=sent), [LockAgain(trusted_between(sent, state.timing))]
    return _doubt(state, f"{type(event).__name__} in state {state.phase.value}", now, jitter)


def _poll(state: State, now: float, jitter: float) -> Wait:
    return Wait(now + state.timing.poll_s * (1 + 0.2 * jitter))


def _probed(
    state: State, row: LockRow | None, now: float, jitter: float
) -> tuple[State, list[Action]]:
    state = replace(state, failures=0)
    if row is None:
        return state, [_poll(state, now, jitter)]
    alarms: list[Action] = []
    if row.term < state.highest_term:
        alarms = [TermWentBack(row.term, state.highest_term)]
    highest = max(row.term, state.highest_term)
    state = replace(state, highest_term=highest)
    if state.free_row != (row.term, row.renewed_at):
        state = replace(state, free_row=(row.term, row.renewed_at), free_since=now)
    wait = takeover_in(
        row, state.timing, local_locks=state.local_locks, unchanged_s=now - state.free_since
    )
    given_up, until = state.aside
    if row.term == given_up and now < until:
        return state, [*alarms, LetGo(), _poll(state, now, jitter)]
    if wait == 0.0:
        return replace(state, term=highest + 1), [*alarms, TakeOver(above=highest)]
    # Not a whole poll if the row is to be had sooner: this wait is part of every failover that
    # happens to follow a renewal closely.
    poll = _poll(state, now, jitter)
    return state, [*alarms, LetGo(), Wait(min(poll.until, now + wait + HAIR_S))]


def _locked(state: State, event: Locked, now: float, jitter: float) -> tuple[State, list[Action]]:
    """The row is ours again, if it says so. A slow server may have let our trust lapse meanwhile;
    but nobody took the row, and nobody can now, so trust begins anew."""
    if (event.locked_by, event.term) != (state.me, state.term):
        return _lost(state, f"{event.locked_by} took term {event.term}", now, jitter)
    if now >= trusted_while_held(state.sent, state.timing):
        return _doubt(state, "the lock came back too late", now, jitter)
    if event.asked_by and state.leads:
        return _step_aside(state, event.asked_by, now, jitter)
    leading = replace(state, phase=Phase.LEADING)
    trust = Trust(state.term, trusted_while_held(state.sent, state.timing))
    news: list[Action] = [trust] if state.leads else [trust, Elected(state.term)]
    return leading, [*news, Wait(state.sent + state.timing.renew_s)]


def _step_aside(
    state: State, asked_by: str, now: float, jitter: float
) -> tuple[State, list[Action]]:
    """As orderly as a stop: trust ends, the scheduler stands by, then the row is given up."""
    reason = ASKED + asked_by
    stood_by = min(now + STAND_BY_S, trusted_while_held(state.sent, state.timing))
    following = replace(
        state, phase=Phase.FOLLOWING, term=0, sent=0.0, aside=(state.term, now + ASIDE_S)
    )
    return following, [
        Trust(state.term, NO_TRUST),
        SteppedDown(state.term, reason, orderly=True),
        AwaitStandBy(stood_by),
        GiveUpRow(state.term, reason),
        _poll(state, now, jitter),
    ]


def _rotate(state: State, now: float) -> tuple[State, list[Action]]:
    if now >= trusted_while_held(state.sent, state.timing):
        # We slept through our own trust (a stopped process, a paused machine).
        return _doubt(state, "woke up after the lease", now, 0.0)
    rotating = replace(state, phase=Phase.ROTATING)
    return rotating, [Trust(state.term, trusted_between(now, state.timing)), Commit()]


def _doubt(state: State, reason: str, now: float, jitter: float) -> tuple[State, list[Action]]:
    """Any error: not the leader, close the session, come back with backoff."""
    news = _down(state, reason)
    wait = delay(state.failures, first_s=state.timing.poll_s, cap_s=state.timing.renew_s)
    fresh = replace(state, phase=Phase.DISCONNECTED, term=0, sent=0.0, failures=state.failures + 1)
    return fresh, [*news, Disconnect(), Wait(now + wait * (1 + 0.2 * jitter))]


def _lost(state: State, reason: str, now: float, jitter: float) -> tuple[State, list[Action]]:
    """Somebody else leads; the session is sound, so follow at once."""
    news = _down(state, reason)
    fresh = replace(state, phase=Phase.FOLLOWING, term=0, sent=0.0)
    return fresh, [*news, LetGo(), _poll(state, now, jitter)]


def _down(state: State, reason: str) -> list[Action]:
    if not state.leads:
        return []
    return [Trust(state.term, NO_TRUST), SteppedDown(state.term, reason)]


def _release(state: State) -> tuple[State, list[Action]]:
    """Trust ends first, then the row is given up, then everybody is told."""
    released = replace(state, phase=Phase.RELEASED, term=0)
    if state.term == 0:
        return released, [Disconnect(), Stop()]
    news: list[Action] = [Trust(state.term, NO_TRUST), GiveUpRow(state.term)]
    if state.leads:
        news.append(SteppedDown(state.term, RELEASED, orderly=True))
    return released, [*news, Disconnect(), Stop()]
