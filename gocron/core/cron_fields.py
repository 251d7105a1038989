"""The fields of a cron spec: text in, checked sets of numbers out. Pure.

Used by ``gocron.core.timetable`` and ``gocron.core.cron_calendar`` only. The grammar is that of
crontab(5) with a leading second, as gocron has it, plus ``N/step``, ``?``, ``L``, ``L5`` and
``5#3``. It is checked here and not by croniter, which accepts more than it should (``1-1`` as
"every value", random times, a year) and whose messages do not name the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gocron.errors import InvalidSchedule

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class Field:
    """What one position of a spec may hold. ``size`` counts the distinct values: 7 weekdays,
    although 0 and 7 are both written for Sunday."""

    name: str
    low: int
    high: int
    size: int
    allowed: str
    example: str
    names: tuple[str, ...] = ()

    def refusal(self, found: str, problem: str) -> InvalidSchedule:
        return InvalidSchedule(
            f"{self.name}: {found!r} {problem}; allowed: {self.allowed} "
            f"(for example {self.example!r})"
        )


SECOND = Field("second", 0, 59, 60, "0-59, *, lists, ranges, steps", "*/10")
MINUTE = Field("minute", 0, 59, 60, "0-59, *, lists, ranges, steps", "0,30")
HOUR = Field("hour", 0, 23, 24, "0-23, *, lists, ranges, steps", "8-18/2")
DAY = Field("day", 1, 31, 31, "1-31, L (last day of the month), *, ?, lists, ranges, steps", "1,15")
MONTH = Field("month", 1, 12, 12, "1-12 or JAN-DEC, *, lists, ranges, steps", "1-6", MONTHS)
WEEKDAY = Field(
    "weekday",
    0,
    7,
    7,
    "0-7 (0 and 7 are Sunday) or SUN-SAT, 5#3 (third Friday), L5 (last Friday), "
    "*, ?, lists, ranges, steps",
    "MON-FRI",
    WEEKDAYS,
)

_VALUE = r"[0-9]+|[A-Za-z]+"
_ITEM = re.compile(rf"(?:\*|({_VALUE})(?:-({_VALUE}))?)(?:/([0-9]+))?")
_NTH = re.compile(rf"({_VALUE})#([0-9]+)")
_LAST = re.compile(rf"L([0-9]+|{'|'.join(WEEKDAYS)})", re.IGNORECASE)

# Spellings that users bring along from other crons, and what to say to them.
_FOREIGN = (
    (re.compile(r"H(\(.*\))?(/.*)?"), "has H, a time chosen by hash, which is not supported"),
    (re.compile(r"R(\(.*\))?(/.*)?|.*~.*"), "is a random time, on which nodes would disagree"),
    (re.compile(r"[0-9]+W|W[0-9]+|LW"), "has W, the nearest working day, which is not supported"),
    (re.compile(r"L-[0-9]+"), "counts back from the last day, which is not supported"),
    (re.compile(rf"([0-7]|{'|'.join(WEEKDAYS)})L"), "is written L5 (last Friday) in the weekday"),
    (re.compile(r"\?"), "means 'any' in the fields day and weekday only, and alone; write *"),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a field chooses: numbers (ascending, Sunday is 0), and what only a calendar can tell
    (``l``, ``5#3``, ``l5``, in croniter's spelling).

    ``starred``: the text begins with ``*`` (or is ``?``). For crontab(5) such a field is no
    restriction, ``*/2`` included; that decides how day and weekday are combined, and whether a
    schedule follows elapsed time when clocks are changed.
    """

    text: str
    numbers: tuple[int, ...]
    special: tuple[str, ...]
    starred: bool


@dataclass(frozen=True, slots=True)
class CronFields:
    """A spec, understood."""

    second: Choice
    minute: Choice
    hour: Choice
    day: Choice
    month: Choice
    weekday: Choice


