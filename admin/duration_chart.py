"""How long the last runs took, as bars. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log10

from gocron.core.states import RunState
from gocron.db.task_history import Durations

WIDTH = 1000
HEIGHT = 160
LEAST = 2
"""Height of a bar that would not be seen."""


@dataclass(frozen=True)
class Bar:
    """Of a run; in the coordinates of the chart."""

    run_id: int
    x: float
    width: float
    height: float
    good: bool
    seconds: float
    state: RunState


@dataclass(frozen=True)
class Chart:
    """``top_s``: what the upper edge means; ``lines``: (y, seconds) worth a line across."""

    bars: tuple[Bar, ...]
    top_s: float
    lines: tuple[tuple[float, float], ...]
    median_y: float | None
    p95_y: float | None


def draw(durations: Durations, places: int) -> Chart:
    """Room for ``places`` bars: fewer of them stand at the right."""
    top = _round_up(max((run.seconds for run in durations.runs), default=1.0))
    step = WIDTH / places
    first = places - len(durations.runs)

    def y(seconds: float | None) -> float | None:
        return None if seconds is None else round(HEIGHT - HEIGHT * seconds / top, 1)

    bars = tuple(
        Bar(
            run.run_id,
            round((first + number) * step + step * 0.1, 2),
            round(step * 0.8, 2),
            round(max(HEIGHT * run.seconds / top, LEAST), 1),
            run.state is RunState.SUCCESS,
            run.seconds,
            run.state,
        )
        for number, run in enumerate(durations.runs)
    )
    lines = tuple((HEIGHT - HEIGHT * part, top * part) for part in (0.5, 1.0))
    return Chart(bars, top, lines, y(durations.median_s), y(durations.p95_s))


def _round_up(seconds: float) -> float:
    """To 1, 2 or 5 times a power of ten: what an axis may end with."""
    seconds = max(seconds, 0.01)
    power: float = 10.0 ** ceil(log10(seconds) - 1)
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power >= seconds)
