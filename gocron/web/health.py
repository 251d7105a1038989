"""``/healthz``: this process answers. ``/readyz``: the node can do its work, or what is wrong.

Anybody may ask, so an answer names what is wrong, but neither addresses nor accounts: those are in
the log, once for each change.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from gocron.board import CHILDREN, Board
from gocron.clock import boottime
from gocron.config import Settings
from gocron.core.child_state import ChildPhase
from gocron.db import migrate
from gocron.db.engine import Database, describe
from gocron.web.lookout import Lookout, NoAnswer

log = logging.getLogger("gocron.web")

ANSWER_WITHIN_S = 2.0
"""Whoever asks is answered after this long at the latest."""

ELECTOR_SILENT_S = 5.0


@dataclass(frozen=True)
class Readiness:
    """Empty ``problems`` means ready."""

    problems: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class Health:
    """Looks at the database, the schema and the children."""

    def __init__(self, settings: Settings, database: Database, board: Board) -> None:
        self._settings = settings
        self._board = board
        self._database = Lookout("health", lambda: _look(database), ANSWER_WITHIN_S)
        self._said = ""

    def readiness(self) -> Readiness:
        """Whether this node can do its work now."""
        database, details = self._database_problems()
        found = Readiness((*database, *_child_problems(self._settings, self._board)))
        self._say("; ".join((*details, *found.problems)))
        return found

    def _database_problems(self) -> tuple[list[str], list[str]]:
        """What may be told to anybody, and what only the log may know."""
        try:
            return self._database.answer(), []
        except NoAnswer as error:
            return [f"the database does not answer ({error})"], []
        except (SQLAlchemyError, OSError) as error:
            return ["the database cannot be reached; the log says why"], [describe(error)]

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            if words:
                log.warning("not ready: %s", words)
            else:
                log.info("ready")


def _look(database: Database) -> list[str]:
    with database.read() as connection:
        problem = migrate.check(connection)
        if problem:
            return [problem]
        if database.dialect.is_read_only(connection):
            return ["the database server is read-only: this node can neither lead nor run"]
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
