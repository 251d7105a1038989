"""``/calendars``: named sets of days that tasks exclude or require."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.core.calendars import parse_days
from gocron.db import calendars
from gocron.errors import InvalidCalendar
from gocron.web.api import objects
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.problems import body_problem, invalid
from gocron.web.api.shapes import Received, Sent

Days = Annotated[
    list[Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}(\.\.\d{4}-\d{2}-\d{2})?$")]],
    Field(
        max_length=calendars.MOST_DAYS,
        description="days as 2026-12-24, or ranges as 2026-12-24..2026-12-31",
    ),
]
Remark = Annotated[str, Field(max_length=calendars.LONGEST_REMARK)]


class CalendarLine(Sent):
    """A calendar without its days. ``used_by``: how many tasks name it."""

    id: int
    name: str
    day_count: int
    first_day: date | None
    last_day: date | None
    remark: str
    updated_at: datetime
    used_by: int


class Calendars(Sent):
    """All of them, by name."""

    items: list[CalendarLine]


class Calendar(CalendarLine):
    """A calendar with its days."""

    days: list[date]


class NewCalendar(Received):
    """A calendar; its name stays, because tasks have it."""

    name: Annotated[str, Field(min_length=1, max_length=calendars.LONGEST_NAME)]
    days: Days
    remark: Remark = ""


class CalendarChange(Received):
    """All of its days; ``remark`` null: as it was."""

    days: Days
    remark: Remark | None = None


class DeleteQuery(Received):
    """``force``: also if tasks name it; they are broken then."""

    force: bool = False


@api.operation("GET", "/calendars", Need.CLUSTER, answers={HTTPStatus.OK: Calendars})
def list_calendars(call: Call) -> Answer:
    """List the calendars, without their days."""
    found = calendars.listing(call.context.database)
    return Answer(Calendars(items=[CalendarLine(**asdict(facts)) for facts in found]))


@api.operation(
    "POST",
    "/calendars",
    Need.ADMIN,
    body=NewCalendar,
    answers={HTTPStatus.CREATED: Calendar},
    answer_headers={"Location": "where the calendar is"},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def create_calendar(call: Call) -> Answer:
    """Create a calendar."""
    given: NewCalendar = call.body
    key = calendars.save(
        call.context.database,
        given.name,
        _days(given.days),
        given.remark,
        call.caller.actor,
        new=True,
    )
    location = {"Location": f"/api/v1/calendars/{key}"}
    return Answer(_shown(call, key), HTTPStatus.CREATED, location)


@api.operation(
    "GET", with_id("/calendars/{calendar_id}"), Need.CLUSTER, answers={HTTPStatus.OK: Calendar}
)
def show_calendar(call: Call) -> Answer:
    """Show a calendar with its days."""
    return Answer(_shown(call, call.path["calendar_id"]))


@api.operation(
    "PUT",
    with_id("/calendars/{calendar_id}"),
    Need.ADMIN,
    body=CalendarChange,
    answers={HTTPStatus.OK: Calendar},
)
def replace_calendar(call: Call) -> Answer:
    """Replace the days of a calendar. Tasks that name it are due by the new days at once."""
    facts = objects.calendar_of(call, call.path["calendar_id"])
    given: CalendarChange = call.body
    key = calendars.save(
        call.context.database, facts.name, _days(given.days), given.remark, call.caller.actor
    )
    return Answer(_shown(call, key))


@api.operation(
    "DELETE",
    with_id("/calendars/{calendar_id}"),
    Need.ADMIN,
    query=DeleteQuery,
    answers={HTTPStatus.NO_CONTENT: None},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def delete_calendar(call: Call) -> Answer:
    """Delete a calendar that no task names."""
    facts = objects.calendar_of(call, call.path["calendar_id"])
    query: DeleteQuery = call.query
    calendars.delete(call.context.database, facts.name, call.caller.actor, query.force)
    return Answer(status=HTTPStatus.NO_CONTENT)


def _days(given: Iterable[str]) -> frozenset[date]:
    try:
        return parse_days("\n".join(given))
    except InvalidCalendar as error:
        raise invalid([body_problem(("days",), str(error))]) from None


def _shown(call: Call, calendar_id: int) -> Calendar:
    facts = objects.calendar_of(call, calendar_id)
    days = calendars.days_of(call.context.database, facts.name)
    return Calendar(**asdict(facts), days=sorted(days))