def parse_fields(text: str) -> CronFields:
    """The fields of a spec of five (crontab(5), second 0) or six fields (second first).

    Raises InvalidSchedule, naming the field, what was found, and what is allowed.
    """
    words = text.split()
    if len(words) not in (5, 6):
        hint = "; there is no field for the year" if len(words) == 7 else ""
        raise InvalidSchedule(
            f"{text!r} has {len(words)} field{'s' * (len(words) != 1)}; a schedule has 5 (minute "
            "hour day month weekday) or 6 (second minute hour day month weekday)"
            f"{hint}, for example '0 30 2 * * *' for 02:30 every day"
        )
    *second, minute, hour, day, month, weekday = words
    return CronFields(
        second=_choice(SECOND, second[0] if second else "0"),
        minute=_choice(MINUTE, minute),
        hour=_choice(HOUR, hour),
        day=_choice(DAY, day),
        month=_choice(MONTH, month),
        weekday=_choice(WEEKDAY, weekday),
    )


def _choice(field: Field, text: str) -> Choice:
    if text == "?" and field in (DAY, WEEKDAY):
        text = "*"
    numbers: set[int] = set()
    special: set[str] = set()
    for item in text.split(","):
        by_calendar = _by_calendar(field, item)
        if by_calendar is None:
            numbers.update(_numbers(field, item))
        else:
            special.add(by_calendar)
    return Choice(text, tuple(sorted(numbers)), tuple(sorted(special)), text.startswith("*"))


def _by_calendar(field: Field, item: str) -> str | None:
    """``L`` of the day, ``5#3`` and ``L5`` of the weekday; None for everything else."""
    if field is DAY and item in ("L", "l"):
        return "l"
    if field is WEEKDAY and (nth := _NTH.fullmatch(item)):
        if not (len(nth[2]) == 1 and 1 <= int(nth[2]) <= 5):
            raise field.refusal(item, "asks for a weekday that no month has; # takes 1 to 5")
        return f"{_number(field, nth[1], item) % 7}#{nth[2]}"
    if field is WEEKDAY and (last := _LAST.fullmatch(item)):
        return f"l{_number(field, last[1], item) % 7}"
    return None


def _numbers(field: Field, item: str) -> set[int]:
    """The values of ``*``, ``a``, ``a-b``, each also with ``/step``."""
    match = _ITEM.fullmatch(item)
    if match is None:
        raise _not_understood(field, item)
    first, last, step_text = match.groups()
    step = int(step_text or 1)
    if not 1 <= step <= field.size:
        raise field.refusal(item, f"has the step {step}; a step is 1 to {field.size}")
    top = field.low + field.size - 1
    low = field.low if first is None else _number(field, first, item)
    if last is not None:
        high = _number(field, last, item)
    else:
        high = top if first is None or step_text else low
    if low > high:
        raise field.refusal(item, f"runs backwards; write {_forwards(field, low, high)}")
    if field is WEEKDAY:
        return {number % 7 for number in range(low, high + 1, step)}
    return set(range(low, high + 1, step))


def _forwards(field: Field, low: int, high: int) -> str:
    """The same values without running backwards: 22-23,0-2 for 22-2."""
    if field is WEEKDAY and high == 0:
        return f"{low}-7"
    return f"{low}-{field.low + field.size - 1},{field.low}-{high}"


def _number(field: Field, text: str, item: str) -> int:
    if text.isdigit():
        number = int(text)
    elif text.upper() in field.names:
        number = field.names.index(text.upper()) + field.low
    else:
        raise _not_understood(field, item)
    if not field.low <= number <= field.high:
        raise field.refusal(item, f"is out of the range {field.low}-{field.high}")
    return number


def _not_understood(field: Field, item: str) -> InvalidSchedule:
    if not item:
        return field.refusal(item, "is empty: a comma too many")
    for pattern, problem in _FOREIGN:
        if pattern.fullmatch(item.upper()):
            return field.refusal(item, problem)
    return field.refusal(item, "is not understood")
