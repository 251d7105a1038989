"""When schedules are due: of a task, or of a text that is to become one."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.core.preview import Upcoming, preview
from gocron.core.schedule import rules_of
from gocron.core.timetable import Rules
from gocron.core.words import explain
from gocron.db import calendars, task_rows
from gocron.errors import InvalidSchedule
from gocron.web.api import objects
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.problems import FieldProblem, invalid
from gocron.web.api.shapes import Line, Received, Sent

MOST_SLOTS = 500


class Slot(Sent):
    """``slot`` is UTC, ``local`` the same instant in the zone of the schedule; ``remark`` says what
    changed clocks do to it."""

    slot: datetime
    local: datetime
    remark: str


class NextSlots(Sent):
    """Those to come, as if the task were enabled; none for a task that only runs after others.
    ``broken`` says why it cannot be scheduled."""

    slots: list[Slot]
    broken: str


class SlotsQuery(Received):
    """How many slots."""

    count: Annotated[int, Field(ge=1, le=MOST_SLOTS)] = 10


class ExplainQuery(Received):
    """A schedule. ``name`` is the task's: it decides what H stands for."""

    spec: Annotated[Line, Field(min_length=1, max_length=255)]
    timezone: Annotated[
        Line, Field(max_length=64, description="the installation's if it is left out")
    ] = ""
    name: Annotated[Line, Field(max_length=128)] = ""
    count: Annotated[int, Field(ge=0, le=MOST_SLOTS)] = 5


class Explanation(Sent):
    """A schedule in words, and when it is due."""

    spec: str
    timezone: str
    words: str
    slots: list[Slot]


@api.operation(
    "GET",
    with_id("/tasks/{task_id}/next"),
    Need.READ,
    tag="tasks",
    query=SlotsQuery,
    answers={HTTPStatus.OK: NextSlots},
)
def next_slots(call: Call) -> Answer:
    """Say when a task is due next."""
    row = objects.task_of(call, call.path["task_id"])
    query: SlotsQuery = call.query
    if not row.spec:
        return Answer(NextSlots(slots=[], broken=""))
    with call.context.database.read() as connection:
        days = calendars.named(connection, task_rows.names_of_calendars(row))
    try:
        rules = rules_of(row, days)
        found = preview(row.spec, row.timezone, rules, _now(call), query.count)
    except InvalidSchedule as error:
        return Answer(NextSlots(slots=[], broken=str(error)))
    return Answer(NextSlots(slots=[_sent(one) for one in found], broken=""))


@api.operation(
    "GET",
    "/cron/explain",
    Need.IDENTITY,
    tag="schedules",
    query=ExplainQuery,
    answers={HTTPStatus.OK: Explanation},
)
def explain_schedule(call: Call) -> Answer:
    """Say a schedule in words, with its next slots."""
    query: ExplainQuery = call.query
    zone = query.timezone or call.context.settings.timezone
    try:
        words = explain(query.spec, zone, query.name)
        found = preview(query.spec, zone, Rules(seed=query.name), _now(call), query.count)
    except InvalidSchedule as error:
        problem = FieldProblem(where="query", pointer="spec", detail=str(error))
        raise invalid([problem]) from None
    slots = [_sent(one) for one in found]
    return Answer(Explanation(spec=query.spec, timezone=zone, words=words, slots=slots))


def _now(call: Call) -> datetime:
    database = call.context.database
    with database.read() as connection:
        return database.dialect.now(connection)


def _sent(one: Upcoming) -> Slot:
    return Slot(slot=one.slot, local=one.local, remark=one.remark)
