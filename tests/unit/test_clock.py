"""The database's clock, as a node continues it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gocron import clock
from gocron.clock import SAMPLES_KEPT, SAMPLES_LAST_S, DatabaseClock

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOON_S = NOON.timestamp()


class Server:
    """A clock that shows noon when this host has been up for 1000 s."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def observed_by(self, known: DatabaseClock, up_s: float, *, trip_s: float, read_at: float):
        """A query that takes ``trip_s``; the server reads its clock after that part of it."""
        server_time = NOON_S + up_s - 1000.0 + trip_s * read_at + self.ahead_s
        known.observe(up_s, datetime.fromtimestamp(server_time, UTC), up_s + trip_s)


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_clock_that_was_never_read_says_so():
    known = DatabaseClock()
    assert not known.known
    with pytest.raises(LookupError, match="has not been read"):
        known.now()


def test_it_runs_on_with_the_monotonic_clock(server, monkeypatch):
    known = DatabaseClock()
    server.observed_by(known, 1000.0, trip_s=0.0, read_at=0.0)
    monkeypatch.setattr(clock, "boottime", lambda: 1042.5)
    assert known.now() == NOON + timedelta(seconds=42.5)
    assert known.at(NOON + timedelta(seconds=60)) == pytest.approx(1060.0, abs=1e-5)


@pytest.mark.parametrize("read_at", [0.0, 0.3, 1.0])
def test_its_error_is_at_most_half_of_the_shortest_round_trip(server, read_at):
    known = DatabaseClock()
    for number, trip_s in enumerate([4.0, 0.8, 0.01, 2.0, 4.0]):
        server.observed_by(known, 1000.0 + 5 * number, trip_s=trip_s, read_at=read_at)
    assert known.at(NOON) == pytest.approx(1000.0, abs=0.0051)


def test_a_slow_answer_does_not_shake_it(server):
    known = DatabaseClock()
    server.observed_by(known, 1000.0, trip_s=0.002, read_at=0.5)
    before = known.offset
    server.observed_by(known, 1010.0, trip_s=20.0, read_at=0.0)
    server.observed_by(known, 1040.0, trip_s=20.0, read_at=1.0)
    assert known.offset == before


@pytest.mark.parametrize("jump_s", [-3600.0, -0.5, -0.05, 0.05, 0.5, 3600.0])
def test_it_follows_a_jump_at_the_next_answer(server, jump_s):
    known = DatabaseClock()
    for number in range(SAMPLES_KEPT):
        server.observed_by(known, 1000.0 + number, trip_s=0.002, read_at=0.5)
    server.ahead_s = jump_s
    server.observed_by(known, 1020.0, trip_s=0.004, read_at=0.5)
    assert known.at(NOON) == pytest.approx(1000.0 - jump_s, abs=0.003)


def test_a_drift_is_followed_although_old_answers_were_quicker(server):
    """A server whose clock gains 50 microseconds a second, and a network that got slower."""
    known = DatabaseClock()
    server.observed_by(known, 1000.0, trip_s=0.0001, read_at=0.5)
    for number in range(1, 12):
        server.ahead_s = number * 10 * 50e-6
        server.observed_by(known, 1000.0 + number * 10, trip_s=0.05, read_at=0.5)
    assert known.at(NOON) == pytest.approx(1000.0 - server.ahead_s, abs=0.0035)


def test_an_answer_of_long_ago_is_forgotten_however_quick_it_was(server):
    known = DatabaseClock()
    server.observed_by(known, 1000.0, trip_s=0.0, read_at=0.0)
    server.ahead_s = 0.009
    server.observed_by(known, 1000.0 + SAMPLES_LAST_S + 1, trip_s=0.002, read_at=0.5)
    assert known.at(NOON) == pytest.approx(1000.0 - 0.009, abs=1e-4)


def test_a_jump_does_not_disturb_who_is_just_reading(server):
    known = DatabaseClock()
    server.observed_by(known, 1000.0, trip_s=0.001, read_at=0.5)
    being_read = known._samples
    as_it_was = list(being_read)
    server.ahead_s = 7.0
    server.observed_by(known, 1001.0, trip_s=0.001, read_at=0.5)
    assert being_read == as_it_was
    assert known.at(NOON) == pytest.approx(993.0, abs=0.001)


@pytest.fixture
def nimble_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_it_can_be_read_while_another_thread_observes(server, nimble_threads):
    """Even when it jumps to and fro: a reader never finds it without a time."""
    known, over = DatabaseClock(), threading.Event()
    server.observed_by(known, 1000.0, trip_s=0.0, read_at=0.0)
    problems: list[BaseException] = []

    def read() -> None:
        try:
            while not over.is_set():
                assert known.known
                known.now()
        except BaseException as problem:
            problems.append(problem)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20_000):
        server.ahead_s = 7.0 * (number % 2)
        server.observed_by(known, 1000.0, trip_s=0.001, read_at=0.5)
    over.set()
    reader.join()
    assert problems == []


def test_the_monotonic_clock_never_goes_back():
    moments = [clock.boottime() for _ in range(1000)]
    assert moments == sorted(moments)


def test_log_lines_carry_utc():
    assert clock.utc_now().utcoffset() == timedelta(0)
