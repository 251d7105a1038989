"""``/pauses`` of tags and ``/cluster/maintenance``, a pause of everything: times in which nothing
begins by itself."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.db import pauses
from gocron.errors import NotFound
from gocron.web.api.operations import Answer, Call, Need, api
from gocron.web.api.shapes import Instant, Line, Received, Sent

MISSING = frozenset({HTTPStatus.NOT_FOUND})

Reason = Annotated[str, Field(min_length=1, max_length=pauses.LONGEST_REASON)]
Until = Annotated[Instant | None, Field(description="when it ends by itself; null: it does not")]
Tag = Annotated[Line, Field(min_length=1, max_length=pauses.LONGEST_TAG)]


class Pause(Sent):
    """``tag`` is empty for a pause of everything. ``until`` None: until somebody ends it. One that
    is not ``in_force`` has ended by itself."""

    tag: str
    reason: str
    until: datetime | None
    created_by: str
    created_at: datetime
    in_force: bool


class Pauses(Sent):
    """All of them."""

    items: list[Pause]


class MaintenanceRequest(Received):
    """Why, and how long."""

    reason: Reason
    until: Until = None


class PauseRequest(Received):
    """Of the tasks with a tag."""

    tag: Tag
    reason: Reason
    until: Until = None


class PauseQuery(Received):
    """Of which tag."""

    tag: Tag


class Maintenance(Sent):
    """``pause`` is None unless everything is paused."""

    pause: Pause | None


@api.operation("GET", "/pauses", Need.CLUSTER, answers={HTTPStatus.OK: Pauses})
def list_pauses(call: Call) -> Answer:
    """List all pauses, that of everything first."""
    found = pauses.listing(call.context.database)
    return Answer(Pauses(items=[Pause(**asdict(one)) for one in found]))


@api.operation("POST", "/pauses", Need.ADMIN, body=PauseRequest, answers={HTTPStatus.OK: Pause})
def begin_pause(call: Call) -> Answer:
    """Let no task with a tag begin by itself. A pause that is in force gets another end."""
    given: PauseRequest = call.body
    return Answer(_begin(call, given.tag, given.reason, given.until))


@api.operation(
    "DELETE",
    "/pauses",
    Need.ADMIN,
    query=PauseQuery,
    answers={HTTPStatus.NO_CONTENT: None},
    problems=MISSING,
)
def end_pause(call: Call) -> Answer:
    """End the pause of a tag."""
    query: PauseQuery = call.query
    return _end(call, query.tag, f"tasks with the tag {query.tag!r} are not paused")


@api.operation(
    "GET",
    "/cluster/maintenance",
    Need.CLUSTER,
    tag="cluster",
    answers={HTTPStatus.OK: Maintenance},
)
def show_maintenance(call: Call) -> Answer:
    """Say whether everything is paused."""
    found = _find(call, "")
    return Answer(Maintenance(pause=found if found is not None and found.in_force else None))


@api.operation(
    "POST",
    "/cluster/maintenance",
    Need.ADMIN,
    tag="cluster",
    body=MaintenanceRequest,
    answers={HTTPStatus.OK: Pause},
)
def begin_maintenance(call: Call) -> Answer:
    """Let nothing begin by itself. What is running goes on."""
    given: MaintenanceRequest = call.body
    return Answer(_begin(call, "", given.reason, given.until))


@api.operation(
    "DELETE",
    "/cluster/maintenance",
    Need.ADMIN,
    tag="cluster",
    answers={HTTPStatus.NO_CONTENT: None},
    problems=MISSING,
)
def end_maintenance(call: Call) -> Answer:
    """Let tasks begin by themselves again."""
    return _end(call, "", "there is no maintenance")


def _begin(call: Call, tag: str, reason: str, until: datetime | None) -> Pause:
    pauses.pause(call.context.database, tag, reason, until, call.caller.actor)
    found = _find(call, tag.strip())
    if found is None:
        raise NotFound("somebody else has ended the pause at this moment")
    return found


def _end(call: Call, tag: str, missing: str) -> Answer:
    if not pauses.resume(call.context.database, tag, call.caller.actor):
        raise NotFound(missing)
    return Answer(status=HTTPStatus.NO_CONTENT)


def _find(call: Call, tag: str) -> Pause | None:
    found = (one for one in pauses.listing(call.context.database) if one.tag == tag)
    return next((Pause(**asdict(one)) for one in found), None)
