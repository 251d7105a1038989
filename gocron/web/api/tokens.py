"""``/tokens``: with which programs use the API; made, listed, revoked."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from gocron.core.access import Scope
from gocron.db import api_tokens
from gocron.db.api_tokens import TokenFacts, Wanted
from gocron.web.api import objects
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.shapes import Received, Sent


class TokenLine(Sent):
    """A token; ``hint`` is how it begins. ``tag``: the only one whose tasks it is for, "" for all
    tasks. ``expires_at`` None: never."""

    id: int
    user_id: int
    username: str
    name: str
    hint: str
    scope: str
    tag: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str


class TokenList(Sent):
    """By user and name."""

    items: list[TokenLine]


class TokenQuery(Received):
    """``all``: those of all users, for administrators."""

    all: bool = False


class NewToken(Received):
    """``days`` until it expires, null: never. It allows what its user may do, up to ``scope``."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    scope: Scope
    days: Annotated[int, Field(ge=1, le=api_tokens.LONGEST_DAYS)] | None
    tag: Annotated[str, Field(max_length=64)] = ""


class MadeToken(TokenLine):
    """``token`` is shown this once."""

    token: str


@api.operation("GET", "/tokens", Need.ACCOUNT, query=TokenQuery, answers={HTTPStatus.OK: TokenList})
def list_tokens(call: Call) -> Answer:
    """List one's own tokens, or all."""
    query: TokenQuery = call.query
    if query.all and not call.caller.access.administers:
        raise objects.refused("only administrators see the tokens of others")
    user_id = None if query.all else call.caller.account.id
    found = api_tokens.listing(call.context.database, user_id)
    return Answer(TokenList(items=[TokenLine(**asdict(facts)) for facts in found]))


@api.operation(
    "POST",
    "/tokens",
    Need.ACCOUNT,
    body=NewToken,
    answers={HTTPStatus.CREATED: MadeToken},
    problems=frozenset({HTTPStatus.CONFLICT}),
)
def create_token(call: Call) -> Answer:
    """Make a token for oneself. It is shown once."""
    given: NewToken = call.body
    wanted = Wanted(given.name, given.scope, given.days, given.tag.strip())
    user_id = call.caller.account.id
    made = api_tokens.create(call.context.database, user_id, wanted, call.caller.actor)
    facts = _facts(call, user_id, made.id)
    return Answer(MadeToken(**asdict(facts), token=made.token), HTTPStatus.CREATED)


def _facts(call: Call, user_id: int, token_id: int) -> TokenFacts:
    found = api_tokens.listing(call.context.database, user_id)
    return next(facts for facts in found if facts.id == token_id)


@api.operation(
    "DELETE",
    with_id("/tokens/{token_id}"),
    Need.ACCOUNT,
    answers={HTTPStatus.NO_CONTENT: None},
)
def revoke_token(call: Call) -> Answer:
    """Revoke a token, on all nodes at once; administrators also those of others."""
    caller = call.caller
    user_id = None if caller.access.administers else caller.account.id
    api_tokens.revoke(call.context.database, call.path["token_id"], caller.actor, user_id)
    return Answer(status=HTTPStatus.NO_CONTENT)
