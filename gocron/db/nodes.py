"""The members of the cluster: who they are, whether they live.

A node is known by its name. Registering draws a new ``incarnation``; whatever is left of an
earlier one can neither start runs nor report itself alive. Two live nodes with one name are told
apart by watching whether the other's heartbeat moves.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from gocron.core.identity import Identity
from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.naming import table
from gocron.errors import Conflict, IdentityTaken, NotFound
from gocron.sayings import say

HEARTBEAT_S = 5.0
LOST_AFTER_S = 15.0
"""A node whose heartbeat has not moved for this long is gone, and so is what it was running."""

WATCH_S = HEARTBEAT_S + 2.0


def boot_id() -> str:
    """Which boot of which machine, and which process namespace, pids of this process belong to.
    A container that was started again has a new one, even on the same machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"


@dataclass(frozen=True)
class Newcomer:
    """A node about to register."""

    name: str
    host: str
    pid: int
    port: int
    version: str


def register(
    database: Database, newcomer: Newcomer, sleep: Callable[[float], None] = time.sleep
) -> Identity:
    """Take the name for this start of the node. Raises ``IdentityTaken`` if a live node has it.

    Watches for up to ``WATCH_S`` seconds when it cannot be told at once.
    """
    waited = 0.0
    seen: datetime | None = None
    while True:
        found = _find(database, newcomer.name)
        if found is None or not _may_be_alive(database, found, newcomer):
            break
        beat = database.dialect.instant(found.heartbeat_at)
        if seen is not None and beat != seen:
            raise IdentityTaken(
                f"another live node calls itself {newcomer.name!r} ({found.host}, process "
                f"{found.pid}); give this one a name of its own: GOCRON_NODE_NAME or node.name "
                "in conf/app.ini"
            )
        if waited >= WATCH_S:
            break
        seen = beat
        sleep(0.25)
        waited += 0.25
    return _write(database, newcomer)


def _find(database: Database, name: str) -> Row[Any] | None:
    with database.read() as connection:
        return connection.execute(
            text(
                f"SELECT id, host, pid, boot_id, heartbeat_at, stopped_at, "
                f"{database.dialect.clock} AS now FROM {table('node')} WHERE name = :name"
            ),
            {"name": name},
        ).one_or_none()


def _may_be_alive(database: Database, found: Row[Any], newcomer: Newcomer) -> bool:
    if found.stopped_at is not None:
        return False
    moment = database.dialect.instant
    if moment(found.now) - moment(found.heartbeat_at) > timedelta(seconds=LOST_AFTER_S):
        return False
    if found.boot_id == boot_id():
        return found.pid != newcomer.pid and _process_exists(found.pid)
    # The same host name under another boot or another container: its processes may be gone, but
    # only its silence proves that.
    return True


