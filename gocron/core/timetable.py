"""When a task is due: a spec, a time zone and rules in, slots out. Pure: no clock, and no I/O but
the time zone data of zoneinfo.

Anyone above may import it. All instants are aware datetimes; those that come out are UTC and whole
seconds. Slots lie between 1970 and the year 9000. The other modules of a schedule are its parts:

    spec ─┬─▶ cron_fields ──▶ cron_calendar ──▶ daylight ─┬─▶ limits ──▶ Timetable
          │   text, checked   local times       UTC       │   allowed    datetimes
          ├─▶ @every 1h30m: rhythm ───────────────────────┤
          ├─▶ @at 2026-12-24T18:00: one_time ─────────────┤
          └─▶ @reboot: no slots, but a run at every election
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from gocron.core.limits import Limited, Limits, allowed_days, unlimited
from gocron.core.rhythm import Never, Rhythm
from gocron.core.spec import understood
from gocron.errors import InvalidSchedule
from gocron.sayings import say

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_END_S = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // _SECOND


@dataclass(frozen=True, slots=True)
class Rules:
    """What surrounds a spec. Slots are those of the spec from ``starts_at`` to ``ends_at`` (aware,
    both inclusive), on dates that are not ``excluded`` and, unless it is None, are ``required``.
    The date of a slot is the one that the clock of the schedule's zone shows at that instant.

    ``seed`` decides what ``H`` stands for; it is the task's name. Raises ValueError for naive
    datetimes and InvalidSchedule for a window that ends before it begins.
    """

    seed: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    excluded: frozenset[date] = frozenset()
    required: frozenset[date] | None = None

    def __post_init__(self) -> None:
        for instant in (self.starts_at, self.ends_at):
            if instant is not None and instant.utcoffset() is None:
                raise ValueError(say("window: %(instant)s has no time zone", instant=instant))
        if self.starts_at and self.ends_at and self.starts_at > self.ends_at:
            raise InvalidSchedule(
                say(
                    "window: it ends (%(ends_at)s) before it begins (%(starts_at)s)",
                    ends_at=self.ends_at,
                    starts_at=self.starts_at,
                )
            )


_NO_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Timetable:
    """The slots of a schedule, in ascending order and each one once."""

    spec: str
    zone: str
    rhythm: Rhythm
    limits: Limits

    @property
    def on_election(self) -> bool:
        """``@reboot``: due once for every election, if it ``allows`` that moment; no slots."""
        return isinstance(unlimited(self.rhythm), Never)

    def allows(self, instant: datetime) -> bool:
        """Whether the window and the calendars allow a run at ``instant``, slot or not."""
        second = _second_after(instant) - 1
        return self.limits.first_from(second) == second

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
def parse(spec: str, zone: str, rules: Rules = _NO_RULES) -> Timetable:
    """The timetable of ``spec``, whose local times are those of ``zone`` (an IANA name), under
    ``rules``.

    ``CRON_TZ=Zone`` (or ``TZ=Zone``) in front of the spec overrides ``zone``. Raises
    InvalidSchedule with a message that says what was found and what is allowed. Takes a bounded
    time whatever the text is. Pass the same object for the same set of days: a big set is hashed
    once for each object.
    """
    text, zone, rhythm = understood(spec, zone, rules.seed)
    limits = _limits(rules, zone)
    if limits != _limits(_NO_RULES, zone):
        rhythm = Limited(rhythm, limits)
    return Timetable(text, zone, rhythm, limits)


def _limits(rules: Rules, zone: str) -> Limits:
    start = 0 if rules.starts_at is None else max(-((_EPOCH - rules.starts_at) // _SECOND), 0)
    stop = _END_S if rules.ends_at is None else _second_after(rules.ends_at)
    return Limits(start, stop, allowed_days(rules.excluded, rules.required), zone)


def _second_after(instant: datetime) -> int:
    """The first whole second strictly after ``instant``, within the time that has slots."""
    since = instant - _EPOCH
    return min(max(since.days * 86_400 + since.seconds + 1, 0), _END_S)


def _instant(second: int) -> datetime:
    return _EPOCH + timedelta(seconds=second)
