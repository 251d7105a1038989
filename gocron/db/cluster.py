"""The state of the cluster as the database shows it: for ``gocron status``, panel and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, text

from gocron.db.dialects import Dialect
from gocron.db.engine import Database
from gocron.db.lock import LOCK_NAME, restore_lock_row
from gocron.db.models import Leadership
from gocron.db.naming import table
from gocron.db.nodes import LOST_AFTER_S


@dataclass(frozen=True)
class Leader:
    """Who leads. ``lease_age_s`` is the time since the last renewal, by the database's clock."""

    locked_by: str
    node_name: str
    term: int
    locked_at: datetime
    renewed_at: datetime
    expires_at: datetime
    lease_age_s: float


@dataclass(frozen=True)
class Process:
    """A child process of a node; ``phase`` is the name of a ``ChildPhase`` in small letters."""

    name: str
    phase: str
    pid: int
    restarts: int


@dataclass(frozen=True)
class Member:
    """A node as the others see it."""

    name: str
    host: str
    pid: int
    port: int
    version: str
    started_at: datetime
    heartbeat_age_s: float
    running: int
    state: str
    """``leader``, ``follower``, ``stopped`` or ``lost``."""
    processes: tuple[Process, ...] = ()
    """As of the last heartbeat; none from a version that does not report them."""
    step_down_by: str = ""
    """Who has asked this leader to step down, which it has yet to do."""

    @property
    def alive(self) -> bool:
        """Whether it shows that it lives."""
        return self.state in ("leader", "follower")

    @property
    def may_lead(self) -> bool:
        """Whether it takes part in elections, as far as it says how it is."""
        elector = next((one for one in self.processes if one.name == "elector"), None)
        return self.alive and (elector is None or elector.phase in ("running", "starting"))


@dataclass(frozen=True)
class Cluster:
    """One look; ``leader`` is None when nobody leads, or the lease of whoever led has run out."""

    now: datetime
    leader: Leader | None
    term: int
    members: tuple[Member, ...]
    lease_age_s: float | None
    """Since the last renewal of anybody's lease, also one that has run out; None before the
    first one."""


def look(database: Database) -> Cluster:
    """The cluster now."""
    moment, needed = database.dialect.read_time, database.dialect.instant
    with database.read() as connection:
        lock = connection.execute(
            text(
                "SELECT locked_by, node_name, term, locked_at, renewed_at, expires_at, "
                f"{database.dialect.clock} AS now FROM {table('scheduler_lock')} "
                "WHERE lock_name = :name"
            ),
            {"name": LOCK_NAME},
        ).one_or_none()
        now = needed(lock.now) if lock is not None else database.dialect.now(connection)
        nodes = connection.execute(
            text(f"SELECT * FROM {table('node')} WHERE forgotten_at IS NULL ORDER BY name")
        ).all()
    leader, age = None, None
    if lock is not None and lock.renewed_at is not None:
        renewed = needed(lock.renewed_at)
        age = max(0.0, (now - renewed).total_seconds())
        expires = moment(lock.expires_at)
        if lock.locked_by and expires is not None and expires > now:
            leader = Leader(
                lock.locked_by,
                lock.node_name or "",
                lock.term,
                needed(lock.locked_at),
                renewed,
                expires,
                age,
            )
    members = tuple(_member(node, now, leader, database.dialect) for node in nodes)
    return Cluster(now, leader, lock.term if lock is not None else 0, members, age)


def _member(node: Row[Any], now: datetime, leader: Leader | None, dialect: Dialect) -> Member:
    silent_s = (now - dialect.instant(node.heartbeat_at)).total_seconds()
    if node.stopped_at is not None:
        state = "stopped"
    elif silent_s > LOST_AFTER_S:
        state = "lost"
    else:
        state = "leader" if leader and leader.node_name == node.name else "follower"
    asked_at = dialect.read_time(node.step_down_at)
    asked = (
        leader is not None
        and state == "leader"
        and asked_at is not None
        and asked_at > leader.locked_at
    )
    return Member(
        node.name,
        node.host,
        node.pid,
        node.port,
        node.version,
        dialect.instant(node.started_at),
        max(0.0, silent_s),
        node.running,
        state,
        _processes(dialect.read_json(node.processes)),
        node.step_down_by if asked else "",
    )


def _processes(found: Any) -> tuple[Process, ...]:
    """What another version of gocron says differently is left out."""
    if not isinstance(found, list):
        return ()
    return tuple(
        Process(str(one["name"]), str(one["phase"]), int(one["pid"]), int(one["restarts"]))
        for one in found
        if isinstance(one, dict) and {"name", "phase", "pid", "restarts"} <= one.keys()
    )


_PAST = (
    Leadership.term,
    Leadership.node_name,
    Leadership.locked_by,
    Leadership.began_at,
    Leadership.ended_at,
    Leadership.end_reason,
)


@dataclass(frozen=True)
class PastTerm:
    """One leadership; ``ended_at`` is None while nobody has noticed its end."""

    term: int
    node_name: str
    locked_by: str
    began_at: datetime
    ended_at: datetime | None
    end_reason: str


def history(database: Database, limit: int, before: int | None = None) -> list[PastTerm]:
    """Who led, newest first; only terms below ``before``, if that is given."""
    wanted = select(*_PAST).order_by(Leadership.term.desc(), Leadership.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(Leadership.term < before)
    with database.read() as connection:
        return [PastTerm(*row) for row in connection.execute(wanted).all()]


def history_since(database: Database, since: datetime, limit: int) -> list[PastTerm]:
    """Who led after ``since``, oldest first; of very many the newest ``limit``."""
    wanted = (
        select(*_PAST)
        .where(or_(Leadership.ended_at.is_(None), Leadership.ended_at > since))
        .order_by(Leadership.term.desc(), Leadership.id.desc())
        .limit(limit)
    )
    with database.read() as connection:
        return [PastTerm(*row) for row in connection.execute(wanted).all()][::-1]


def lead_alone(
    database: Database, holder: str, node_name: str, last_sign: datetime | None = None
) -> int:
    """SQLite, one node, no election: begin a new term without a lock; the term. The one before it
    ended with the node's ``last_sign`` of life, if that is known.

    The row still names the leader, so that status, panel and claims work as everywhere else.
    """
    clock = database.dialect.clock
    with database.write() as connection:
        restore_lock_row(connection, database.dialect)
        values = {"name": LOCK_NAME, "holder": holder, "node": node_name}
        connection.execute(
            text(
                f"UPDATE {table('scheduler_lock')} SET locked_by = :holder, node_name = :node, "
                f"term = term + 1, locked_at = {clock}, renewed_at = {clock}, "
                "expires_at = '9999-12-31 00:00:00.000000' WHERE lock_name = :name"
            ),
            values,
        )
        term = int(
            connection.execute(
                text(f"SELECT term FROM {table('scheduler_lock')} WHERE lock_name = :name"), values
            ).scalar_one()
        )
        connection.execute(
            text(
                f"UPDATE {table('leadership')} SET ended_at = COALESCE(:last_sign, {clock}), "
                "end_reason = 'the node was started again' WHERE ended_at IS NULL"
            ),
            {"last_sign": database.dialect.time(last_sign)},
        )
        connection.execute(
            text(
                f"INSERT INTO {table('leadership')} "
                "(term, locked_by, node_name, began_at, end_reason) "
                f"VALUES (:term, :holder, :node, {clock}, '')"
            ),
            values | {"term": term},
        )
    return term
