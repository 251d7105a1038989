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


def work(run_id: int, command: str = "true", **more: Any) -> QueuedWork:
    fields: dict[str, Any] = {"task_id": 5, "protocol": "shell"} | more
    return QueuedWork(
        id=run_id, task_name="report", scheduled_at=NOON, start_at=NOON, attempt=0, scheduled=True,
        term=3, revision=1, command=command, working_dir="", environment={}, http_method="GET",
        http_headers={}, http_body="", http_statuses="200", http_verify_tls=True,
        success_pattern="", timeout=0, overlap="skip", max_parallel=0, **fields,
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


def counted(bench: Bench) -> dict[int, int]:
    return dict(bench.active.counted({}).by_task)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_runs_are_counted_by_task_until_they_end(bench):
    for run_id, task_id in ((1, 5), (2, 5), (3, 6)):
        bench.active.start(work(run_id, task_id=task_id))
    assert (bench.active.ids, counted(bench)) == ({1, 2, 3}, {5: 2, 6: 1})
    bench.executor.done[1](Outcome(RunState.SUCCESS, "", 0))
    bench.executor.done[3](Outcome(RunState.FAILED, "exit code 2", 2))
    assert (len(bench.active), counted(bench)) == (1, {5: 1})
    assert bench.ended == [(1, "success", ""), (3, "failed", "exit code 2")]
    assert bench.recorder.ends[1].exit_code == 2
    assert bench.recorder.ends[0].output_bytes == len("true")
    assert bench.active.changed.is_set()


def test_runs_are_counted_by_group_and_backfill_too_and_those_without_are_not(bench):
    bench.active.start(work(1, group="disk", backfill_id=7))
    bench.active.start(work(2, group="disk", task_id=6))
    bench.active.start(work(3))
    found = bench.active.counted({5: [9]})
    assert (found.by_task, found.by_group) == ({5: 2, 6: 1}, {"disk": 2})
    assert (found.by_backfill, found.waiting) == ({7: 1}, {5: [9]})


def test_a_job_carries_the_values_of_its_parameters_and_the_runs_before_it(bench):
    jobs: list[Job] = []
    start = bench.executor.start

    def note_and_start(job: Job, *rest: Any) -> Any:
        jobs.append(job)
        return start(job, *rest)

    bench.executor.start = note_and_start
    before = [{"run": 4, "task": "extract", "state": "success"}]
    bench.active.start(work(1, parameters={"DAY": "monday"}, parents=before))
    assert (jobs[0].parameters, jobs[0].parents) == ({"DAY": "monday"}, before)


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
