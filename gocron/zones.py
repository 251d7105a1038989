"""Names of time zones: which are known, and which was probably meant. Everybody may import it."""

from __future__ import annotations

import difflib
import zoneinfo
from functools import lru_cache

_NO_ZONES = {"localtime", "posixrules", "Factory"}
"""Found among the zones of many systems; they mean something else on every node, or nothing."""


def problem(zone: str) -> str | None:
    """What is wrong with ``zone`` as the name of a time zone, in words; None if it is one."""
    if zone == "UTC" or zone in _zones():
        return None
    by_lower_case = {name.lower(): name for name in _zones()}
    wanted = zone[:64].lower().replace(" ", "_")
    close = difflib.get_close_matches(wanted, by_lower_case, n=1, cutoff=0.6)
    hint = f"did you mean {by_lower_case[close[0]]}?" if close else "for example Europe/Berlin"
    return f"{zone[:64]!r} is not known; IANA names are allowed, {hint}"


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NO_ZONES)
