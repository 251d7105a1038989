"""Runs of past slots of a task that somebody asks for."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field

from gocron.db import backfills
from gocron.web.api import objects
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.shapes import Instant, Received, Sent

SHOWN = 50


class BackfillRequest(Received):
    """All slots from ``first`` to ``last``, both included; at most ``parallel`` at once."""

    first: Instant
    last: Instant
    parallel: Annotated[int, Field(ge=1, le=backfills.MOST_PARALLEL)] = 1
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=100)


class Backfill(Sent):
    """How far it has come: runs that wait, are going on, have ended, and of these have
    succeeded (``good``)."""

    id: int
    task_id: int
    task_name: str
    first_slot: datetime
    last_slot: datetime
    slots: int
    parallel: int
    created_by: str
    created_at: datetime
    waiting: int
    running: int
    ended: int
    good: int


class Backfills(Sent):
    """The newest first."""

    items: list[Backfill]


@api.operation(
    "POST",
    with_id("/tasks/{task_id}/backfill"),
    Need.RUN,
    tag="tasks",
    body=BackfillRequest,
    answers={HTTPStatus.ACCEPTED: Backfill},
)
def backfill_task(call: Call) -> Answer:
    """Run past slots of a task, in order, also those that have run before."""
    row = objects.task_to_run(call, call.path["task_id"])
    given: BackfillRequest = call.body
    begun = backfills.create(
        call.context.database,
        row.id,
        given.first,
        given.last,
        call.caller.actor,
        parallel=given.parallel,
        given=given.parameters,
    )
    return Answer(Backfill(**asdict(begun)), HTTPStatus.ACCEPTED)


@api.operation(
    "GET",
    with_id("/tasks/{task_id}/backfills"),
    Need.READ,
    tag="tasks",
    answers={HTTPStatus.OK: Backfills},
)
def list_backfills(call: Call) -> Answer:
    """List the newest backfills of a task, with how far they have come."""
    row = objects.task_of(call, call.path["task_id"])
    found = backfills.listing(call.context.database, row.id, SHOWN)
    return Answer(Backfills(items=[Backfill(**asdict(one)) for one in found]))
