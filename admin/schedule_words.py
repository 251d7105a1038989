"""Schedules in words, remembered: a list says the same sentences again and again."""

from __future__ import annotations

from functools import lru_cache

from gocron.core.words import explain
from gocron.errors import InvalidSchedule


@lru_cache(maxsize=4096)
def in_words(spec: str, zone: str, name: str) -> str:
    """Such as "At 02:30 every day, Europe/Berlin time"; empty if it cannot be understood."""
    try:
        return explain(spec, zone, name)
    except InvalidSchedule:
        return ""
