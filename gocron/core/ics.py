"""The events of an iCalendar file (RFC 5545), as days. Pure. Used by ``gocron.core.calendars``.

The format is icalendar's, recurrences are recurring-ical-events'. What is done here is to keep a
file from taking hours: a rule may produce a date every second until the year 9999.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from gocron.errors import InvalidCalendar
from gocron.sayings import say

Event = Any
"""icalendar's type says of every property that it may be any of 37 types."""

YEARS_BACK, YEARS_AHEAD = 10, 20
MOST_SERIES = 500
MOST_OCCURRENCES = 50_000
_DAY = timedelta(days=1)
_READ = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TOO_FINE = ("BYHOUR", "BYMINUTE", "BYSECOND")


def days_of_events(text: str, today: date) -> Iterator[Iterable[date]]:
    """The days of one event after the other; days may come twice. Raises InvalidCalendar."""
    first, last = _year(today, -YEARS_BACK), _year(today, YEARS_AHEAD)
    series: dict[str, list[Event]] = defaultdict(list)
    for number, event in enumerate(_events(text)):
        _check(event)
        series[str(event.get("UID", number))].append(event)
    recurring = [events for events in series.values() if any(map(_recurs, events))]
    if len(recurring) > MOST_SERIES:
        raise InvalidCalendar(
            say(
                "the calendar has %(count)s recurring events; at most %(most)s are allowed",
                count=len(recurring),
                most=MOST_SERIES,
            )
        )
    for events in series.values():
        if not any(map(_recurs, events)):
            yield from (_days(event) for event in events if not _is_cancelled(event))
    seen = 0
    for events in recurring:
        occurrences = _occurrences(events, first, last)
        seen += len(occurrences)
        if seen > MOST_OCCURRENCES:
            raise InvalidCalendar(
                say(
                    "the calendar's events recur too often: more than %(most)s times",
                    most=MOST_OCCURRENCES,
                )
            )
        yield from (_days(event) for event in occurrences if not _is_cancelled(event))


def _year(today: date, offset: int) -> date:
    return date(min(max(today.year + offset, 1971), 8998), today.month, min(today.day, 28))


def _events(text: str) -> list[Event]:
    from icalendar import Calendar  # takes 50 ms, and hardly any process needs it

    text = text.removeprefix("\ufeff")
    try:
        found = Calendar.from_ical(text, multiple=True)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InvalidCalendar(
            say("this is no iCalendar file: %(problem)s", problem=_short(error))
        ) from None
    if not found or any(calendar.name != "VCALENDAR" for calendar in found):
        raise InvalidCalendar(
            say("this is no iCalendar file; it has to begin with BEGIN:VCALENDAR")
        )
    return [event for calendar in found for event in calendar.walk("VEVENT")]


def _check(event: Event) -> None:
    for name, problem in event.errors:
        if name in _READ:
            raise _refusal(
                event, say("%(name)s is not understood: %(problem)s", name=name, problem=problem)
            )
    if "DTSTART" not in event:
        raise _refusal(event, say("DTSTART, the day it begins, is missing"))
    for name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"):
        if isinstance(event.get(name), list):
            raise _refusal(event, say("%(name)s stands there more than once", name=name))
    if "RRULE" in event:
        _check_rule(event)


def _check_rule(event: Event) -> None:
    rule = event["RRULE"]
    if isinstance(rule, list):
        raise _refusal(event, say("RRULE stands there more than once"))
    frequency = str(rule.get("FREQ", [""])[0]).upper()
    if frequency not in _FREQUENCIES or any(part in rule for part in _TOO_FINE):
        raise _refusal(
            event,
            say(
                "RRULE: only %(words)s are allowed, without hours and minutes",
                words=", ".join(_FREQUENCIES),
            ),
        )
    if any(not 1 <= int(step) <= 10_000 for step in rule.get("INTERVAL", [1])):
        raise _refusal(event, say("RRULE: INTERVAL is 1 to 10000"))  # with 0 dateutil never returns
    # dateutil looks for 30 February day by day until the year 9999, whatever UNTIL says.
    days = [abs(int(day)) for day in rule.get("BYMONTHDAY", [])]
    months = [int(month) for month in rule.get("BYMONTH", range(1, 13))]
    longest = max((monthrange(2024, month)[1] for month in months if 1 <= month <= 12), default=0)
    if days and (frequency in ("DAILY", "WEEKLY") or min(days) > longest):
        raise _refusal(event, say("RRULE: BYMONTHDAY has to be a day of a MONTHLY or YEARLY rule"))


def _recurs(event: Event) -> bool:
    return any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID"))


def _is_cancelled(event: Event) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _occurrences(events: list[Event], first: date, last: date) -> list[Event]:
    from icalendar import Calendar
    from recurring_ical_events import of  # type: ignore[import-untyped]

    calendar = Calendar()
    for event in events:
        calendar.add_component(event)
    try:
        return list(of(calendar).between(first, last + _DAY))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _refusal(events[0], _short(error)) from None


def _days(event: Event) -> Iterator[date]:
    """From its start to its end, which is exclusive, as it is written; one day at least."""
    try:
        start, end = event.start, event.end
        first = start.date() if isinstance(start, datetime) else start
        tiny = timedelta(microseconds=1) if isinstance(end, datetime) else _DAY
        last = end - tiny
        last = last.date() if isinstance(last, datetime) else last
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _refusal(event, _short(error)) from None
    return (first + timedelta(days=day) for day in range(max((last - first).days, 0) + 1))


def _refusal(event: Event, problem: str) -> InvalidCalendar:
    name = str(event.get("SUMMARY", event.get("UID", "")))[:60]
    return InvalidCalendar(say("the event %(name)s: %(problem)s", name=repr(name), problem=problem))


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:120] or type(error).__name__
