"""What a spec says: text in, time zone and rhythm out. Pure, but for zone data.

Used by ``gocron.core.timetable``, ``words`` and ``preview``. A new kind of schedule is one more
``Rhythm`` and one more word with an ``@`` here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gocron import zones
from gocron.core.cron_calendar import CronCalendar
from gocron.core.cron_fields import parse_fields
from gocron.core.daylight import ElapsedTimes, FixedTimes
from gocron.core.one_time import at
from gocron.core.rhythm import Never, Rhythm, every
from gocron.errors import InvalidSchedule
from gocron.sayings import inside, say

MAX_SPEC_LENGTH = 255

SHORTCUTS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_REBOOT = "@reboot"

_ZONE_PREFIX = re.compile(r"(?:CRON_)?TZ=(\S*)\s*")


class Understood(NamedTuple):
    """The spec without blanks around it, the zone of its local times, and its UTC seconds."""

    spec: str
    zone: str
    rhythm: Rhythm


def understood(spec: str, zone: str, seed: str) -> Understood:
    """What ``spec`` says; ``CRON_TZ=Zone`` in front of it overrides ``zone``. Raises
    InvalidSchedule."""
    uses_seed = "h" in spec[:MAX_SPEC_LENGTH].lower()  # or has a THU; then it is kept once more
    return _understood(spec, zone, seed if uses_seed else "")


@lru_cache(maxsize=16_384)
def _understood(spec: str, zone: str, seed: str) -> Understood:
    if len(spec) > MAX_SPEC_LENGTH:
        raise InvalidSchedule(
            say(
                "the schedule has %(length)s characters; at most %(most)s are allowed",
                length=len(spec),
                most=MAX_SPEC_LENGTH,
            )
        )
    if not (spec.isascii() and spec.replace("\t", " ").isprintable()):
        raise InvalidSchedule(
            say(
                "the schedule %(spec)s has a character that does not belong there; "
                "allowed are ASCII letters, digits, signs, blanks and tabs, on one line",
                spec=repr(spec),
            )
        )
    text = spec.strip()
    if prefix := _ZONE_PREFIX.match(text):
        zone, text = prefix[1], text[prefix.end() :]
    if problem := zones.problem(zone):
        raise InvalidSchedule(inside([say("time zone")], problem))
    return Understood(spec.strip(), zone, _rhythm(text, zone, seed))


def _rhythm(text: str, zone: str, seed: str) -> Rhythm:
    if not text:
        raise InvalidSchedule(say("the schedule is empty; every five minutes is '*/5 * * * *'"))
    if text.startswith("@"):
        word, _, rest = text.replace("\t", " ").partition(" ")
        match word.lower():
            case "@every":
                return every(rest.strip())
            case "@at":
                return at(rest.strip(), zone)
        if text.lower() == _REBOOT:
            return Never()
        text = _shortcut(text)
    fields = parse_fields(text, seed)
    follows_elapsed_time = fields.hour.starred
    kind = ElapsedTimes if follows_elapsed_time else FixedTimes
    return kind(CronCalendar.of(fields), zone)


def _shortcut(text: str) -> str:
    """The fields that ``@daily`` and the like stand for."""
    if text.lower() not in SHORTCUTS:
        known = ", ".join([*SHORTCUTS, _REBOOT])
        raise InvalidSchedule(
            say(
                "%(text)s is not known; there are %(known)s, '@every 1h30m' and '@at "
                "2026-12-24T18:00'",
                text=repr(text),
                known=known,
            )
        )
    return SHORTCUTS[text.lower()]
