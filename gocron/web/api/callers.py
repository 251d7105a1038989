"""Who asks: the bearer of an access token (JWT) of a login, or of an API token.

Access tokens are short-lived and signed with a key that is made of ``auth_secret``, and still each
request looks whether their session is in force: what is ended holds with the next request.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import jwt
from flask import current_app, request

from gocron.context import Context
from gocron.core.access import Access, Role, Scope
from gocron.db import api_tokens, sessions
from gocron.db.audit import Actor
from gocron.db.sessions import Client
from gocron.db.users import Account
from gocron.web.api.problems import Problem

ACCESS_LASTS = timedelta(minutes=15)
ALGORITHM = "HS256"
ISSUER = "gocron"
LONGEST_TOKEN = 4096


@dataclass(frozen=True)
class Caller:
    """Somebody who has shown a token. ``session_id`` if it came from a login, ``token_id`` if it
    is an API token."""

    account: Account
    access: Access
    actor: Actor
    session_id: int | None = None
    token_id: int | None = None


NOBODY = Caller(Account(0, "", Role.VIEWER, 0), Access(Role.VIEWER, scope=Scope.READ), Actor(""))
"""Where nobody has to say who they are."""


def client() -> Client:
    """From where this request comes."""
    return Client(request.remote_addr or "", request.user_agent.string)


def actor_of(account: Account, context: Context) -> Actor:
    """For the audit."""
    return Actor(account.username, request.remote_addr or "", context.identity.name)


def access_token(session_id: int) -> str:
    """For the session of a login."""
    now = datetime.now(UTC)
    claims = {"iss": ISSUER, "sid": session_id, "iat": now, "exp": now + ACCESS_LASTS}
    return jwt.encode(claims, _key(), ALGORITHM)


def caller(context: Context) -> Caller:
    """Raises ``Problem``: 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unknown("a bearer token is needed: Authorization: Bearer …", "")
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise _unknown(*NOT_IN_FORCE)
    if token.startswith(api_tokens.PREFIX):
        return _of_api_token(context, token)
    return _of_login(context, token)


NOT_IN_FORCE = ("the token is unknown, expired or revoked", 'error="invalid_token"')


def _of_api_token(context: Context, token: str) -> Caller:
    shown = api_tokens.look(context.database, token, request.remote_addr or "")
    if shown is None:
        raise _unknown(*NOT_IN_FORCE)
    access = replace(shown.account.access, scope=shown.scope, only_tag=shown.tag)
    return Caller(shown.account, access, actor_of(shown.account, context), token_id=shown.id)


def _of_login(context: Context, token: str) -> Caller:
    try:
        claims = jwt.decode(
            token,
            _key(),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            options={"require": ["exp", "sid"]},
        )
    except jwt.InvalidTokenError:
        raise _unknown(*NOT_IN_FORCE) from None
    session_id = claims["sid"]
    seen = sessions.look_by_id(context.database, session_id) if type(session_id) is int else None
    if seen is None:
        raise _unknown(*NOT_IN_FORCE)
    account = seen.account
    return Caller(account, account.access, actor_of(account, context), session_id=seen.id)


def _unknown(detail: str, why: str) -> Problem:
    challenge = f'Bearer realm="gocron"{", " + why if why else ""}'
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})


def _key() -> bytes:
    """Not the secret itself: what is signed here must never pass for something signed there."""
    secret = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(secret, b"access tokens of the API", hashlib.sha256).digest()
