"""Who led when, as strips over time: a row for each node, and the gaps in which nobody led. Pure.

Places are percent of the strip, so that a drawing of any width shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gocron.db.cluster import PastTerm

SHORTEST_GAP = timedelta(seconds=1)
"""A handover takes less, and is none."""


@dataclass(frozen=True)
class Span:
    """A piece of a strip; ``term`` is 0 in gaps."""

    began: datetime
    ended: datetime
    left: float
    width: float
    term: int = 0


@dataclass
class Strip:
    """One node."""

    node: str
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class Tick:
    """A moment that the axis names, in local time."""

    left: float
    at: datetime


@dataclass(frozen=True)
class Timeline:
    """``strips`` by name of the node."""

    strips: tuple[Strip, ...]
    gaps: tuple[Span, ...]
    ticks: tuple[Tick, ...]


def draw(
    terms: Sequence[PastTerm],
    since: datetime,
    now: datetime,
    *,
    leading: int | None,
    names: Iterable[str],
    zone: ZoneInfo,
) -> Timeline:
    """``terms``, oldest first, between ``since`` and ``now``; ``leading`` is the present leader's
    term, if there is one. ``names`` are nodes that get a strip whether they led or not."""
    spans = _spans(terms, since, now, leading)
    strips = {name: Strip(name) for name in names}
    for past, span in spans:
        strips.setdefault(past.node_name, Strip(past.node_name)).spans.append(span)
    gaps = _gaps([span for _past, span in spans], since, now)
    ordered = tuple(strips[name] for name in sorted(strips))
    return Timeline(ordered, tuple(gaps), tuple(_ticks(since, now, zone)))


def _spans(
    terms: Sequence[PastTerm], since: datetime, now: datetime, leading: int | None
) -> list[tuple[PastTerm, Span]]:
    found = []
    for number, past in enumerate(terms):
        ended = past.ended_at
        if ended is None:
            following = terms[number + 1].began_at if number + 1 < len(terms) else now
            # An end that nobody has noticed yet: it is not known how long this node led.
            ended = now if past.term == leading else min(following, now)
        began, ended = max(past.began_at, since), min(ended, now)
        if ended > since and began <= now:
            found.append((past, _span(began, max(began, ended), since, now, past.term)))
    return found


def _gaps(spans: Iterable[Span], since: datetime, now: datetime) -> list[Span]:
    """Times between the first leader and now in which nobody led."""
    gaps: list[Span] = []
    led_until: datetime | None = None
    for span in sorted(spans, key=lambda span: span.began):
        if led_until is not None and span.began - led_until >= SHORTEST_GAP:
            gaps.append(_span(led_until, span.began, since, now))
        led_until = span.ended if led_until is None else max(led_until, span.ended)
    if led_until is not None and now - led_until >= SHORTEST_GAP:
        gaps.append(_span(led_until, now, since, now))
    return gaps


def _span(began: datetime, ended: datetime, since: datetime, now: datetime, term: int = 0) -> Span:
    left = _place(began, since, now)
    return Span(began, ended, left, round(_place(ended, since, now) - left, 3), term)


def _place(moment: datetime, since: datetime, now: datetime) -> float:
    return round(100 * ((moment - since) / (now - since)), 3)


def _ticks(since: datetime, now: datetime, zone: ZoneInfo) -> Iterable[Tick]:
    """Every fourth hour of a day, or every midnight of a week; not so close to an end that a label
    would be cut off."""
    daily = now - since > timedelta(days=2)
    moment = since.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    while moment <= now:
        if moment.hour == 0 if daily else moment.hour % 4 == 0:
            left = _place(moment, since, now)
            if 3 <= left <= 97:
                yield Tick(left, moment)
        moment = (moment.astimezone(since.tzinfo) + timedelta(hours=1)).astimezone(zone)
