"""The runs that are going on in a runner."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from gocron.clock import DatabaseClock, boottime
from gocron.core.states import RunState
from gocron.db.runs import End, QueuedWork
from gocron.execution.base import Done, Job, Outcome, OutputSink
from gocron.processes.active import Active

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class FakeExecutor:
    """Jobs that end when the test says so; as handle it remembers how it was ended."""

    def __init__(self) -> None:
        self.done: dict[int, Done] = {}
        self.calls: list[tuple[str, RunState]] = []
        self.deaf = False
        self.closed = False

    def start(self, job: Job, output: OutputSink, done: Done) -> Any:
        if job.command == "bug":
            raise AttributeError("module has no attribute 'PROTOCOLS_STR'")
        output(job.command.encode())
        self.done[job.run_id] = done
        executor = self

        class Handle:
            def stop(self, state: RunState, reason: str) -> None:
                executor.calls.append(("stop", state))
                if not executor.deaf:
                    done(Outcome(state, reason))

            def kill(self, state: RunState, reason: str) -> None:
                executor.calls.append(("kill", state))
                done(Outcome(state, reason))

        return Handle()

    def close(self) -> None:
        self.closed = True


class FakeRecorder:
    def __init__(self) -> None:
        self.watched: list[int] = []
        self.ends: list[End] = []

    def watch(self, run_id: int, _keeper: object) -> None:
        self.watched.append(run_id)

    def ended(self, end: End) -> None:
        self.ends.append(end)


def work(run_id: int, command: str = "true", *, task_id: int = 5, protocol: str = "shell"):
    return QueuedWork(
        run_id, task_id, "report", NOON, NOON, 0, True, 3, 1, protocol, command, "", {}, "GET", {},
        "", "200", True, "", 0, "skip", 0,
    )  # fmt: skip


class Bench:
    def __init__(self) -> None:
        self.executor, self.recorder, clock = FakeExecutor(), FakeRecorder(), DatabaseClock()
        clock.observe(boottime(), NOON, boottime())
        self.active = Active(
            {"shell": self.executor}, self.recorder, clock, "node-a", 1024  # type: ignore[arg-type]
        )  # fmt: skip

    @property
    def ended(self) -> list[tuple[int, str, str]]:
        return [(end.id, end.state, end.reason) for end in self.recorder.ends]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_runs_are_counted_by_task_until_they_end(bench):
    for run_id, task_id in ((1, 5), (2, 5), (3, 6)):
        bench.active.start(work(run_id, task_id=task_id))
    assert (bench.active.ids, bench.active.by_task()) == ({1, 2, 3}, {5: 2, 6: 1})
    bench.executor.done[1](Outcome(RunState.SUCCESS, "", 0))
    bench.executor.done[3](Outcome(RunState.FAILED, "exit code 2", 2))
    assert (len(bench.active), bench.active.by_task()) == (1, {5: 1})
    assert bench.ended == [(1, "success", ""), (3, "failed", "exit code 2")]
    assert bench.recorder.ends[1].exit_code == 2
    assert bench.recorder.ends[0].output_bytes == len("true")
    assert bench.active.changed.is_set()


def test_an_executor_with_a_bug_fails_its_run_and_no_other(bench, caplog):
    bench.active.start(work(1))
    bench.active.start(work(2, "bug"))
    bench.active.start(work(3))
    assert bench.active.ids == {1, 3}
    assert [(run_id, state) for run_id, state, _ in bench.ended] == [(2, "failed")]
    assert "PROTOCOLS_STR" in bench.ended[0][2]
    assert "the executor of run 2 failed" in caplog.text


def test_a_protocol_that_only_a_newer_node_knows_fails_the_run(bench):
    bench.active.start(work(1, protocol="carrier pigeon"))
    assert bench.ended == [(1, "failed", "this node has no executor for 'carrier pigeon'")]
    assert len(bench.active) == 0


def test_what_was_never_started_is_lost_and_not_a_success(bench):
    bench.active.give_up(work(1), "the node stood still just before the start")
    assert bench.ended == [(1, "lost", "the node stood still just before the start")]


def test_a_run_can_be_stopped_and_one_that_is_unknown_is_none_of_ours(bench):
    bench.active.start(work(1))
    bench.active.stop(99, RunState.CANCELLED, "stopped by anna")
    bench.active.stop(1, RunState.CANCELLED, "stopped by anna")
    assert bench.ended == [(1, "cancelled", "stopped by anna")]


def test_at_the_end_all_are_asked_and_then_made_to_end(bench):
    for run_id in range(3):
        bench.active.start(work(run_id))
    bench.executor.deaf = True
    asyncio.run(bench.active.end_all(RunState.LOST, "the parent died", 0.05))
    assert [name for name, _ in bench.executor.calls] == ["stop"] * 3 + ["kill"] * 3
    assert {state for _, state, _ in bench.ended} == {"lost"}
    assert len(bench.active) == 0
    bench.active.close()
    assert bench.executor.closed
