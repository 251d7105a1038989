"""When a task is due: a spec and a time zone in, slots out. Pure: no clock, and no I/O but the
time zone data of zoneinfo.

Anyone above may import it; the other modules of a schedule (``rhythm``, ``cron_fields``,
``cron_calendar``, ``daylight``) are its parts. All instants are aware datetimes; those that come
out are UTC and whole seconds. Slots lie between 1970 and the year 9000.

    spec ──▶ cron_fields ──▶ cron_calendar ──▶ daylight ──▶ Timetable
             text, checked   local times       UTC seconds   datetimes
    @every 1h30m ─────────▶ rhythm ──────────────────────▶ Timetable

A new kind of schedule (``@at`` …) is one more ``Rhythm`` and one more line in ``_AT_WORDS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from gocron import zones
from gocron.core.cron_calendar import CronCalendar
from gocron.core.cron_fields import parse_fields
from gocron.core.daylight import ElapsedTimes, FixedTimes
from gocron.core.rhythm import Rhythm, every
from gocron.errors import InvalidSchedule

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
_AT_WORDS: dict[str, Callable[[str], Rhythm]] = {"@every": every}
_NOT_SUPPORTED = {"@at": "one single run", "@reboot": "a run at every start"}

_ZONE_PREFIX = re.compile(r"(?:CRON_)?TZ=(\S*)\s*")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_S = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The slots of a schedule, in ascending order and each one once."""

    spec: str
    zone: str
    rhythm: Rhythm

    def next_after(self, instant: datetime) -> datetime | None:
        """The first slot strictly after ``instant``; None if there is none."""
        second = self.rhythm.first_from(_second_after(instant))
        return None if second is None or second >= _END_S else _instant(second)

    def latest_at_or_before(self, instant: datetime) -> datetime | None:
        """The newest slot up to and including ``instant``; None if there was none. As cheap as
        ``next_after``, however many slots there were before."""
        second = self.rhythm.last_before(_second_after(instant))
        return None if second is None or second < 0 else _instant(second)

    def between(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """The slots with ``after < slot <= until``, the first ``limit`` of them."""
        slots: list[datetime] = []
        stop = _second_after(until)
        second = self.rhythm.first_from(_second_after(after))
        while second is not None and second < stop and len(slots) < limit:
            slots.append(_instant(second))
            second = self.rhythm.first_from(second + 1)
        return slots

    def count(self, after: datetime, until: datetime, limit: int) -> int:
        """How many slots ``after < slot <= until`` there are; ``limit`` means: that many or
        more. The work grows with the days in between, not with the slots."""
        return self.rhythm.count(_second_after(after), _second_after(until), limit)


@lru_cache(maxsize=16_384)
def parse(spec: str, zone: str) -> Timetable:
    """The timetable of ``spec``, whose local times are those of ``zone`` (an IANA name).

    ``CRON_TZ=Zone`` (or ``TZ=Zone``) in front of the spec overrides ``zone``. Raises
    InvalidSchedule with a message that says what was found and what is allowed. Takes a bounded
    time whatever the text is.
    """
    if len(spec) > MAX_SPEC_LENGTH:
        raise InvalidSchedule(
            f"the schedule has {len(spec)} characters; at most {MAX_SPEC_LENGTH} are allowed"
        )
    if not (spec.isascii() and spec.replace("\t", " ").isprintable()):
        raise InvalidSchedule(
            f"the schedule {spec!r} has a character that does not belong there; "
            "allowed are ASCII letters, digits, signs, blanks and tabs, on one line"
        )
    text = spec.strip()
    if prefix := _ZONE_PREFIX.match(text):
        zone, text = prefix[1], text[prefix.end() :]
    _check_zone(zone)
    return Timetable(spec.strip(), zone, _rhythm(text, zone))


def _rhythm(text: str, zone: str) -> Rhythm:
    if not text:
        raise InvalidSchedule("the schedule is empty; every five minutes is '*/5 * * * *'")
    if text.startswith("@"):
        word, *rest = text.split(maxsplit=1)
        if build := _AT_WORDS.get(word.lower()):
            return build("".join(rest))
        text = _shortcut(text)
    fields = parse_fields(text)
    follows_elapsed_time = fields.hour.starred
    kind = ElapsedTimes if follows_elapsed_time else FixedTimes
    return kind(CronCalendar.of(fields), zone)


def _shortcut(text: str) -> str:
    """The fields that ``@daily`` and the like stand for."""
    word = text.split()[0].lower()
    if word in _NOT_SUPPORTED:
        raise InvalidSchedule(f"{word} ({_NOT_SUPPORTED[word]}) is not supported")
    if text.lower() not in SHORTCUTS:
        known = ", ".join(SHORTCUTS)
        raise InvalidSchedule(f"{text!r} is not known; there are {known} and '@every 1h30m'")
    return SHORTCUTS[text.lower()]


def _second_after(instant: datetime) -> int:
    """The first whole second strictly after ``instant``, within the time that has slots."""
    since = instant - _EPOCH
    return min(max(since.days * 86_400 + since.seconds + 1, 0), _END_S)


def _instant(second: int) -> datetime:
    return _EPOCH + timedelta(seconds=second)


def _check_zone(zone: str) -> None:
    if problem := zones.problem(zone):
        raise InvalidSchedule(f"time zone: {problem}")
