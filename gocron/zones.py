"""Names of time zones: which are known, and which was probably meant. Everybody may import it."""

from __future__ import annotations

import difflib
import zoneinfo
from functools import lru_cache

from gocron.sayings import say

_NO_ZONES = {"localtime", "posixrules", "Factory"}
"""Found among the zones of many systems; they mean something else on every node, or nothing."""


def problem(zone: str) -> str | None:
    """What is wrong with ``zone`` as the name of a time zone, in words; None if it is one."""
    if zone == "UTC" or zone in _zones():
        return None
    by_lower_case = {name.lower(): name for name in _zones()}
    wanted = zone[:64].lower().replace(" ", "_")
    close = difflib.get_close_matches(wanted, by_lower_case, n=1, cutoff=0.6)
    hint = (
        say("did you mean %(zone)s?", zone=by_lower_case[close[0]])
        if close
        else say("for example Europe/Berlin")
    )
    return say(
        "%(zone)s is not known; IANA names are allowed, %(hint)s", zone=repr(zone[:64]), hint=hint
    )


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NO_ZONES)