def _process_exists(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _write(database: Database, newcomer: Newcomer) -> Identity:
    incarnation = uuid.uuid4().hex
    values = {
        "name": newcomer.name,
        "incarnation": incarnation,
        "host": newcomer.host[:255],
        "pid": newcomer.pid,
        "boot_id": boot_id(),
        "version": newcomer.version[:32],
        "port": newcomer.port,
    }

    def work(connection: Connection) -> int:
        clock = database.dialect.clock
        columns = ", ".join(values)
        connection.execute(
            text(
                f"INSERT INTO {table('node')} ({columns}, started_at, heartbeat_at, running) "
                f"SELECT {', '.join(':' + column for column in values)}, {clock}, {clock}, 0 "
                f"WHERE NOT EXISTS (SELECT 1 FROM {table('node')} WHERE name = :name)"
                # Two may ask for a new name at the same moment; the key is not used up for nothing.
                f"{database.dialect.ignore_conflicts(table('node'), 'name')}"
            ),
            values,
        )
        assignments = ", ".join(f"{column} = :{column}" for column in values)
        connection.execute(
            text(
                f"UPDATE {table('node')} SET {assignments}, started_at = {clock}, "
                f"heartbeat_at = {clock}, stopped_at = NULL, running = 0, processes = NULL, "
                "step_down_at = NULL, forgotten_at = NULL WHERE name = :name"
            ),
            values,
        )
        return int(
            connection.execute(
                text(f"SELECT id FROM {table('node')} WHERE name = :name"), values
            ).scalar_one()
        )

    node_id = database.transact(work)
    return Identity(node_id, newcomer.name, incarnation, newcomer.host, newcomer.pid)


def heartbeat(
    database: Database,
    me: Identity,
    running: int,
    processes: Sequence[Mapping[str, object]] = (),
) -> bool:
    """Say that this node lives, and how its ``processes`` are; False if the name belongs to a later
    start of it, or to another node (then this one must not go on)."""

    def work(connection: Connection) -> bool:
        updated = connection.execute(
            text(
                f"UPDATE {table('node')} SET heartbeat_at = {database.dialect.clock}, "
                "running = :running, stopped_at = NULL, forgotten_at = NULL, "
                f"processes = {database.dialect.as_json(':processes')} "
                "WHERE id = :id AND incarnation = :incarnation"
            ),
            {
                "running": running,
                "processes": json.dumps(list(processes)),
                "id": me.id,
                "incarnation": me.incarnation,
            },
        ).rowcount
        return updated == 1

    return database.transact(work)


def stopped(database: Database, me: Identity) -> None:
    """The node has ended in good order."""
    database.transact(
        lambda connection: connection.execute(
            text(
                f"UPDATE {table('node')} SET stopped_at = {database.dialect.clock}, running = 0 "
                "WHERE id = :id AND incarnation = :incarnation"
            ),
            {"id": me.id, "incarnation": me.incarnation},
        )
    )


def forget(database: Database, name: str, actor: Actor) -> None:
    """Leave a node that has stopped or is lost out of all lists, until it shows itself again. Its
    row stays, because runs name it. Raises ``NotFound``, and ``Conflict`` if it lives."""
    dialect = database.dialect

    def work(connection: Connection) -> None:
        found = connection.execute(
            text(
                f"SELECT id, forgotten_at FROM {table('node')} WHERE name = :name"
                f"{dialect.for_update}"
            ),
            {"name": name},
        ).one_or_none()
        if found is None or found.forgotten_at is not None:
            raise NotFound(say("there is no node %(name)s (any more)", name=repr(name)))
        silent = dialect.time(dialect.now(connection) - timedelta(seconds=LOST_AFTER_S))
        forgotten = connection.execute(
            text(
                f"UPDATE {table('node')} SET forgotten_at = {dialect.clock} WHERE id = :id "
                "AND (stopped_at IS NOT NULL OR heartbeat_at < :silent)"
            ),
            {"id": found.id, "silent": silent},
        ).rowcount
        if not forgotten:
            raise Conflict(
                say(
                    "node %(name)s is alive; only one that has stopped can be forgotten",
                    name=repr(name),
                )
            )
        audit.record(connection, dialect, actor, "node.forget", name)

    database.transact(work)


def last_sign_of_life(database: Database) -> datetime | None:
    """When any node was last known to live; None if there has never been one."""
    with database.read() as connection:
        found = connection.execute(
            text(f"SELECT MAX(COALESCE(stopped_at, heartbeat_at)) FROM {table('node')}")
        ).scalar_one()
    return database.dialect.read_time(found)


@dataclass(frozen=True)
class Pulse:
    """A node's last sign of life, by the database's clock."""

    node_id: int
    name: str
    heartbeat_at: datetime
    age_s: float
    stopped: bool


def pulses(database: Database) -> list[Pulse]:
    """All nodes' signs of life."""
    moment = database.dialect.instant
    with database.read() as connection:
        found = connection.execute(
            text(
                f"SELECT id, name, heartbeat_at, stopped_at, {database.dialect.clock} AS now "
                f"FROM {table('node')}"
            )
        ).all()
    return [
        Pulse(
            row.id,
            row.name,
            moment(row.heartbeat_at),
            (moment(row.now) - moment(row.heartbeat_at)).total_seconds(),
            row.stopped_at is not None,
        )
        for row in found
    ]
