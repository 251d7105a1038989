"""What the views of a node's web process need to know of it. For ``gocron.web`` and ``admin``."""

from __future__ import annotations

from dataclasses import dataclass

from gocron.board import Board
from gocron.config import Settings
from gocron.core.identity import Identity
from gocron.core.sealing import Seal
from gocron.db.engine import Database


@dataclass(frozen=True)
class Context:
    """In ``app.extensions['gocron']``."""

    settings: Settings
    identity: Identity
    database: Database
    board: Board

    @property
    def seal(self) -> Seal:
        """Seals and opens stored secrets."""
        key = self.settings.secret_key
        return Seal(None if key is None else key.get_secret_value())
