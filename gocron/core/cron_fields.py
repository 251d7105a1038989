"""The fields of a cron spec: text in, checked sets of numbers out. Pure.

Used by ``gocron.core.timetable``, ``cron_calendar`` and ``words`` only. The fields are those of
crontab(5) with a leading second, as gocron has it; what stands in them is ``cron_grammar``'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from gocron.core.cron_grammar import (
    MONTHS,
    WEEKDAYS,
    Field,
    by_weekday,
    month_day,
    numbers,
    without_hash,
)
from gocron.core.month_days import MonthDay
from gocron.errors import InvalidSchedule
from gocron.sayings import say, say_n

SECOND = Field(say("second"), 0, 59, 60, say("0-59, *, H, lists, ranges, steps"), "*/10")
MINUTE = Field(say("minute"), 0, 59, 60, say("0-59, *, H, lists, ranges, steps"), "0,30")
HOUR = Field(say("hour"), 0, 23, 24, say("0-23, *, H, lists, ranges, steps"), "8-18/2")
DAY = Field(
    say("day"),
    1,
    31,
    31,
    say(
        "1-31, L (last day of the month), L-3 (three days before it), 15W (the working day nearest "
        "to the 15th), LW, *, ?, H, lists, ranges, steps"
    ),
    "1,15",
)
MONTH = Field(
    say("month"), 1, 12, 12, say("1-12 or JAN-DEC, *, H, lists, ranges, steps"), "1-6", MONTHS
)
WEEKDAY = Field(
    say("weekday"),
    0,
    7,
    7,
    say(
        "0-7 (0 and 7 are Sunday) or SUN-SAT, 5#3 (third Friday), L5 (last Friday), "
        "*, ?, H, lists, ranges, steps"
    ),
    "MON-FRI",
    WEEKDAYS,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a field chooses: ``numbers`` (ascending, Sunday is 0), and what only a calendar can
    tell: ``special`` (``l``, ``5#3``, ``l5``, in croniter's spelling) and ``month_days``.

    ``text``: the field as it was written, but with ``H`` resolved.
    ``starred``: the text begins with ``*`` (or is ``?``). For crontab(5) such a field is no
    restriction, ``*/2`` included; that decides how day and weekday are combined, and whether a
    schedule follows elapsed time when clocks are changed.
    """

    text: str
    numbers: tuple[int, ...]
    special: tuple[str, ...]
    month_days: tuple[MonthDay, ...]
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


def parse_fields(text: str, seed: str = "") -> CronFields:
    """The fields of a spec of five (crontab(5), second 0) or six fields (second first); ``seed``
    decides what ``H`` stands for.

    Raises InvalidSchedule, naming the field, what was found, and what is allowed.
    """
    words = text.split()
    if len(words) not in (5, 6):
        raise InvalidSchedule(_miscounted(text, len(words)))
    *second, minute, hour, day, month, weekday = words
    fields = CronFields(
        second=_choice(SECOND, second[0] if second else "0", seed),
        minute=_choice(MINUTE, minute, seed),
        hour=_choice(HOUR, hour, seed),
        day=_choice(DAY, day, seed),
        month=_choice(MONTH, month, seed),
        weekday=_choice(WEEKDAY, weekday, seed),
    )
    _check_working_day(fields)
    return fields


def _miscounted(text: str, count: int) -> str:
    return say(
        "%(text)s has %(fields)s; a schedule has 5 (minute hour day month weekday) or 6 (second "
        "minute hour day month weekday)%(hint)s, for example '0 30 2 * * *' for 02:30 every day",
        text=repr(text),
        fields=say_n("%(num)s field", "%(num)s fields", count),
        hint=say("; there is no field for the year") if count == 7 else "",
    )


def _choice(field: Field, text: str, seed: str) -> Choice:
    if text == "?" and field in (DAY, WEEKDAY):
        text = "*"
    items = [without_hash(field, item, seed, at) for at, item in enumerate(text.split(","))]
    chosen: set[int] = set()
    special: set[str] = set()
    month_days: set[MonthDay] = set()
    for item in items:
        if field is DAY and item in ("L", "l"):
            special.add("l")
        elif (named := by_weekday(field, item)) is not None:
            special.add(named)
        elif (month := month_day(field, item)) is not None:
            month_days.add(month)
        else:
            chosen.update(numbers(field, item))
    return Choice(
        ",".join(items),
        tuple(sorted(chosen)),
        tuple(sorted(special)),
        tuple(sorted(month_days)),
        text.startswith("*"),
    )


def _check_working_day(fields: CronFields) -> None:
    """``15W`` has chosen its weekday already. Whether ``15W * 1`` means "and" or "or" is answered
    differently by every cron, so it is not answered at all (croniter ignores the weekday)."""
    any_weekday = fields.weekday.starred and len(fields.weekday.numbers) == WEEKDAY.size
    if not any_weekday and any(day.working for day in fields.day.month_days):
        raise DAY.refusal(
            fields.day.text,
            say(
                "has W, a working day, and the field weekday says %(text)s as well; "
                "with W the weekday is *",
                text=repr(fields.weekday.text),
            ),
        )
