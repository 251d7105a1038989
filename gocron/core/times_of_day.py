"""Times of day: all combinations of some hours, minutes and seconds. Pure.

Used by ``gocron.core.cron_calendar`` and ``words``. They need no calendar and are counted here:
that makes a step of a schedule several times cheaper, and lets slots be counted, and the newest
one be found, without walking over them.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimesOfDay:
    """All combinations of some hours, minutes and seconds, as an ordered list never built."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def __getitem__(self, index: int) -> int:
        """The time with that index, in seconds of the day."""
        rest, second = divmod(index, len(self.seconds))
        hour, minute = divmod(rest, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]

    def before(self, second_of_day: int) -> int:
        """How many of the times lie before ``second_of_day``: the index of the first that does
        not."""
        minute_of_day, second = divmod(second_of_day, 60)
        hour, minute = divmod(minute_of_day, 60)
        index = bisect_left(self.hours, hour)
        if index == len(self.hours) or self.hours[index] != hour:
            return index * len(self.minutes) * len(self.seconds)
        index = index * len(self.minutes) + (at := bisect_left(self.minutes, minute))
        if at == len(self.minutes) or self.minutes[at] != minute:
            return index * len(self.seconds)
        return index * len(self.seconds) + bisect_left(self.seconds, second)
