"""``/auth``: logging in with name and password, refreshing, logging out, who one is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.core.access import Role, Scope
from gocron.db import logins, sessions
from gocron.db.logins import CodeNeeded, Refused
from gocron.db.sessions import Kind
from gocron.web.api.callers import ACCESS_LASTS, access_token, actor_of, client
from gocron.web.api.operations import Answer, Call, Need, api
from gocron.web.api.problems import Problem
from gocron.web.api.shapes import Received, Sent


class Credentials(Received):
    """Of a user."""

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    code: Annotated[
        str,
        Field(max_length=64, description="of the second factor, if the user has set one up"),
    ] = ""


class RefreshToken(Received):
    """What a login or the last refresh gave."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class Tokens(Sent):
    """``access_token`` goes into ``Authorization: Bearer …`` for ``expires_in`` seconds;
    ``refresh_token`` gives the next ones, once."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 -- as RFC 6750 calls it
    expires_in: int
    refresh_token: str


class Me(Sent):
    """Who one is. ``tags``: those whose tasks an operator may change. ``scope`` and ``only_tag``:
    what the token allows at most."""

    id: int
    username: str
    role: Role
    tags: list[str]
    scope: Scope
    only_tag: str


@api.operation(
    "POST",
    "/auth/login",
    Need.NOTHING,
    body=Credentials,
    answers={HTTPStatus.OK: Tokens},
    problems=frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}),
)
def login(call: Call) -> Answer:
    """Log in with name and password.

    The answer is the same for unknown names, wrong passwords, and accounts that are disabled or
    locked. With the right password, and without the code of a second factor that was set up, it
    says that one is needed.
    """
    given: Credentials = call.body
    database, who = call.context.database, client()
    outcome = logins.log_in(
        database, call.context.seal, given.username, given.password, who.address, given.code
    )
    if isinstance(outcome, CodeNeeded):
        raise _refusal(Refused("a code of the second factor is needed: send it as `code`"))
    if isinstance(outcome, Refused):
        raise _refusal(outcome)
    begun = sessions.begin(database, outcome.id, Kind.API, who)
    logins.record(database, outcome, actor_of(outcome, call.context))
    return Answer(_tokens(begun.id, begun.key))


def _refusal(refused: Refused) -> Problem:
    if refused.wait is not None:
        seconds = max(1, int(refused.wait.total_seconds()))
        return Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"too many wrong passwords from this address; wait {seconds} seconds",
            headers={"Retry-After": str(seconds)},
        )
    challenge = {"WWW-Authenticate": 'Bearer realm="gocron"'}
    return Problem(HTTPStatus.UNAUTHORIZED, refused.words, headers=challenge)


@api.operation(
    "POST",
    "/auth/refresh",
    Need.NOTHING,
    body=RefreshToken,
    answers={HTTPStatus.OK: Tokens},
    problems=frozenset({HTTPStatus.UNAUTHORIZED}),
)
def refresh(call: Call) -> Answer:
    """Exchange a refresh token for new tokens.

    A refresh token works once. One that is shown again was stolen from somebody: its login ends.
    """
    given: RefreshToken = call.body
    renewed = sessions.renew(call.context.database, given.refresh_token, client())
    if renewed is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "the refresh token is unknown, expired, used before or revoked: log in again",
            headers={"WWW-Authenticate": 'Bearer realm="gocron"'},
        )
    seen, key = renewed
    return Answer(_tokens(seen.id, key))


def _tokens(session_id: int, key: str) -> Tokens:
    return Tokens(
        access_token=access_token(session_id),
        expires_in=int(ACCESS_LASTS.total_seconds()),
        refresh_token=key,
    )


@api.operation("POST", "/auth/logout", Need.IDENTITY, answers={HTTPStatus.NO_CONTENT: None})
def logout(call: Call) -> Answer:
    """End this login, on all nodes at once. An API token is not ended by this: revoke it."""
    caller = call.caller
    if caller.session_id is not None:
        sessions.end(call.context.database, caller.account.id, caller.session_id, caller.actor)
    return Answer(status=HTTPStatus.NO_CONTENT)


@api.operation("GET", "/auth/me", Need.IDENTITY, answers={HTTPStatus.OK: Me})
def me(call: Call) -> Answer:
    """Say who the token belongs to, and what it allows."""
    account, access = call.caller.account, call.caller.access
    return Answer(
        Me(
            id=account.id,
            username=account.username,
            role=account.role,
            tags=sorted(account.tags),
            scope=access.scope,
            only_tag=access.only_tag,
        )
    )
