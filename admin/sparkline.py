"""The newest runs of a task as a little row of bars: colour says how each ended, height how long it
took in comparison with the others. In words as well, for those who do not see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup

from admin.presentation import STATE_NAMES
from gocron.core.states import RunState
from gocron.db.recent_runs import SHOWN, BriefRun

BAR, GAP, HEIGHT, LOWEST = 3, 1, 18, 4
WIDTH = SHOWN * (BAR + GAP) - GAP

_SVG = Markup(
    '<svg class="spark" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">'
    "<title>{2}</title>{3}</svg>"
)
_BAR = '<rect class="spark-{}" x="{}" y="{}" width="{}" height="{}" rx="1"/>'


def sparkline(runs: Sequence[BriefRun]) -> Markup:
    """Oldest on the left; nothing for a task without runs."""
    if not runs:
        return Markup()
    longest = max((_seconds(run) for run in runs), default=0.0)
    first = SHOWN - len(runs)  # the newest one stands at the right, however many there are
    bars = []
    for place, run in enumerate(runs, start=first):
        share = _seconds(run) / longest if longest else 0.0
        height = LOWEST + round((HEIGHT - LOWEST) * share)
        bars.append(
            _BAR.format(run.state, place * (BAR + GAP), HEIGHT - height, BAR, height)
        )  # numbers and states only: nothing of it was typed by anybody
    return _SVG.format(WIDTH, HEIGHT, in_words(runs), Markup("".join(bars)))  # noqa: S704


def in_words(runs: Sequence[BriefRun]) -> str:
    """``Last 20 runs: 18 success, 2 failed; newest: failed``."""
    states = Counter(run.state for run in runs)
    listed = _(", ").join(f"{count} {STATE_NAMES[state]}" for state, count in states.most_common())
    head = ngettext("Last run", "Last %(num)d runs", len(runs))
    newest = _("newest: %(state)s", state=STATE_NAMES[runs[-1].state])
    return f"{head}: {listed}; {newest}"


def _seconds(run: BriefRun) -> float:
    if run.duration is None or run.state is RunState.RUNNING:
        return 0.0
    return run.duration.total_seconds()
