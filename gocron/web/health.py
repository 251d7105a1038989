"""``/healthz``: this process answers. ``/readyz``: the node can do its work, or what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from gocron.board import CHILDREN, Board
from gocron.clock import boottime
from gocron.config import Settings
from gocron.core.child_state import ChildPhase
from gocron.db import migrate
from gocron.db.engine import Database, describe

ELECTOR_SILENT_S = 5.0


@dataclass(frozen=True)
class Readiness:
    """Empty ``problems`` means ready."""

    problems: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def readiness(settings: Settings, database: Database, board: Board) -> Readiness:
    """Look at the database, the schema and the children."""
    return Readiness((*_database_problems(database), *_child_problems(settings, board)))


def _database_problems(database: Database) -> list[str]:
    try:
        with database.read() as connection:
            problem = migrate.check(connection)
            if problem:
                return [problem]
            if database.dialect.is_read_only(connection):
                return ["the database server is read-only: this node can neither lead nor run"]
    except (SQLAlchemyError, OSError) as error:
        return [f"the database cannot be reached: {describe(error)}"]
    return []


def _child_problems(settings: Settings, board: Board) -> list[str]:
    problems = []
    for name in CHILDREN:
        if name == "web" or (name == "elector" and settings.single_node):
            continue
        phase = ChildPhase(board.child(name).phase)
        if phase is ChildPhase.FATAL:
            problems.append(f"the {name} kept dying and was given up on; see the log, restart")
        elif phase is not ChildPhase.RUNNING:
            problems.append(f"the {name} is not running ({phase.name.lower()})")
    if board.stopping:
        problems.append("the node is stopping")
    if not settings.single_node:
        silent = boottime() - board.trust().heard
        if silent > settings.renew_s + ELECTOR_SILENT_S:
            problems.append("the elector has had no answer from the database for a while")
    return problems
