"""From a queued row to a running command, with a database that says what the test wants."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from gocron.clock import DatabaseClock, boottime
from gocron.core.identity import Identity
from gocron.core.starting import Wait
from gocron.core.states import Trigger
from gocron.db import runs, starts
from gocron.db.runs import QueuedWork
from gocron.db.starts import Decided, Going
from gocron.processes.starter import FEW_LATE, Starter
from tests.unit.processes.queued_work import work

AWAY = OperationalError("COMMIT", {}, Exception("server closed the connection"))


class FakeActive:
    """Runs that go on until the test ends them."""

    def __init__(self) -> None:
        self.going: dict[int, QueuedWork] = {}
        self.changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self.going)

    @property
    def ids(self) -> set[int]:
        return set(self.going)

    def counted(self, waiting: dict[int, list[int]]) -> Going:
        return Going(Counter(run.task_id for run in self.going.values()), waiting=waiting)

    def start(self, run: QueuedWork) -> None:
        assert run.id not in self.going
        self.going[run.id] = run

    def end(self, run_id: int) -> None:
        del self.going[run_id]
        self.changed.set()


class FakeThreads:
    async def start(self, job: Callable[[], Any]) -> Any:
        await asyncio.sleep(0)
        return job()

    read = start


class World:
    """Rows that are queued for this node, and what becomes of them when they are to start."""

    def __init__(self, max_running: int) -> None:
        self.loop = asyncio.Runner()
        self.queued: dict[int, QueuedWork] = {}
        self.asked: list[list[int]] = []
        self.loads = 0
        self.settled: list[int] = []
        self.verdict: Callable[[QueuedWork], object] = lambda _run: "start"
        self.trouble: Exception | None = None
        clock = DatabaseClock()
        clock.observe(boottime(), datetime.now(UTC), boottime())
        self.active = FakeActive()
        self.starter = Starter(
            self,  # type: ignore[arg-type]
            Identity(1, "me", "x", "host", 1),
            self.active,  # type: ignore[arg-type]
            FakeThreads(),  # type: ignore[arg-type]
            clock,
            max_running=max_running,
            misfire_grace_s=30.0,
            complain=lambda _error: None,
        )
        self.dialect = None

    def transact(self, job: Callable[[Any], Any]) -> Any:
        return job(None)

    def queue(self, *works: QueuedWork) -> None:
        self.queued |= {run.id: run for run in works}

    def queued_ids(self, _database: object, _node_id: int, *, with_late: bool) -> list[int]:
        self.loads += 1
        ids = sorted(self.queued, key=lambda run_id: (self.queued[run_id].in_order, run_id))
        return [run_id for run_id in ids if with_late or not self.queued[run_id].in_order]

    def load(self, _database: object, _node_id: int, ids: Sequence[int]) -> list[QueuedWork]:
        return [self.queued[run_id] for run_id in ids if run_id in self.queued]

    def start(
        self,
        _connection: object,
        _dialect: object,
        _me: Identity,
        works: Sequence[QueuedWork],
        _going: Going,
        room: int,
    ) -> Decided:
        """``start``, a verdict, or None: somebody else has it locked."""
        self.asked.append([run.id for run in works])
        decided = Decided()
        for run in works:
            if len(decided.started) >= room:
                decided.later.append(run)
                continue
            verdict = self.verdict(run)
            if verdict == "start":
                decided.started.append(self.queued.pop(run.id))
            elif isinstance(verdict, Wait):
                decided.held[run.id] = verdict
        if self.trouble is not None:
            raise self.trouble
        return decided

    def settle(
        self, _database: object, _node_id: int, ids: Sequence[int], _reason: str
    ) -> tuple[set[int], int]:
        self.settled += ids
        return set(ids), 0

    def go(self, until: Callable[[], object], most_s: float = 5.0) -> None:
        self.loop.run(self._go(until, most_s))

    def go_for(self, seconds: float) -> None:
        end = boottime() + seconds
        self.go(lambda: boottime() >= end)

    async def _go(self, until: Callable[[], object], most_s: float) -> None:
        jobs: list[Awaitable[None]] = [self.starter.load_forever(), self.starter.start_forever()]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        async with asyncio.timeout(most_s):
            while not until():
                await asyncio.sleep(0.002)
                for task in tasks:
                    if task.done():
                        task.result()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def max_running() -> int:
    return 10


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, max_running: int) -> Iterator[World]:
    world = World(max_running)
    monkeypatch.setattr(runs, "queued_ids", world.queued_ids)
    monkeypatch.setattr(runs, "load", world.load)
    monkeypatch.setattr(runs, "settle_unstarted", world.settle)
    monkeypatch.setattr(starts, "start", world.start)
    monkeypatch.setattr(Starter, "_read_clock", lambda _self: None)
    yield world
    world.loop.close()


def test_what_is_due_is_started_once(world):
    world.queue(*(work(n) for n in range(1, 6)))
    world.go(lambda: len(world.active) == 5)
    assert sorted(run_id for batch in world.asked for run_id in batch) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("max_running", [2])
def test_no_more_run_at_once_than_the_node_may_and_the_rest_follows(world):
    world.queue(*(work(n) for n in range(1, 6)))
    world.go(lambda: len(world.active) == 2)
    first = world.active.ids
    for run_id in first:
        world.active.end(run_id)
    world.go(lambda: len(world.active) == 2)
    assert not first & world.active.ids
    assert len(world.queued) == 1


@pytest.mark.parametrize("max_running", [1])
def test_what_has_to_wait_takes_no_room_from_what_may_begin(world):
    """Or hundreds of transactions would ask for three at a time."""
    world.queue(*(work(n, priority=5, task_id=1) for n in range(1, 200)), work(500))
    world.verdict = lambda run: "start" if run.id == 500 else Wait("others", blocker="group g")
    world.go(lambda: 500 in world.active.ids)
    assert len(world.asked) <= 3


def test_what_somebody_has_locked_is_asked_for_again_but_not_in_a_hot_loop(world):
    world.queue(work(1))
    world.verdict = lambda _run: None
    world.go_for(0.7)
    assert 2 <= len(world.asked) <= 8
    assert world.loads <= 10
    world.verdict = lambda _run: "start"
    world.go(lambda: world.active.ids == {1})


def test_what_was_locked_only_for_a_moment_starts_at_once(world):
    world.queue(work(1))
    answers = iter([None])
    world.verdict = lambda _run: next(answers, "start")
    began = boottime()
    world.go(lambda: world.active.ids == {1})
    assert boottime() - began < 0.15


def test_a_run_that_waits_is_asked_for_again_when_another_ends(world):
    world.queue(work(1), work(2, task_id=1))
    world.verdict = lambda run: (
        Wait("the other", blocker="") if world.active.ids or run.id == 2 else "start"
    )
    world.go(lambda: world.active.ids == {1} and len(world.asked) >= 1)
    world.verdict = lambda _run: "start"
    world.active.end(1)
    world.go(lambda: world.active.ids == {2})


def test_a_start_whose_commit_was_not_answered_is_not_tried_again_before_it_is_settled(world):
    world.queue(work(1), work(2))
    world.trouble = AWAY
    world.verdict = lambda _run: None
    world.go_for(0.5)
    assert len(world.asked) == 1
    assert world.active.ids == set()
    world.trouble = None
    world.verdict = lambda _run: "start"
    world.loop.run(world.starter.settle_doubt())
    assert sorted(world.settled) == [1, 2]
    world.go(lambda: world.active.ids == {1, 2})


def test_what_was_withdrawn_while_it_waited_is_forgotten(world):
    world.queue(work(1))
    world.verdict = lambda _run: Wait("others", blocker="group g")
    world.go(lambda: world.asked)
    world.queued.clear()
    world.go(lambda: world.starter.known == set())


def test_what_is_on_time_is_seen_at_once_while_much_is_caught_up_on(world):
    """That is looked at now and then: tens of thousands of rows are not read every second."""
    world.queue(*(work(n, trigger=Trigger.CATCH_UP) for n in range(1, FEW_LATE + 100)))
    load = world.starter.load
    world.loop.run(load())
    assert len(world.starter.known) == len(world.queued)

    del world.queued[1]  # withdrawn
    world.queue(work(5000), work(5001, trigger=Trigger.BACKFILL))
    world.loop.run(load())
    assert {1, 5000, 5001} & world.starter.known == {1, 5000}
    del world.queued[5000]
    world.loop.run(load())
    assert {1, 5000, 5001} & world.starter.known == {1}

    world.starter._late_at = 0.0  # some seconds later
    world.loop.run(load())
    assert {1, 5000, 5001} & world.starter.known == {5001}


def test_what_is_caught_up_on_is_read_at_once_when_little_of_it_is_left(world):
    late = [work(n, trigger=Trigger.CATCH_UP) for n in range(1, FEW_LATE + 100)]
    world.queue(*late[:10])
    world.loop.run(world.starter.load())
    world.queue(*late[10:])
    world.loop.run(world.starter.load())
    assert len(world.starter.known) == len(late)
