"""``/groups``: how many runs of all tasks of a group may go on at once."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.db import groups
from gocron.web.api import objects
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.shapes import Received, Sent

Running = Annotated[int, Field(ge=1, le=groups.MOST_RUNNING)]
Remark = Annotated[str, Field(max_length=groups.LONGEST_REMARK)]


class Group(Sent):
    """``running`` and ``waiting`` are runs of its ``tasks`` at this moment."""

    id: int
    name: str
    max_running: int
    remark: str
    tasks: int
    running: int
    waiting: int


class Groups(Sent):
    """All of them, by name."""

    items: list[Group]


class NewGroup(Received):
    """A group; its name stays, because tasks have it."""

    name: Annotated[str, Field(min_length=1, max_length=groups.LONGEST_NAME)]
    max_running: Running
    remark: Remark = ""


class GroupChange(Received):
    """Another limit; ``remark`` null: as it was."""

    max_running: Running
    remark: Remark | None = None


@api.operation("GET", "/groups", Need.CLUSTER, answers={HTTPStatus.OK: Groups})
def list_groups(call: Call) -> Answer:
    """List the groups."""
    found = groups.listing(call.context.database)
    return Answer(Groups(items=[Group(**asdict(facts)) for facts in found]))


@api.operation(
    "POST",
    "/groups",
    Need.ADMIN,
    body=NewGroup,
    answers={HTTPStatus.CREATED: Group},
    answer_headers={"Location": "where the group is"},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def create_group(call: Call) -> Answer:
    """Create a group."""
    given: NewGroup = call.body
    key = groups.save(
        call.context.database,
        given.name,
        given.max_running,
        given.remark,
        call.caller.actor,
        new=True,
    )
    location = {"Location": f"/api/v1/groups/{key}"}
    return Answer(_shown(call, key), HTTPStatus.CREATED, location)


@api.operation("GET", with_id("/groups/{group_id}"), Need.CLUSTER, answers={HTTPStatus.OK: Group})
def show_group(call: Call) -> Answer:
    """Show a group."""
    return Answer(_shown(call, call.path["group_id"]))


@api.operation(
    "PUT",
    with_id("/groups/{group_id}"),
    Need.ADMIN,
    body=GroupChange,
    answers={HTTPStatus.OK: Group},
)
def replace_group(call: Call) -> Answer:
    """Change the limit of a group. A lower one stops nothing that is running."""
    facts = objects.group_of(call, call.path["group_id"])
    given: GroupChange = call.body
    key = groups.save(
        call.context.database, facts.name, given.max_running, given.remark, call.caller.actor
    )
    return Answer(_shown(call, key))


@api.operation(
    "DELETE",
    with_id("/groups/{group_id}"),
    Need.ADMIN,
    answers={HTTPStatus.NO_CONTENT: None},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def delete_group(call: Call) -> Answer:
    """Delete a group that no task belongs to."""
    facts = objects.group_of(call, call.path["group_id"])
    groups.delete(call.context.database, facts.name, call.caller.actor)
    return Answer(status=HTTPStatus.NO_CONTENT)


def _shown(call: Call, group_id: int) -> Group:
    return Group(**asdict(objects.group_of(call, group_id)))
