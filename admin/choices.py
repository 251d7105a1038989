"""What the choices of a task's form are called: words for every policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from wtforms.fields import SelectChoice

from gocron.core.states import Backoff, Misfire, OnLost, Overlap, Protocol

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

PROTOCOL_WORDS: Mapping[StrEnum, str] = {
    Protocol.SHELL: "Shell command",
    Protocol.HTTP: "HTTP request",
}
OVERLAP_WORDS: Mapping[StrEnum, str] = {
    Overlap.SKIP: "Skip the new run",
    Overlap.PARALLEL: "Start it all the same",
    Overlap.QUEUE: "Let one wait for its end, skip further ones",
    Overlap.REPLACE: "Stop the one before, then start it",
}
MISFIRE_WORDS: Mapping[StrEnum, str] = {
    Misfire.RUN_ONCE: "Run once, for the newest; note the rest as missed",
    Misfire.SKIP: "Do not run; note all as missed",
    Misfire.RUN_ALL: "Run for each of them, oldest first",
}
BACKOFF_WORDS: Mapping[StrEnum, str] = {
    Backoff.FIXED: "Stays the same",
    Backoff.EXPONENTIAL: "Doubles every time",
}
ON_LOST_WORDS: Mapping[StrEnum, str] = {
    OnLost.FAIL: "Leave it: it may have had its effect",
    OnLost.RERUN: "Run it again on another node",
}
RETRY_ON_WORDS: Mapping[str, str] = {
    "failed": "It failed",
    "timeout": "It took longer than its time limit",
    "lost": "Its node died",
}


def choices(words: Mapping[StrEnum, str], policies: Iterable[StrEnum]) -> list[SelectChoice]:
    """Every policy there is, also one that has no words here yet."""
    return [SelectChoice(str(policy), words.get(policy, str(policy))) for policy in policies]
