"""Everything that needs the database before a node starts, in a process that ends afterwards.

The parent itself never connects. What this process finds out comes back over a pipe; what is wrong
comes back as the paragraph that the user is shown.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass

from sqlalchemy.exc import SQLAlchemyError

import gocron
from gocron import logs
from gocron.config import Settings
from gocron.core.identity import Identity
from gocron.db import cluster, migrate, nodes, users
from gocron.db.engine import Database, unavailable
from gocron.db.requirements import require_writable
from gocron.errors import GocronError


@dataclass(frozen=True)
class Prepared:
    """What the parent learns. ``first_password`` is shown once, on a quick start only."""

    identity: Identity
    alone_term: int
    first_password: str
    has_users: bool


def prepare_in_child(settings: Settings) -> Prepared:
    """Fork, prepare, wait. Raises ``GocronError`` with what was wrong."""
    receive, send = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        os._exit(_child(settings, send, parent))
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise GocronError("the preparation of the database ended without an answer; see the log")
    result = json.loads(answer)
    if "error" in result:
        raise GocronError(result["error"])
    return Prepared(**result | {"identity": Identity(**result["identity"])})


def _child(settings: Settings, send: int, parent: int) -> int:
    logs.configure(settings.log_format, settings.log_level)
    try:
        result = asdict(prepare(settings, parent))
        code = 0
    except GocronError as error:
        result, code = {"error": str(error)}, 1
    with os.fdopen(send, "wb") as pipe:
        pipe.write(json.dumps(result).encode())
    return code


def prepare(settings: Settings, parent: int) -> Prepared:
    """Check the server, migrate, take the node's name, make the first administrator."""
    database = Database(settings, size=2)
    try:
        with database.read() as connection:
            server = database.dialect.check_server(connection)
            require_writable(server, database.dialect.is_read_only(connection))
        migrate.upgrade(database)
        return _register(settings, database, parent)
    except (SQLAlchemyError, OSError) as error:
        raise unavailable(settings, error) from error
    finally:
        database.close()


def _register(settings: Settings, database: Database, parent: int) -> Prepared:
    newcomer = nodes.Newcomer(
        settings.node_name, socket.gethostname(), parent, settings.web_port, gocron.__version__
    )
    last_sign = nodes.last_sign_of_life(database)
    identity = nodes.register(database, newcomer)
    term = 0
    if settings.single_node:
        term = cluster.lead_alone(database, identity.holder, identity.name, last_sign)
    shown = _first_administrator(settings, database)
    return Prepared(identity, term, shown, users.count(database) > 0)


def _first_administrator(settings: Settings, database: Database) -> str:
    """From GOCRON_ADMIN_*; with a drawn password on a SQLite quick start. The password to show."""
    given = settings.admin_password
    if given is not None:
        users.create_first(
            database, settings.admin_username, given.get_secret_value(), settings.admin_email
        )
        return ""
    if not settings.single_node:
        return ""
    drawn = secrets.token_urlsafe(9)
    created = users.create_first(database, settings.admin_username, drawn, settings.admin_email)
    return drawn if created else ""
