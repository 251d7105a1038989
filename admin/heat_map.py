"""The days of a task's history as a calendar: a column a week, a row a weekday. Pure but for
words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from gocron.db.task_history import Day

CELL = 13
GAP = 3
STEP = CELL + GAP
LEFT = 34
TOP = 18
DAYS = 182
MOSTLY = 0.5


@dataclass(frozen=True)
class Cell:
    """A day; ``kind`` is a word for the style sheet, ``words`` say what happened."""

    x: int
    y: int
    kind: str
    words: str


@dataclass(frozen=True)
class HeatMap:
    """``months``: (x, name) of each that begins here; ``weekdays``: (y, name)."""

    width: int
    height: int
    cells: tuple[Cell, ...]
    months: tuple[tuple[int, str], ...]
    weekdays: tuple[tuple[int, str], ...]


def draw(days: Sequence[Day]) -> HeatMap:
    """``days`` follow each other, oldest first."""
    before = days[0].day.weekday()
    cells, months = [], []
    for number, day in enumerate(days, before):
        x = LEFT + number // 7 * STEP
        cells.append(Cell(x, TOP + number % 7 * STEP, kind(day), words(day)))
        if day.day.day == 1 or number == before:
            months.append((x, f"{day.day:%Y-%m}"))
    if len(months) > 1 and months[1][0] - months[0][0] < 4 * STEP:
        del months[0]  # there is no room for both
    weeks = (before + len(days) + 6) // 7
    names = ((0, _("Mon")), (2, _("Wed")), (4, _("Fri")), (6, _("Sun")))
    return HeatMap(
        LEFT + weeks * STEP,
        TOP + 7 * STEP,
        tuple(cells),
        tuple(months),
        tuple((TOP + row * STEP + CELL - 2, name) for row, name in names),
    )


def kind(day: Day) -> str:
    """Its worst news: ``none`` (nothing was due), ``idle`` (only skipped, missed or stopped),
    ``good``, ``some`` and ``most`` failed."""
    if day.bad:
        return "most" if day.bad / (day.bad + day.good) > MOSTLY else "some"
    if day.good:
        return "idle" if day.idle > day.good else "good"
    return "idle" if day.idle else "none"


def words(day: Day) -> str:
    """The day and what happened."""
    parts = [
        text
        for number, text in (
            (day.good, ngettext("%(num)d went well", "%(num)d went well", day.good)),
            (day.bad, ngettext("%(num)d failed", "%(num)d failed", day.bad)),
            (day.idle, ngettext("%(num)d did not run", "%(num)d did not run", day.idle)),
        )
        if number
    ]
    return f"{day.day}: {', '.join(parts) if parts else _('nothing')}"
