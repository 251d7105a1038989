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
    round trip among the last few is believed, because its error is at most half that trip.
    """

    _samples: list[tuple[float, float]] = field(default_factory=list)
    """(round trip in seconds, server's POSIX time minus boottime), newest last."""

    def observe(self, sent: float, server_time: datetime, received: float) -> None:
        """Take one measurement: ``sent`` and ``received`` are ``boottime()`` around the query."""
        offset = server_time.timestamp() - (sent + received) / 2
        if self._samples and abs(offset - self.offset) > max(1.0, received - sent):
            # The server's clock was set (or another server answers now): old samples mislead.
            self._samples.clear()
        self._samples.append((received - sent, offset))
        del self._samples[:-SAMPLES_KEPT]

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
