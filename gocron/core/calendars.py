"""Named sets of days, read from texts: lists of dates, and .ics files. Pure: "today" is given.

For everybody above. Days are plain dates; the zone of a schedule says when they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

from gocron.core import ics
from gocron.errors import InvalidCalendar
from gocron.sayings import inside, say

MOST_DAYS = 20_000
MAX_LENGTH = 1_048_576
"""Characters; a calendar of 20,000 single days has some 250,000, as .ics up to 5 times as many."""

_LINE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\s*\.\.\s*([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
_YEARS = range(1970, 9000)
_EXAMPLE = say("write for example 2026-12-24 or 2026-12-24..2026-12-31")


def parse_days(text: str) -> frozenset[date]:
    """The days of a text with one ISO date or one range of dates (both ends included) a line.
    ``#`` begins a comment, empty lines are passed over. Raises InvalidCalendar, naming the line."""
    _check_length(text)
    days: set[date] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if wanted := line.partition("#")[0].strip():
            _add(
                days,
                _range(
                    wanted, say("line %(number)s: %(text)s", number=number, text=repr(wanted[:60]))
                ),
            )
    return frozenset(days)


def parse_ics(text: str, today: date) -> frozenset[date]:
    """The days on which events of an iCalendar file (RFC 5545) take place: all-day events and
    others, whose dates are taken as they are written, in whatever zone.

    Events that recur are followed from 10 years before ``today`` to 20 years after it; cancelled
    ones do not count. Raises InvalidCalendar for a file that is none, or that has too many days.
    """
    _check_length(text)
    days: set[date] = set()
    for event_days in ics.days_of_events(text, today):
        _add(days, event_days)
    return frozenset(day for day in days if day.year in _YEARS)


def _check_length(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise InvalidCalendar(
            say(
                "the calendar has %(length)s characters; at most %(most)s are allowed",
                length=len(text),
                most=MAX_LENGTH,
            )
        )


def _range(wanted: str, where: str) -> Iterable[date]:
    match = _LINE.fullmatch(wanted)
    if match is None:
        raise InvalidCalendar(
            say(
                "%(where)s is not a date or a range of dates; %(example)s",
                where=where,
                example=_EXAMPLE,
            )
        )
    first, last = (_date(text, where) for text in (match[1], match[2] or match[1]))
    if first > last:
        raise InvalidCalendar(
            say("%(where)s runs backwards; %(example)s", where=where, example=_EXAMPLE)
        )
    return (first + timedelta(days=day) for day in range((last - first).days + 1))


def _date(text: str, where: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise InvalidCalendar(
            inside(
                [where], say("there is no day %(text)s; %(example)s", text=text, example=_EXAMPLE)
            )
        ) from None
    if found.year not in _YEARS:
        raise InvalidCalendar(
            inside([where], say("%(text)s is out of range; 1970 to 8999 are allowed", text=text))
        )
    return found


def _add(days: set[date], more: Iterable[date]) -> None:
    """Stops at the limit, before a range of thousands of years is written out."""
    for day in more:
        days.add(day)
        if len(days) > MOST_DAYS:
            raise InvalidCalendar(say("the calendar has more than %(most)s days", most=MOST_DAYS))
