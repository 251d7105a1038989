"""``/sessions``: one's own logins, in browsers and of programs; ending one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus

from gocron.db import sessions
from gocron.errors import NotFound
from gocron.web.api.operations import Answer, Call, Need, api, with_id
from gocron.web.api.shapes import Sent


class Session(Sent):
    """A login that is in force. ``kind`` is panel or api; ``current``: the one that asks."""

    id: int
    kind: str
    address: str
    agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool


class Sessions(Sent):
    """The last used first."""

    items: list[Session]


@api.operation("GET", "/sessions", Need.ACCOUNT, answers={HTTPStatus.OK: Sessions})
def list_sessions(call: Call) -> Answer:
    """List one's own logins."""
    return Answer(sessions_of(call, call.caller.account.id))


@api.operation(
    "DELETE",
    with_id("/sessions/{session_id}"),
    Need.ACCOUNT,
    answers={HTTPStatus.NO_CONTENT: None},
)
def end_session(call: Call) -> Answer:
    """End one of one's own logins, on all nodes at once."""
    return ended(call, call.caller.account.id)


def sessions_of(call: Call, user_id: int) -> Sessions:
    """Of a user who exists."""
    found = sessions.listing(call.context.database, user_id)
    mine = call.caller.session_id
    return Sessions(items=[Session(**asdict(one), current=one.id == mine) for one in found])


def ended(call: Call, user_id: int) -> Answer:
    """The session in the address, if it is the user's. Raises ``NotFound``."""
    session_id = call.path["session_id"]
    if not sessions.end(call.context.database, user_id, session_id, call.caller.actor):
        raise NotFound(f"there is no session {session_id} (any more)")
    return Answer(status=HTTPStatus.NO_CONTENT)
