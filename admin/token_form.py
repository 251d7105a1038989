"""The form with which somebody makes an API token for themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from admin import auth
from admin.spoken import sentence
from gocron.core.access import Role, Scope
from gocron.db import api_tokens
from gocron.db.api_tokens import Made, Wanted
from gocron.errors import Conflict, InvalidTask

DAYS = 90

SCOPE_WORDS = {
    Scope.READ: lazy("read: see tasks, runs and the cluster"),
    Scope.RUN: lazy("run: also run, stop, enable and disable tasks"),
    Scope.WRITE: lazy("write: also create, change and delete tasks"),
    Scope.ADMIN: lazy("admin: everything, also users and settings"),
}

FURTHEST = {Role.VIEWER: Scope.READ, Role.OPERATOR: Scope.WRITE, Role.ADMIN: Scope.ADMIN}
"""More would be of no use: a token never goes further than its user."""


@dataclass
class TokenForm:
    """What is shown and what was typed; ``days`` "" is for ever."""

    name: str = ""
    scope: str = Scope.READ
    tag: str = ""
    days: str = str(DAYS)
    errors: dict[str, str] = field(default_factory=dict)


def scopes_for(role: Role) -> list[tuple[str, str]]:
    """What a user of this role can choose from, with words."""
    useful = FURTHEST[role].includes
    return [(scope, str(words)) for scope, words in SCOPE_WORDS.items() if scope in useful]


def typed() -> TokenForm:
    """What was sent."""
    name, scope, tag, days = (
        request.form.get(field, "").strip() for field in ("token_name", "scope", "tag", "days")
    )
    return TokenForm(name, scope, tag, days)


def create(form: TokenForm, user_id: int) -> Made | None:
    """The token; None if the form now says what is wrong."""
    if form.scope not in set(Scope):
        form.errors["scope"] = _("Choose one of these.")
    digits = form.days.isascii() and form.days.isdigit() and len(form.days) < 10
    if form.days and not digits:
        form.errors["days"] = _("Must be a whole number of days, or empty.")
    if form.errors:
        return None
    days = int(form.days) if form.days else None
    wanted = Wanted(form.name, Scope(form.scope), days, form.tag)
    try:
        return api_tokens.create(auth.context().database, user_id, wanted, auth.actor())
    except InvalidTask as error:
        form.errors[error.field] = sentence(error.message)
    except Conflict as error:
        form.errors["name"] = sentence(error)
    return None
