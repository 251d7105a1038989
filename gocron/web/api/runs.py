"""``/runs``: list, show, output, stop, run again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field

from gocron.core.states import RunState, Trigger
from gocron.db import chains, run_queries
from gocron.db.run_queries import RunFacts, RunFilter, Stopped
from gocron.web.api import objects, requested
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.shapes import Id, Page, Received, Sent, cursor_of, place_of


class Run(Sent):
    """What became of a slot, or of a wish to run a task. ``node`` has it, or had; ``reason`` says
    why it waits, or ended as it did; ``duration_s`` and ``lateness_s`` are seconds."""

    id: int
    task_id: int
    task_name: str
    scheduled_at: datetime
    attempt: int
    trigger: Trigger
    triggered_by: str
    state: RunState
    reason: str
    node: str | None
    revision: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    exit_code: int | None
    duration_s: float | None
    lateness_s: float | None
    missed_until: datetime | None
    missed_count: int | None
    output_bytes: int
    stop_requested_at: datetime | None
    stop_requested_by: str
    parameters: dict[str, Any]


class RunPage(Sent):
    """Newest first; ``next`` is the cursor of the page behind this one, None at the end."""

    items: list[Run]
    next: str | None


class RunQuery(Page):
    """Which runs."""

    task_id: Id | None = None
    state: RunState | None = None
    trigger: Trigger | None = None
    since: Annotated[
        datetime | None, Field(description="only those that came up at this instant or later")
    ] = None
    until: Annotated[datetime | None, Field(description="only those before this instant")] = None


class Output(Sent):
    """A piece of what a run wrote. ``next_offset`` is where to go on; ``complete``: the run has
    ended and this was the end of its output."""

    offset: int
    next_offset: int
    text: str
    complete: bool


class OutputQuery(Received):
    """``offset``: 0, then ``next_offset`` of the answer before."""

    offset: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class StopOutcome(Sent):
    """``cancelled``: it had not begun and will not; ``requested``: its node ends it within a
    second; ``too_late``: it had ended."""

    outcome: Literal["cancelled", "requested", "too_late"]
    run: Run


@api.operation("GET", "/runs", Need.READ, query=RunQuery, answers={HTTPStatus.OK: RunPage})
def list_runs(call: Call) -> Answer:
    """List runs, newest first."""
    query: RunQuery = call.query
    if query.task_id is not None:
        objects.task_was_visible(call, query.task_id)
    wanted = RunFilter(
        task_ids=None if query.task_id is None else (query.task_id,),
        states=() if query.state is None else (query.state,),
        triggers=() if query.trigger is None else (query.trigger,),
        since=requested.aware(query.since, "since"),
        until=requested.aware(query.until, "until"),
        tags=call.caller.access.visible_tags,
    )
    place = place_of(query.cursor, [int])
    before = None if place is None else place[0]
    found = run_queries.page(call.context.database, wanted, query.limit, before)
    following = None if found.older is None else cursor_of(found.older)
    return Answer({"items": [_fields(run) for run in found.runs], "next": following})


@api.operation("GET", with_id("/runs/{run_id}"), Need.READ, answers={HTTPStatus.OK: Run})
def show_run(call: Call) -> Answer:
    """Show a run."""
    return Answer(run_sent(objects.run_of(call, call.path["run_id"])))


@api.operation(
    "GET",
    with_id("/runs/{run_id}/output"),
    Need.READ,
    query=OutputQuery,
    answers={HTTPStatus.OK: Output},
)
def show_output(call: Call) -> Answer:
    """Read what a run wrote, from an offset on; of a run that is going on, what there is so far."""
    run = objects.run_of(call, call.path["run_id"])
    query: OutputQuery = call.query
    found = run_queries.output(call.context.database, run.id, query.offset - 1)
    return Answer(
        Output(
            offset=query.offset,
            next_offset=found.last + 1,
            text="".join(found.pieces),
            complete=found.complete and run.state.ended,
        )
    )


@api.operation(
    "POST", with_id("/runs/{run_id}/stop"), Need.RUN, answers={HTTPStatus.OK: StopOutcome}
)
def stop_run(call: Call) -> Answer:
    """Stop a run that is queued or going on."""
    run = objects.run_to_stop(call, call.path["run_id"])
    outcome = run_queries.stop(call.context.database, run.id, call.caller.actor)
    now = run_queries.show(call.context.database, run.id)
    return Answer(StopOutcome(outcome=OUTCOMES[outcome], run=run_sent(now)))


OUTCOMES: Mapping[Stopped, Literal["cancelled", "requested", "too_late"]] = {
    Stopped.CANCELLED: "cancelled",
    Stopped.REQUESTED: "requested",
    Stopped.TOO_LATE: "too_late",
}


@api.operation(
    "POST",
    with_id("/runs/{run_id}/rerun"),
    Need.RUN,
    answers={HTTPStatus.ACCEPTED: Run},
    answer_headers={"Location": "where the new run is"},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def rerun(call: Call) -> Answer:
    """Run a slot again that has ended, and what depends on it."""
    run = objects.run_to_stop(call, call.path["run_id"])
    run_id = chains.rerun(call.context.database, run.id, call.caller.actor)
    location = {"Location": f"/api/v1/runs/{run_id}"}
    again = run_queries.show(call.context.database, run_id)
    return Answer(run_sent(again), HTTPStatus.ACCEPTED, location)


def run_sent(run: RunFacts) -> Run:
    """For the client."""
    return Run.model_construct(**_fields(run))


STORED = tuple(name for name in Run.model_fields if not name.endswith("_s"))


def _fields(run: RunFacts) -> dict[str, Any]:
    fields = {name: getattr(run, name) for name in STORED}
    fields["duration_s"] = None if run.duration is None else run.duration.total_seconds()
    fields["lateness_s"] = None if run.lateness is None else run.lateness.total_seconds()
    return fields
