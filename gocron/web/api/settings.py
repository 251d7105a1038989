"""``/settings``: how long things are kept."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.db import retention
from gocron.db.retention import LONGEST_DAYS
from gocron.web.api.operations import Answer, Call, Need, api
from gocron.web.api.shapes import Received, Sent

Days = Annotated[int, Field(ge=1, le=LONGEST_DAYS)]
Runs = Annotated[int, Field(ge=retention.FEWEST_RUNS, le=retention.MOST_RUNS)]


class Rules(Received):
    """Days, and runs for each task; null: for ever, all of them. All rules have to be said."""

    run_days: Days | None
    runs_per_task: Runs | None
    audit_days: Days | None
    leadership_days: Days | None


class LastPurge(Sent):
    """What the last round of throwing away did."""

    at: datetime
    runs: int
    audit: int
    leadership: int


class Retention(Sent):
    """The rules in force; ``rows`` is about how many there are."""

    run_days: int | None
    runs_per_task: int | None
    audit_days: int | None
    leadership_days: int | None
    last_purge: LastPurge | None
    rows: dict[str, int]


@api.operation("GET", "/settings/retention", Need.ADMIN, answers={HTTPStatus.OK: Retention})
def show_retention(call: Call) -> Answer:
    """Show how long runs, audit log and history are kept."""
    return Answer(_shown(call))


@api.operation(
    "PUT",
    "/settings/retention",
    Need.ADMIN,
    body=Rules,
    answers={HTTPStatus.OK: Retention},
)
def replace_retention(call: Call) -> Answer:
    """Replace the rules. The leader begins to throw away what is older within seconds."""
    given: Rules = call.body
    wanted = retention.Retention(**given.model_dump())
    retention.save(call.context.database, wanted, call.caller.actor)
    return Answer(_shown(call))


def _shown(call: Call) -> Retention:
    database = call.context.database
    last = retention.last_purge(database)
    return Retention(
        **asdict(retention.rules(database)),
        last_purge=None if last is None else LastPurge(**asdict(last)),
        rows=retention.sizes(database),
    )
