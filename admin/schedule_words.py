"""Schedules in words, remembered: a list says the same sentences again and again."""

from __future__ import annotations

from functools import lru_cache

from admin.i18n import language
from gocron.core.words import explain
from gocron.errors import InvalidSchedule


def in_words(spec: str, zone: str, name: str) -> str:
    """Such as "At 02:30 every day, Europe/Berlin time", in the language of the page; empty if it
    cannot be understood."""
    return _in_words(spec, zone, name, language())


@lru_cache(maxsize=4096)
def _in_words(spec: str, zone: str, name: str, language: str) -> str:
    try:
        return explain(spec, zone, name, language)
    except InvalidSchedule:
        return ""
