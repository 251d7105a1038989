"""The row of ``scheduler_lock`` that decides who leads, and the session that holds it.

``LockSession`` does what ``core.leadership`` asks for, one method an action. It belongs to one
process (the elector), has one connection of its own, and every transaction in it starts by telling
the server to end it if we fall silent. Any exception means: close the session, nothing is ours.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from gocron.clock import boottime
from gocron.config import Settings
from gocron.core.leadership import RELEASED, Locked
from gocron.core.lease import LockRow
from gocron.db.dialects import DIALECTS, Dialect
from gocron.db.engine import is_lock_taken, make_single_connection_engine
from gocron.db.naming import table

log = logging.getLogger("gocron.elector")

LOCK_NAME = "scheduler_leader"
READ_ONLY = "the database server is read-only: this node cannot lead through it"


class NotHeld(Exception):
    """The row should have been ours to write, and was not."""


class LockLost(Exception):
    """Somebody else locked the row between two of our transactions."""


class ReadOnlyServer(Exception):
    """The server takes no writes, so nobody may lead through it."""


def restore_lock_row(connection: Connection, dialect: Dialect) -> None:
    """Create the row if somebody has deleted it: without it nobody could ever lead. Its term lives
    on in the history, so that a new row does not start below what claims have seen."""
    lock = table("scheduler_lock")
    connection.execute(
        text(
            f"INSERT INTO {lock} (lock_name, term) "
            f"SELECT :name, COALESCE(MAX(term), 0) FROM {table('leadership')} "
            f"WHERE 1 = 1{dialect.ignore_conflicts(lock, 'lock_name')}"
        ),
        {"name": LOCK_NAME},
    )


class LockSession:
    """One connection to the lock row. ``me`` is ``host:pid``; ``node_name`` goes with it."""

    def __init__(self, settings: Settings, me: str, node_name: str) -> None:
        self._dialect = DIALECTS[settings.db.engine]
        self._lease_s = settings.lease_s
        self._engine = make_single_connection_engine(settings, silence_s=settings.lease_s / 3)
        self._me = me
        self._node_name = node_name
        self._connection: Connection | None = None
        self._lock = table("scheduler_lock")
        self._history = table("leadership")
        self._node = table("node")

    # session ----------------------------------------------------------------------------------

    def connect(self) -> bool:
        """Open the session; True if row locks reach every server that accepts writes.

        Raises ``ReadOnlyServer``, or what the driver raises.
        """
        self._connection = self._engine.connect()
        self._begin()
        if self._dialect.is_read_only(self._open):
            raise ReadOnlyServer(READ_ONLY)
        local = self._dialect.locks_are_local(self._open)
        self._rollback()
        if local:
            log.warning(
                "several servers accept writes for this database: row locks do not reach the "
                "others, so a takeover waits for the lease"
            )
        return not local

    def close(self) -> None:
        """Drop the connection; the server rolls back what was open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Not close(): that would first try to roll back, over a wire that may be dead.
            connection.invalidate()
            connection.close()

    # actions of the state machine -------------------------------------------------------------

    def probe(self) -> LockRow | None:
        """Try to lock the row without waiting; None if somebody holds it. The lock is kept."""
        self._rollback()
        self._begin()
        row = self._select_skipping()
        if row is None:
            exists = self._open.execute(
                text(f"SELECT 1 FROM {self._lock} WHERE lock_name = :name"), {"name": LOCK_NAME}
            ).first()
            self._rollback()
            if exists is None:
                self._recreate()
            return None
        return row

    def take_over(self, above: int) -> tuple[int, float]:
        """Become the holder of the row just probed: (new term, when it was sent). Commits."""
        if self._dialect.is_read_only(self._open):
            raise ReadOnlyServer(READ_ONLY)
        sent = boottime()
        term = above + 1
        self._close_silent("its leader fell silent: taken over by " + self._me)
        changed = self._open.execute(
            text(
                f"UPDATE {self._lock} SET locked_by = :me, node_name = :node, term = :term, "
                f"locked_at = {self._clock}, renewed_at = {self._clock}, "
                f"expires_at = {self._clock} + {self._interval} WHERE lock_name = :name"
            ),
            {"me": self._me, "node": self._node_name, "term": term, "name": LOCK_NAME},
        ).rowcount
        if changed != 1:
            raise NotHeld("the lock row vanished while it was taken")
        self._open.execute(
            text(
                f"INSERT INTO {self._history} (term, locked_by, node_name, began_at, end_reason) "
                f"VALUES (:term, :me, :node, {self._clock}, '')"
            ),
            {"term": term, "me": self._me, "node": self._node_name},
        )
        self._commit()
        return term, sent

    def renew_and_commit(self, term: int) -> float:
        """Write the renewal into the open transaction and commit; when it was sent."""
        sent = boottime()
        changed = self._open.execute(
            text(
                f"UPDATE {self._lock} SET renewed_at = {self._clock}, "
                f"expires_at = {self._clock} + {self._interval} "
                "WHERE lock_name = :name AND locked_by = :me AND term = :term"
            ),
            {"me": self._me, "term": term, "name": LOCK_NAME},
        ).rowcount
        if changed != 1:
            raise NotHeld("the lock row is not ours any more")
        self._commit()
        return sent

    def lock_again(self, until: float, sleep: Callable[[float], None]) -> Locked:
        """Lock the row and say what stands in it; tries without waiting until ``until``."""
        while True:
            self._begin()
            row = self._select_skipping()
            if row is not None:
                return Locked(row.locked_by, row.term, self._asked_to_step_down())
            self._rollback()
            if boottime() >= until:
                raise LockLost("the lock was not to be had again in time")
            sleep(0.005)

    def give_up(self, term: int, reason: str = RELEASED) -> None:
        """Leave the row to whoever comes first, and say why in the history. Commits; then a wish
        that is fulfilled by this is forgotten."""
        self._open.execute(
            text(
                f"UPDATE {self._lock} SET locked_by = NULL, expires_at = {self._clock} "
                "WHERE lock_name = :name AND locked_by = :me AND term = :term"
            ),
            {"me": self._me, "term": term, "name": LOCK_NAME},
        )
        self._close_history(reason, term)
        self._commit()
        self._begin()
        self._open.execute(
            text(
                f"UPDATE {self._node} SET step_down_at = NULL "
                "WHERE name = :me AND step_down_at IS NOT NULL"
            ),
            {"me": self._node_name},
        )
        self._commit()

    def let_go(self) -> None:
        """Give the row's lock back without a change."""
        self._rollback()

    def end_history(self, term: int, reason: str) -> None:
        """Write into the history why ``term`` ended; only if nobody has yet."""
        self._rollback()
        self._begin()
        self._close_history(reason, term)
        self._commit()

    # details ----------------------------------------------------------------------------------

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise NotHeld("the session is closed")
        return self._connection

    @property
    def _clock(self) -> str:
        return self._dialect.clock

    @property
    def _interval(self) -> str:
        return self._dialect.interval(self._lease_s)

    def _begin(self) -> None:
        """Every transaction starts with the server's promise to end it if we fall silent."""
        self._dialect.prepare_elector(self._open, self._lease_s)

    def _commit(self) -> None:
        self._open.commit()

    def _rollback(self) -> None:
        self._open.rollback()

    def _select_skipping(self) -> LockRow | None:
        """SKIP LOCKED never waits, so the clock in the same statement is not computed early."""
        found = self._open.execute(
            text(
                "SELECT locked_by, term, renewed_at, expires_at, "
                f"{self._clock} AS now FROM {self._lock} "
                f"WHERE lock_name = :name{self._dialect.skip_locked}"
            ),
            {"name": LOCK_NAME},
        ).one_or_none()
        if found is None:
            return None
        moment = self._dialect.read_time
        now = moment(found.now)
        assert isinstance(now, datetime)
        return LockRow(
            found.locked_by, found.term, moment(found.renewed_at), moment(found.expires_at), now
        )

    def _asked_to_step_down(self) -> str:
        """Who has asked for it since this leadership began; "" if nobody has. A plain read: the row
        of the node is never locked by us while we hold the lock."""
        asked = self._open.execute(
            text(
                f"SELECT n.step_down_by FROM {self._node} n JOIN {self._lock} l "
                "ON l.node_name = n.name WHERE l.lock_name = :name AND n.name = :me "
                "AND n.step_down_at > l.locked_at"
            ),
            {"name": LOCK_NAME, "me": self._node_name},
        ).scalar_one_or_none()
        return str(asked or "")

    def _recreate(self) -> None:
        log.error("the lock row was missing: it is created again")
        self._begin()
        try:
            restore_lock_row(self._open, self._dialect)
        except DBAPIError as error:
            if not is_lock_taken(error):
                raise
            # Somebody was faster, and holds the new row already: MySQL waits for its lock even
            # to find that there is nothing to insert.
            self._rollback()
            return
        self._commit()

    def _close_silent(self, reason: str) -> None:
        """Whoever led last did so until its lease ran out, at the longest: before the row forgets
        when that was."""
        self._open.execute(
            text(
                f"UPDATE {self._history} SET end_reason = :reason, ended_at = ("
                f"SELECT CASE WHEN expires_at < {self._clock} THEN expires_at "
                f"ELSE {self._clock} END FROM {self._lock} WHERE lock_name = :name) "
                "WHERE ended_at IS NULL"
            ),
            {"reason": reason[:255], "name": LOCK_NAME},
        )

    def _close_history(self, reason: str, term: int | None = None) -> None:
        where = "term = :term AND " if term is not None else ""
        self._open.execute(
            text(
                f"UPDATE {self._history} SET ended_at = {self._clock}, end_reason = :reason "
                f"WHERE {where}ended_at IS NULL"
            ),
            {"reason": reason[:255], **({"term": term} if term is not None else {})},
        )
