"""The Flask application without the panel: health, metrics, headers, and answers to errors."""

from __future__ import annotations

import hmac
import ipaddress
import logging

from flask import Flask, Response, abort, jsonify, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.middleware.proxy_fix import ProxyFix

from gocron.config import Settings
from gocron.context import Context
from gocron.db.engine import Database, describe, url
from gocron.web import api
from gocron.web.health import Health
from gocron.web.metrics import MetricsPage

log = logging.getLogger("gocron.web")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}

ALWAYS_ANSWERED = ("/healthz", "/readyz")
"""Not subject to ``allow_ips``: whoever probes a node may come from anywhere."""

LARGEST_REQUEST = 16 * 1024**2

PROBE_SILENCE_S = 3.0
"""A database that is silent for this long is away, as far as probes are concerned."""


def create_app(context: Context, secret: str) -> Flask:
    """The application; the panel is added by ``processes.web``."""
    app = Flask("gocron", static_folder=None)
    settings = context.settings
    app.config.update(
        SECRET_KEY=secret,
        SQLALCHEMY_DATABASE_URI=url(settings),
        SESSION_COOKIE_NAME=f"gocron_{settings.web_port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
    )
    app.extensions["gocron"] = context
    guard(app, settings)
    _add_probes(app, context)
    _answer_outages(app)
    api.install(app, context)
    return app


def guard(app: Flask, settings: Settings) -> None:
    """Who may ask, and what every answer says."""
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    networks = [ipaddress.ip_network(text, strict=False) for text in settings.allow_ips]

    @app.before_request
    def only_allowed_addresses() -> None:
        if networks and request.path not in ALWAYS_ANSWERED:
            address = ipaddress.ip_address(request.remote_addr or "0.0.0.0")  # noqa: S104
            if not any(address in network for network in networks):
                abort(403)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, text in HEADERS.items():
            response.headers.setdefault(name, text)
        return response


def _add_probes(app: Flask, context: Context) -> None:
    # Connections of their own: pages that wait for the database must not keep probes waiting.
    database = Database(context.settings, size=3, silence_s=PROBE_SILENCE_S)
    health = Health(context.settings, database, context.board)
    page = MetricsPage(context.settings, database, context.board, context.identity.name)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        found = health.readiness()
        status = "ready" if found.ready else "not ready"
        return jsonify(status=status, problems=found.problems), 200 if found.ready else 503

    @app.get("/metrics")
    def prometheus() -> Response:
        token = context.settings.metrics_token
        if token is not None:
            wanted = f"Bearer {token.get_secret_value()}".encode()
            given = request.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(wanted, given):
                response = Response("a bearer token is needed\n", 401)
                response.headers["WWW-Authenticate"] = "Bearer"
                return response
        return Response(page.render(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _answer_outages(app: Flask) -> None:
    """A database that is away is no bug of a page: say so, and when to come back."""

    def unavailable(error: Exception) -> Response:
        log.warning("%s %s: %s", request.method, request.path, describe(error))
        page = app.extensions.get(OUTAGE, lambda: OUTAGE_PAGE)()
        response = Response(page, 503, content_type="text/html; charset=utf-8")
        response.headers["Retry-After"] = "5"
        return response

    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(kind, unavailable)


OUTAGE = "gocron_outage_page"
"""In ``app.extensions``: what makes the page, if somebody has a better one than this."""

OUTAGE_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Database unavailable - gocron</title>
<h1>The database cannot be reached</h1>
<p>Tasks that are running go on, and their results are kept until the database is back.
Nothing new is started meanwhile. This page tries again every five seconds.</p>
</html>
"""
