"""What the choices of a task's form are called: words for every policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from flask_babel import lazy_gettext as _
from wtforms.fields import SelectChoice

from gocron.core.states import Backoff, Misfire, OnLost, Overlap, Protocol

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

PROTOCOL_WORDS: Mapping[StrEnum, str] = {
    Protocol.SHELL: _("Shell command"),
    Protocol.HTTP: _("HTTP request"),
}
OVERLAP_WORDS: Mapping[StrEnum, str] = {
    Overlap.SKIP: _("Skip the new run"),
    Overlap.PARALLEL: _("Start it all the same"),
    Overlap.QUEUE: _("Let one wait for its end, skip further ones"),
    Overlap.REPLACE: _("Stop the one before, then start it"),
}
MISFIRE_WORDS: Mapping[StrEnum, str] = {
    Misfire.RUN_ONCE: _("Run once, for the newest; note the rest as missed"),
    Misfire.SKIP: _("Do not run; note all as missed"),
    Misfire.RUN_ALL: _("Run for each of them, oldest first"),
}
BACKOFF_WORDS: Mapping[StrEnum, str] = {
    Backoff.FIXED: _("Stays the same"),
    Backoff.EXPONENTIAL: _("Doubles every time"),
}
ON_LOST_WORDS: Mapping[StrEnum, str] = {
    OnLost.FAIL: _("Leave it: it may have had its effect"),
    OnLost.RERUN: _("Run it again on another node"),
}
RETRY_ON_WORDS: Mapping[str, str] = {
    "failed": _("It failed"),
    "timeout": _("It took longer than its time limit"),
    "lost": _("Its node died"),
}


def choices(words: Mapping[StrEnum, str], policies: Iterable[StrEnum]) -> list[SelectChoice]:
    """Every policy there is, also one that has no words here yet."""
    return [SelectChoice(str(policy), words.get(policy, str(policy))) for policy in policies]
