"""Between password and code: whose password was right, in the signed cookie. It opens nothing but
the page that asks for the code."""

from __future__ import annotations

import time
from dataclasses import dataclass

from flask import request, session

from admin import auth
from gocron.db import logins
from gocron.db.audit import Actor
from gocron.db.users import Account

KEY = "second_step"
LASTS_S = 300


@dataclass(frozen=True)
class HalfWay:
    """Somebody whose password was right less than five minutes ago."""

    user_id: int
    token_version: int


def remember(account: Account) -> None:
    """Their password was right."""
    session[KEY] = [account.id, account.token_version, int(time.time())]


def half_way() -> HalfWay | None:
    """Who may show a code now."""
    match session.get(KEY):
        case [int(user_id), int(token_version), int(at)] if 0 <= time.time() - at <= LASTS_S:
            return HalfWay(user_id, token_version)
    return None


def let_in(account: Account) -> None:
    """Everything was right: begin a session, and say so in the audit log."""
    auth.begin_session(account)
    who = Actor(account.username, request.remote_addr or "", auth.context().identity.name)
    logins.record(auth.context().database, account, who)
