"""What holds for any schedule under any rules, tried on random ones."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from gocron.core.cron_fields import parse_fields
from gocron.core.timetable import Rules, Timetable, parse
from gocron.errors import InvalidSchedule
from tests.unit.core.timetable_oracle import allowed, random_spec, slots_seen, watch

ZONES = [
    ("UTC", "2026-03-01T00:00"),
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
    ("Asia/Kathmandu", "1985-12-31T18:30"),
]
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
MOST = 100_000


def any_spec(choice: random.Random) -> str:
    """Also what other crons do not have."""
    kind = choice.random()
    if kind < 0.1:
        return f"@every {choice.choice(['1m', '7m30s', '1h', '5h', '1d', '1d6h', '11s'])}"
    if kind < 0.6:
        return random_spec(choice)
    minute = choice.choice(["H", "H/10", "H(0-29)", "H,30", "*", "*/20", "15"])
    hour = choice.choice(["H", "H(0-3)", "H/3", "*", "*/2", "0-5", "2"])
    day = choice.choice(["15W", "LW", "L-1", "L-3W", "1W,L", "H", "28W,29W,L-2", "H/3", "*"])
    weekday = choice.choice(["*", "?", "1-3", "H", "L0"]) if "W" not in day else "*"
    return f"{minute} {hour} {day} * {weekday}"


def any_rules(choice: random.Random, zone: str, middle: datetime) -> Rules:
    if choice.random() < 0.3:
        return Rules(seed=str(choice.random()))
    ends = sorted(middle + timedelta(hours=choice.uniform(-50, 50)) for _ in range(2))
    today = middle.astimezone(ZoneInfo(zone)).date()
    days = [today + timedelta(days=i) for i in range(-4, 5)]
    return Rules(
        seed=str(choice.random()),
        starts_at=choice.choice([None, ends[0]]),
        ends_at=choice.choice([None, ends[1]]),
        excluded=frozenset(choice.sample(days, choice.randrange(4))),
        required=choice.choice([None, frozenset(choice.sample(days, 6))]),
    )


def check(timetable: Timetable, start: datetime, end: datetime, choice: random.Random) -> None:
    slots = timetable.between(start, end, MOST)
    assert all(earlier < later for earlier, later in pairwise([start, *slots]))
    assert all(slot.microsecond == 0 and slot.tzinfo is UTC for slot in slots)
    assert timetable.count(start, end, MOST) == len(slots)
    assert timetable.between(start, end, 3) == slots[:3]
    assert timetable.count(start, end, 3) == len(slots[:3])

    for earlier, later in pairwise(slots[:200]):
        assert timetable.next_after(earlier) == later
        assert timetable.latest_at_or_before(later) == later
        assert timetable.latest_at_or_before(later - SECOND) == earlier
    for slot in slots[:200]:
        assert timetable.next_after(slot - SECOND) == slot
        assert timetable.allows(slot)

    for _ in range(5):
        cut = start + choice.random() * (end - start)
        first, second = timetable.between(start, cut, MOST), timetable.between(cut, end, MOST)
        assert first + second == slots
        assert timetable.count(start, cut, MOST) == len(first)
        assert timetable.count(cut, end, MOST) == len(second)
        if second:
            assert timetable.next_after(cut) == second[0]
        if first:
            assert timetable.latest_at_or_before(cut) == first[-1]


@pytest.mark.parametrize(("zone", "around"), ZONES)
def test_slots_ascend_are_found_from_both_sides_and_add_up(zone, around):
    choice = random.Random(zone + around)
    middle = datetime.fromisoformat(around + "Z")
    for _ in range(60):
        spec, rules = any_spec(choice), any_rules(choice, zone, middle)
        reach = timedelta(hours=choice.choice([3, 30, 90]) if len(spec.split()) == 5 else 3)
        check(parse(spec, zone, rules), middle - reach, middle + reach, choice)


@pytest.mark.parametrize(("zone", "around"), ZONES)
def test_slots_are_those_on_a_clock_that_is_watched(zone, around):
    choice = random.Random(around + zone)
    minutes = watch(zone, around, hours=40, tick_s=60)
    seconds = watch(zone, around, hours=4, tick_s=1)
    for _ in range(80):
        spec, rules = any_spec(choice), any_rules(choice, zone, minutes.instants[2_400])
        if spec.startswith("@"):
            continue
        watched = seconds if len(spec.split()) == 6 else minutes
        seen = slots_seen(without_h(spec, rules.seed), watched)
        timetable = parse(spec, zone, rules)
        found = timetable.between(watched.before, watched.instants[-1], MOST)
        assert found == allowed(seen, rules, zone), (spec, rules)


def without_h(spec: str, seed: str) -> str:
    """The same with the numbers for which H stands. (That they are stable, and in range, is
    tested elsewhere.)"""
    if "H" not in spec:
        return spec
    fields = parse_fields(spec, seed)
    parts = (fields.minute, fields.hour, fields.day, fields.month, fields.weekday)
    return " ".join(part.text for part in parts)


def test_any_text_is_understood_or_refused_and_nothing_else():
    choice = random.Random(4711)
    pieces = "* 0 1 5 15 31 60 , - / # L W H H( ) ? ~ R SUN JAN @at @every @ CRON_TZ= 1d T : Z"
    understood = 0
    for _ in range(5_000):
        fields = ["*"] * 5
        for i in choice.sample(range(5), k=choice.randint(1, 2)):
            fields[i] = "".join(choice.choices(pieces.split(), k=choice.choice([1, 1, 2, 3, 4])))
        try:
            timetable = parse(" ".join(fields), "Europe/Berlin")
        except InvalidSchedule as refusal:
            assert len(str(refusal)) < 500  # noqa: PT017 - either answer is right
        else:
            understood += 1
            assert timetable.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is not None
    assert understood > 200
