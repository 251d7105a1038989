"""Instants as people type them: ``2026-12-24T18:00``, on the clock of a time zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gocron import zones
from gocron.allowed import found
from gocron.sayings import inside, say

EXAMPLE = "2026-12-24T18:00"

_YEARS = range(1970, 9000)


def write(instant: datetime | None, zone: str) -> str:
    """ISO text that ``read`` turns into the same instant; the offset is only said where the clock
    shows the same time twice, or where nobody knows the zone (any more)."""
    if instant is None:
        return ""
    if zones.problem(zone):
        return _text(instant.astimezone(UTC))
    local = instant.astimezone(ZoneInfo(zone))
    # Compared as UTC: of two times that an hour apart look the same none equals anything.
    plain = local.replace(fold=0).astimezone(UTC) == instant
    return _text(local.replace(tzinfo=None) if plain else local)


def read(text: str, zone: str) -> datetime:
    """An aware datetime; without an offset it is a time of ``zone``. Raises ``ValueError``."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            say(
                "must be a time such as %(example)s, found %(found)s",
                example=EXAMPLE,
                found=found(text),
            )
        ) from None
    if moment.year not in _YEARS:
        raise ValueError(
            say("must lie in the years 1970 to 8999, found %(found)s", found=found(text))
        )
    if moment.tzinfo is None:
        if problem := zones.problem(zone):
            raise ValueError(inside([say("its time zone")], problem))
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment


def _text(moment: datetime) -> str:
    exact = moment.second or moment.microsecond
    return moment.isoformat() if exact else moment.isoformat(timespec="minutes")
