"""An authenticator app, and a clock that does not go on to the next thirty seconds meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from gocron.db.engine import Database

KEY = "a secret key of tests, and of nothing else"
"""As GOCRON_SECRET_KEY."""

STEP = timedelta(seconds=30)


def stop_clock(monkeypatch: pytest.MonkeyPatch, database: Database) -> datetime:
    """The database's clock stands in the middle of these thirty seconds."""
    now = int(datetime.now(UTC).timestamp())
    stands = datetime.fromtimestamp(now - now % 30 + 15, UTC)
    monkeypatch.setattr(database.dialect, "now", lambda _connection: stands)
    return stands


@dataclass(frozen=True)
class Authenticator:
    """On somebody's phone."""

    secret: str
    now: datetime

    def code(self, steps: int = 0) -> str:
        """Of now, or of so many steps later."""
        return pyotp.TOTP(self.secret).at(self.now + steps * STEP)
