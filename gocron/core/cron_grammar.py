"""What a single item of a cron field may be: ``5``, ``8-18/2``, ``FRI#3``, ``15W``, ``H/15``. Pure.

Used by ``gocron.core.cron_fields`` only, which splits a spec into fields and items. The grammar is
that of crontab(5), plus ``N/step``, ``L``, ``L5``, ``5#3``, ``W`` and ``L-3`` of Quartz, ``H`` of
Jenkins. It is checked here and not by croniter, which accepts more than it should (``1-1`` as
"every value", random times, a year) and whose messages do not name the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gocron.core.month_days import MonthDay
from gocron.core.spread import spread
from gocron.errors import InvalidSchedule
from gocron.sayings import say

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

    @property
    def hash_top(self) -> int:
        """The largest value that ``H`` chooses of its own accord. A day that every month has, as
        in Jenkins: a task does not skip February because of its name."""
        return 28 if self.name == "day" else self.low + self.size - 1

    def refusal(self, found: str, problem: str) -> InvalidSchedule:
        return InvalidSchedule(
            say(
                "%(field)s: %(found)s %(problem)s; allowed: %(allowed)s (for example %(example)s)",
                field=self.name,
                found=repr(found),
                problem=problem,
                allowed=self.allowed,
                example=repr(self.example),
            )
        )


_VALUE = r"[0-9]+|[A-Za-z]+"
_ITEM = re.compile(rf"(?:\*|({_VALUE})(?:-({_VALUE}))?)(?:/([0-9]+))?")
_HASH = re.compile(rf"H(?:\(({_VALUE})-({_VALUE})\))?(?:/([0-9]+))?", re.IGNORECASE)
_NTH = re.compile(rf"({_VALUE})#([0-9]+)")
_LAST = re.compile(rf"L([0-9]+|{'|'.join(WEEKDAYS)})", re.IGNORECASE)
_MONTH_DAY = re.compile(r"(?:([0-9]+)|L(?:-([0-9]+))?)(W?)", re.IGNORECASE)

# Spellings that users bring along from other crons, and what to say to them.
_FOREIGN = (
    (re.compile(r"H\b.*"), say("has H, which is written H, H/15, H(0-29) or H(0-29)/10")),
    (re.compile(r"R(\(.*\))?(/.*)?|.*~.*"), say("is a random time, on which nodes would disagree")),
    (
        re.compile(r"[0-9L-]*W[0-9]*(/.*)?"),
        say("has W, which stands in the field day, behind one single day: 15W, LW"),
    ),
    (
        re.compile(r"L-.*"),
        say("counts back from the last day; that is L-1 to L-30, in the field day"),
    ),
    (
        re.compile(rf"([0-7]|{'|'.join(WEEKDAYS)})L"),
        say("is written L5 (last Friday) in the weekday"),
    ),
    (re.compile(r"\?"), say("means 'any' in the fields day and weekday only, and alone; write *")),
)


def without_hash(field: Field, item: str, seed: str, position: int) -> str:
    """``H``, ``H/15``, ``H(0-29)``, ``H(0-29)/10`` as ``seed`` resolves them, in the ordinary
    spelling (``H/15`` becomes for example ``7-59/15``); any other item as it is.

    Every field, and every ``position`` in a list, is spread on its own. Borrowed from Jenkins
    (its CrontabParser), but ``H/1``, which chooses one single value there, is refused.
    """
    match = _HASH.fullmatch(item)
    if match is None:
        return item
    first, last, step_text = match.groups()
    low = field.low if first is None else _number(field, first, item)
    high = field.hash_top if last is None else _number(field, last, item)
    if low > high:
        raise field.refusal(item, say("runs backwards: H chooses from a range that runs forwards"))
    if field.name == "day" and high > field.hash_top:
        raise field.refusal(item, say("may choose a day that not every month has; H goes to 28"))
    size = high - low + 1
    if step_text is None:
        return str(low + spread(size, "H", field.name, str(position), seed))
    if not 2 <= int(step_text) <= size:
        raise field.refusal(
            item,
            say(
                "has the step %(step)s; here a step is 2 to %(size)s",
                step=int(step_text),
                size=size,
            ),
        )
    step = int(step_text)
    return f"{low + spread(step, 'H', field.name, str(position), seed)}-{high}/{step}"


def month_day(field: Field, item: str) -> MonthDay | None:
    """``15W``, ``LW``, ``L-3``, ``L-3W`` of the day; None for everything else, also for ``L``."""
    match = _MONTH_DAY.fullmatch(item)
    if field.name != "day" or match is None or item.isdigit() or item in ("L", "l"):
        return None
    number, back, working = match.groups()
    if number is not None:
        return MonthDay(_number(field, number, item), working=True)
    if back is not None and not 1 <= int(back) <= 30:
        raise field.refusal(
            item, say("counts back too far or not at all; L-1 to L-30 are possible")
        )
    return MonthDay(-int(back or 0), bool(working))


def by_weekday(field: Field, item: str) -> str | None:
    """``5#3`` and ``L5`` of the weekday in croniter's spelling; None for everything else."""
    if field.name != "weekday":
        return None
    if nth := _NTH.fullmatch(item):
        if not (len(nth[2]) == 1 and 1 <= int(nth[2]) <= 5):
            raise field.refusal(item, say("asks for a weekday that no month has; # takes 1 to 5"))
        return f"{_number(field, nth[1], item) % 7}#{nth[2]}"
    if last := _LAST.fullmatch(item):
        return f"l{_number(field, last[1], item) % 7}"
    return None


def numbers(field: Field, item: str) -> set[int]:
    """The values of ``*``, ``a``, ``a-b``, each also with ``/step``; Sunday is 0."""
    match = _ITEM.fullmatch(item)
    if match is None:
        raise _not_understood(field, item)
    first, last, step_text = match.groups()
    step = int(step_text or 1)
    if not 1 <= step <= field.size:
        raise field.refusal(
            item, say("has the step %(step)s; a step is 1 to %(size)s", step=step, size=field.size)
        )
    top = field.low + field.size - 1
    low = field.low if first is None else _number(field, first, item)
    if last is not None:
        high = _number(field, last, item)
    else:
        high = top if first is None or step_text else low
    if low > high:
        raise field.refusal(
            item, say("runs backwards; write %(range)s", range=_forwards(field, low, high))
        )
    chosen = range(low, high + 1, step)
    return {number % 7 for number in chosen} if field.name == "weekday" else set(chosen)


def _forwards(field: Field, low: int, high: int) -> str:
    """The same values without running backwards: 22-23,0-2 for 22-2."""
    if field.name == "weekday" and high == 0:
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
        raise field.refusal(
            item, say("is out of the range %(low)s-%(high)s", low=field.low, high=field.high)
        )
    return number


def _not_understood(field: Field, item: str) -> InvalidSchedule:
    if not item:
        return field.refusal(item, say("is empty: a comma too many"))
    for pattern, problem in _FOREIGN:
        if pattern.fullmatch(item.upper()):
            return field.refusal(item, problem)
    return field.refusal(item, say("is not understood"))
