"""Who is looking, and what they may do, as ``core.access`` says.

The session cookie carries the key of a session in the database. Every request asks whether that is
still in force and its user enabled: a changed password or role, a disabled account or a logout
holds on all nodes at once. When the database is away the answer is the 503 page, and the session
stays as it is.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, jsonify, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from admin import i18n
from admin.error_pages import wants_page
from admin.rights import Need
from gocron.context import Context
from gocron.core.access import Access
from gocron.db import sessions
from gocron.db.audit import Actor
from gocron.db.sessions import Client, Kind
from gocron.db.users import Account


class Person(UserMixin):
    """A user who has logged in; ``key`` opens their session."""

    def __init__(self, account: Account, session_id: int, key: str) -> None:
        self.account = account
        self.session_id = session_id
        self.key = key

    def get_id(self) -> str:
        """What the cookie remembers."""
        return self.key


class SessionCookies(SecureCookieSessionInterface):
    """Signed cookies that are marked secure where the page came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Per request: the same node may be reached directly and through a proxy with TLS."""
        return request.is_secure


def install(app: Flask) -> None:
    """Sessions, and a CSRF token on everything that is not a GET."""
    app.config.update(
        PERMANENT_SESSION_LIFETIME=sessions.LASTS[Kind.PANEL],
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a form may stay open over lunch
    )
    app.session_interface = SessionCookies()
    protection = CSRFProtect(app)
    protection.exempt(app.blueprints["api"])  # it takes no cookies
    # Its context processor would ask the database for the user of every page, also of those
    # that say that there is no database; the proxy asks when a page shows the user.
    manager = LoginManager(app, add_context_processor=False)
    app.jinja_env.globals.update(current_user=current_user, access=access)
    manager.session_protection = None  # the address of a user may change; the cookie is signed
    manager.user_loader(_load)


def context() -> Context:
    """The node that answers this request."""
    found: Context = current_app.extensions["gocron"]
    return found


def _load(key: str) -> Person | None:
    seen = sessions.look(context().database, key)
    return None if seen is None else Person(seen.account, seen.id, key)


def access() -> Access:
    """What whoever sent this request may do; only for those who have logged in."""
    found: Access = current_user.account.access
    return found


def is_allowed(need: Need) -> bool:
    """Whether whoever sent this request may have an answer of an address that needs this."""
    return current_user.is_authenticated and need.met_by(access())


def require(allowed: bool) -> None:
    """Answer with 403 unless ``allowed``."""
    if not allowed:
        abort(403)


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


def client() -> Client:
    """From where this request comes."""
    return Client(request.remote_addr or "", request.user_agent.string)


def begin_session(account: Account) -> None:
    """Nothing of the session before the login survives it, the CSRF token included; the language
    does."""
    chosen = session.get(i18n.CHOICE, "")
    session.clear()
    session.permanent = True
    i18n.choose(account.language or chosen)
    begun = sessions.begin(context().database, account.id, Kind.PANEL, client())
    login_user(Person(account, begun.id, begun.key))


def end_session() -> None:
    """Log out. A copy of the cookie is worth nothing afterwards either."""
    person = current_user
    sessions.end(context().database, person.account.id, person.session_id, actor())
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
