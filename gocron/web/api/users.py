"""``/users``: who may log in, and what they may do."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.core.access import Role
from gocron.db import user_admin, users
from gocron.db.engine import Database
from gocron.db.together import all_or_none
from gocron.db.user_admin import UserFacts
from gocron.errors import Conflict
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.sessions import Sessions, ended, sessions_of
from gocron.web.api.shapes import Received, Sent

REFUSED = frozenset({HTTPStatus.CONFLICT})

Password = Annotated[str, Field(min_length=users.SHORTEST_PASSWORD, max_length=1024)]
Email = Annotated[str, Field(max_length=254)]
Tags = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(max_length=users.MOST_TAGS, description="whose tasks an operator may change"),
]


class User(Sent):
    """``locked_until`` is None unless that lies ahead; ``second_factor``: whether a login asks for
    one."""

    id: int
    username: str
    email: str
    role: str
    tags: list[str]
    enabled: bool
    failed_logins: int
    locked_until: datetime | None
    second_factor: bool
    created_at: datetime
    last_login_at: datetime | None


class Users(Sent):
    """All of them, by name."""

    items: list[User]


class NewUser(Received):
    """Somebody who may log in."""

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Password
    role: Role
    email: Email = ""
    tags: Tags = Field(default_factory=list)


class UserChange(Received):
    """What is not named stays as it is."""

    role: Role | None = None
    tags: Tags | None = None
    email: Email | None = None
    enabled: bool | None = None


class NewPassword(Received):
    """A new one."""

    password: Password


@api.operation("GET", "/users", Need.ADMIN, answers={HTTPStatus.OK: Users})
def list_users(call: Call) -> Answer:
    """List the users."""
    found = user_admin.listing(call.context.database)
    return Answer(Users(items=[_sent(facts) for facts in found]))


@api.operation(
    "POST",
    "/users",
    Need.ADMIN,
    body=NewUser,
    answers={HTTPStatus.CREATED: User},
    answer_headers={"Location": "where the user is"},
    problems=REFUSED,
)
def create_user(call: Call) -> Answer:
    """Create a user."""
    given: NewUser = call.body
    key = users.create(
        call.context.database,
        given.username,
        given.password,
        call.caller.actor,
        email=given.email,
        role=given.role,
        tags=given.tags,
    )
    location = {"Location": f"/api/v1/users/{key}"}
    return Answer(_shown(call, key), HTTPStatus.CREATED, location)


@api.operation("GET", with_id("/users/{user_id}"), Need.ADMIN, answers={HTTPStatus.OK: User})
def show_user(call: Call) -> Answer:
    """Show a user."""
    return Answer(_shown(call, call.path["user_id"]))


@api.operation(
    "PATCH",
    with_id("/users/{user_id}"),
    Need.ADMIN,
    body=UserChange,
    answers={HTTPStatus.OK: User},
    problems=REFUSED,
)
def change_user(call: Call) -> Answer:
    """Change a user: all of it, or nothing. It holds with their next request.

    Somebody who may administer always remains; nobody changes their own role.
    """
    user_id, given = call.path["user_id"], call.body
    all_or_none(call.context.database, lambda together: _change(call, together, user_id, given))
    return Answer(_shown(call, user_id))


def _change(call: Call, together: Database, user_id: int, given: UserChange) -> None:
    actor = call.caller.actor
    before = user_admin.show(together, user_id)
    if given.role is not None or given.tags is not None:
        role = Role(before.role) if given.role is None else given.role
        tags = before.tags if given.tags is None else given.tags
        user_admin.set_role(together, user_id, role, tags, actor)
    if given.enabled is not None:
        switch = user_admin.enable if given.enabled else user_admin.disable
        switch(together, user_id, actor)
    if given.email is not None:
        user_admin.set_email(together, user_id, given.email, actor)


@api.operation(
    "PUT",
    with_id("/users/{user_id}/password"),
    Need.ADMIN,
    body=NewPassword,
    answers={HTTPStatus.NO_CONTENT: None},
    problems=REFUSED,
)
def set_user_password(call: Call) -> Answer:
    """Give somebody else a new password, and end their logins."""
    facts = user_admin.show(call.context.database, call.path["user_id"])
    if facts.id == call.caller.account.id:
        raise Conflict("this is your own account: change your password in the panel")
    given: NewPassword = call.body
    users.set_password(call.context.database, facts.username, given.password, call.caller.actor)
    return Answer(status=HTTPStatus.NO_CONTENT)


@api.operation(
    "POST", with_id("/users/{user_id}/unlock"), Need.ADMIN, answers={HTTPStatus.OK: User}
)
def unlock_user(call: Call) -> Answer:
    """Forget somebody's wrong passwords."""
    user_admin.unlock(call.context.database, call.path["user_id"], call.caller.actor)
    return Answer(_shown(call, call.path["user_id"]))


@api.operation(
    "DELETE",
    with_id("/users/{user_id}"),
    Need.ADMIN,
    answers={HTTPStatus.NO_CONTENT: None},
    problems=REFUSED,
)
def delete_user(call: Call) -> Answer:
    """Delete somebody else, with their tokens. What they did stays in the audit log."""
    user_admin.remove(call.context.database, call.path["user_id"], call.caller.actor)
    return Answer(status=HTTPStatus.NO_CONTENT)


@api.operation(
    "GET",
    with_id("/users/{user_id}/sessions"),
    Need.ADMIN,
    answers={HTTPStatus.OK: Sessions},
)
def list_user_sessions(call: Call) -> Answer:
    """List somebody's logins."""
    facts = user_admin.show(call.context.database, call.path["user_id"])
    return Answer(sessions_of(call, facts.id))


@api.operation(
    "DELETE",
    with_id("/users/{user_id}/sessions/{session_id}"),
    Need.ADMIN,
    answers={HTTPStatus.NO_CONTENT: None},
)
def end_user_session(call: Call) -> Answer:
    """End one of somebody's logins."""
    facts = user_admin.show(call.context.database, call.path["user_id"])
    return ended(call, facts.id)


def _shown(call: Call, user_id: int) -> User:
    return _sent(user_admin.show(call.context.database, user_id))


def _sent(facts: UserFacts) -> User:
    known = {name: getattr(facts, name) for name in User.model_fields if hasattr(facts, name)}
    return User(**known, second_factor=facts.totp_since is not None)
