"""Who is looking, and what they may do. The only place that knows about roles.

The session cookie carries the user's id and ``token_version``. Every request asks the database
whether that user still exists, is enabled and has that version: a changed password, a disabled
account or a logout holds on all nodes at once. When the database is away the answer is the 503
page, and the session stays as it is.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, jsonify, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from admin import i18n
from admin.error_pages import wants_page
from gocron.context import Context
from gocron.db import users
from gocron.db.audit import Actor
from gocron.db.users import Account

SESSION_LASTS = timedelta(hours=12)
"""Since the last request."""


class Person(UserMixin):
    """A user who has logged in."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def get_id(self) -> str:
        """What the session remembers."""
        return f"{self.account.id}:{self.account.token_version}"


class SessionCookies(SecureCookieSessionInterface):
    """Signed cookies that are marked secure where the page came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Per request: the same node may be reached directly and through a proxy with TLS."""
        return request.is_secure


def install(app: Flask) -> None:
    """Sessions, and a CSRF token on everything that is not a GET."""
    app.config.update(
        PERMANENT_SESSION_LIFETIME=SESSION_LASTS,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form may stay open over lunch
    )
    app.session_interface = SessionCookies()
    CSRFProtect(app)
    # Its context processor would ask the database for the user of every page, also of those
    # that say that there is no database; the proxy asks when a page shows the user.
    manager = LoginManager(app, add_context_processor=False)
    app.jinja_env.globals["current_user"] = current_user
    manager.session_protection = None  # the address of a user may change; the cookie is signed
    manager.user_loader(_load)


def context() -> Context:
    """The node that answers this request."""
    found: Context = current_app.extensions["gocron"]
    return found


def _load(remembered: str) -> Person | None:
    user_id, _, version = remembered.partition(":")
    if not (user_id.isascii() and user_id.isdigit()):
        return None
    account = users.find(context().database, int(user_id))
    if account is None or str(account.token_version) != version:
        return None
    return Person(account)


def may_use_panel(account: Account) -> bool:
    """Every user is an administrator for now; what a role may do is decided here."""
    return account.role == "admin"


def is_allowed() -> bool:
    """Whether whoever sent this request may have an answer."""
    return current_user.is_authenticated and may_use_panel(current_user.account)


def refuse() -> AnyResponse:
    """To the login page; programs get 401, and users without the right 403."""
    if current_user.is_authenticated:
        abort(403)
    if not wants_page():
        return _unauthorized()
    wanted = request.full_path.rstrip("?") if request.method == "GET" else ""
    return redirect(url_for("account.login", next=wanted or None))


def _unauthorized() -> Response:
    response = jsonify(error="not logged in")
    response.status_code = 401
    return response


def actor() -> Actor:
    """Whoever sent this request, for the audit."""
    return Actor(current_user.account.username, request.remote_addr or "", context().identity.name)


def begin_session(account: Account) -> None:
    """Nothing of the session before the login survives it, the CSRF token included; the language
    does."""
    chosen = session.get(i18n.CHOICE, "")
    session.clear()
    session.permanent = True
    i18n.choose(account.language or chosen)
    login_user(Person(account))


def end_session() -> None:
    """Log out. A copy of the cookie is worth nothing afterwards either."""
    users.end_sessions(context().database, current_user.account.id)
    logout_user()
    chosen = session.get(i18n.CHOICE, "")
    session.clear()
    i18n.choose(chosen)


def local_path(target: str | None, fallback: str) -> str:
    """``target`` if it is a path of this site, else ``fallback``."""
    if not target or not target.startswith("/") or not target.isprintable() or "\\" in target:
        return fallback
    parts = urlsplit(target)
    if target.startswith("//") or parts.scheme or parts.netloc:
        return fallback
    return target
