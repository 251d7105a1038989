"""The life of a run as a bar: from its slot over its begin to its end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gocron.db.run_queries import RunFacts

WIDTH = 1000
NARROWEST = 8
"""A part that took time is seen, however short it was."""


@dataclass(frozen=True)
class Piece:
    """A part of the bar: ``kind`` is ``waited`` or ``ran``; ``x`` and ``width`` of ``WIDTH``."""

    kind: str
    seconds: float
    x: int
    width: int


def line_of(run: RunFacts, now: datetime) -> list[Piece]:
    """Waiting, then running; what has not ended lasts until ``now``. Empty if it never began and
    does not wait either: of a slot that was missed there is nothing to draw."""
    came_up = max(run.scheduled_at, run.created_at) if run.lateness is None else run.scheduled_at
    if run.started_at is None and run.state.ended:
        return []
    began = run.started_at or now
    waited = max((began - came_up).total_seconds(), 0.0)
    ran = 0.0
    if run.started_at is not None:
        ran = max(((run.finished_at or now) - run.started_at).total_seconds(), 0.0)
    whole = waited + ran
    if not whole:
        return []
    first = min(max(round(WIDTH * waited / whole), NARROWEST), WIDTH - NARROWEST if ran else WIDTH)
    pieces = [Piece("waited", waited, 0, first)]
    if run.started_at is not None:
        pieces.append(Piece("ran", ran, first, WIDTH - first))
    return pieces
