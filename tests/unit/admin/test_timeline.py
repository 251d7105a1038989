"""Strips of leadership over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from admin import timeline
from admin.leadership_words import why
from gocron.core.leadership import ASKED
from gocron.db.cluster import PastTerm

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def term(number: int, node: str, began_h: float, ended_h: float | None) -> PastTerm:
    """From so many hours ago until so many hours ago."""
    began = NOW - timedelta(hours=began_h)
    ended = None if ended_h is None else NOW - timedelta(hours=ended_h)
    return PastTerm(number, node, f"{node}:1", began, ended, "")


def drawn(*terms: PastTerm, leading: int | None = None, days: int = 1, names=()):
    return timeline.draw(terms, NOW - days * DAY, NOW, leading=leading, names=names, zone=BERLIN)


def test_each_node_has_a_strip_and_a_span_for_each_term():
    found = drawn(term(1, "b", 24, 12), term(2, "a", 12, 6), term(3, "b", 6, None), leading=3)
    assert [strip.node for strip in found.strips] == ["a", "b"]
    assert [(span.left, span.width) for span in found.strips[1].spans] == [(0, 50), (75, 25)]
    assert found.gaps == ()


def test_what_began_before_is_cut_off_and_what_ended_before_is_left_out():
    found = drawn(term(1, "a", 90, 80), term(2, "a", 80, 18), term(3, "b", 18, None), leading=3)
    assert [(span.term, span.left, span.width) for span in found.strips[0].spans] == [(2, 0, 25)]


def test_nodes_that_never_led_have_an_empty_strip():
    found = drawn(term(1, "a", 6, None), leading=1, names=["c"])
    assert [(strip.node, len(strip.spans)) for strip in found.strips] == [("a", 1), ("c", 0)]


def test_times_without_a_leader_are_gaps_but_a_handover_is_none():
    moment = 0.5 / 3600
    found = drawn(
        term(1, "a", 20, 12), term(2, "b", 12 - moment, 9), term(3, "a", 6, 3), leading=None
    )
    assert [(gap.left, gap.width) for gap in found.gaps] == [(62.5, 12.5), (87.5, 12.5)]


def test_an_end_that_nobody_has_noticed_is_no_leadership_until_now():
    """Of a leader that has just fallen silent, or of one whose successor never wrote it down."""
    (strip,) = drawn(term(1, "a", 12, None), term(2, "a", 6, None), leading=2).strips
    assert [(span.left, span.width) for span in strip.spans] == [(50, 25), (75, 25)]


def test_before_anybody_led_there_is_no_gap():
    assert drawn(term(1, "a", 2, None), leading=1).gaps == ()
    assert drawn() == timeline.Timeline((), (), drawn().ticks)


def test_the_axis_names_hours_and_midnights_of_the_zone_also_when_clocks_change():
    """In the night before NOW clocks went from two to three."""
    hours = [f"{tick.at:%H:%M}" for tick in drawn().ticks]
    assert hours == ["16:00", "20:00", "00:00", "04:00", "08:00", "12:00"]
    days = [f"{tick.at:%d %H:%M}" for tick in drawn(days=7).ticks]
    assert days == [f"{day} 00:00" for day in range(23, 30)]
    assert all(0 <= tick.left <= 100 for tick in drawn(days=7).ticks)


@pytest.mark.parametrize(
    "reason",
    ["", "released", "woke up after the lease", "x took term 7", "OperationalError: 100 %", ASKED],
)
def test_every_reason_is_told(reason, quick_words):
    assert bool(why(reason)) == bool(reason)


@pytest.fixture
def quick_words():
    """Words in English, as in a request."""
    from flask import Flask
    from flask_babel import Babel

    app = Flask("words")
    Babel(app)
    with app.test_request_context():
        yield
