"""Time: instants, the monotonic clock that all processes of a host share, the database's clock.

A node's own wall clock decides nothing (see ``docs/architecture.md``): slots are measured by the
database's clock, intervals by ``CLOCK_BOOTTIME``, which also counts while a machine is suspended
and is comparable between the processes of one host.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SAMPLES_KEPT = 16
"""How many measurements of the database's clock are compared before the oldest is forgotten."""

SAMPLES_LAST_S = 60.0
"""After this long a measurement says little: two clocks run apart."""

SLACK_S = 0.01
"""Two measurements may disagree by this much more than their round trips explain."""


def boottime() -> float:
    """Seconds since the host booted, suspended time included. For intervals, never for dates."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def utc_now() -> datetime:
    """This host's wall clock as an aware UTC datetime. For log lines and names of files only."""
    return datetime.now(UTC)


@dataclass
class DatabaseClock:
    """The database server's clock, continued between two looks at it by the monotonic clock.

    Each answer of the server that carries its time is a measurement; the one with the shortest
    round trip among the last few is believed, because its error is at most half that trip. One
    thread may observe while others read.
    """

    _samples: list[tuple[float, float, float]] = field(default_factory=list)
    """(round trip in seconds, server's POSIX time minus boottime, when), newest last."""

    def observe(self, sent: float, server_time: datetime, received: float) -> None:
        """Take one measurement: ``sent`` and ``received`` are ``boottime()`` around the query."""
        trip, offset = received - sent, server_time.timestamp() - (sent + received) / 2
        samples = [known for known in self._samples if received - known[2] <= SAMPLES_LAST_S]
        if samples:
            best_trip, best_offset, _when = min(samples)
            if abs(offset - best_offset) > (trip + best_trip) / 2 + SLACK_S:
                # The server's clock was set (or another server answers now): old samples mislead.
                samples = []
        # Replaced in one go, so that a reader in another thread never finds it empty.
        self._samples = [*samples, (trip, offset, received)][-SAMPLES_KEPT:]

    @property
    def offset(self) -> float:
        """Server's POSIX time minus ``boottime()``, in seconds."""
        if not self._samples:
            raise LookupError("the database's clock has not been read yet")
        return min(self._samples)[1]

    @property
    def known(self) -> bool:
        """Whether the clock has been read at least once."""
        return bool(self._samples)

    def now(self) -> datetime:
        """The database's time now, aware UTC."""
        return datetime.fromtimestamp(boottime() + self.offset, UTC)

    def at(self, instant: datetime) -> float:
        """The ``boottime()`` at which the database's clock shows ``instant``."""
        return instant.timestamp() - self.offset


def seconds(value: timedelta) -> float:
    """A duration as seconds."""
    return value.total_seconds()
