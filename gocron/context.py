"""What the views of a node's web process need to know of it. For ``gocron.web`` and ``admin``."""

from __future__ import annotations

from dataclasses import dataclass

from gocron.board import Board
from gocron.config import Settings
from gocron.core.identity import Identity
from gocron.db.engine import Database


@dataclass(frozen=True)
class Context:
    """In ``app.extensions['gocron']``."""

    settings: Settings
    identity: Identity
    database: Database
    board: Board
