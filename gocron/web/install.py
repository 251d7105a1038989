"""The Flask application of a node that is not installed yet, without the page of the wizard."""

from __future__ import annotations

from flask import Flask, Response, jsonify

from gocron.config import Settings
from gocron.web.app import guard

LARGEST_REQUEST = 64 * 1024

NOT_YET = "not installed yet"


def create_install_app(settings: Settings, secret: str) -> Flask:
    """Probes and headers; the page is added by ``processes.install``."""
    app = Flask("gocron", static_folder=None)
    app.config.update(
        SECRET_KEY=secret,
        SESSION_COOKIE_NAME=f"gocron_{settings.web_port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
    )
    guard(app, settings)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        return jsonify(status="not ready", problems=[NOT_YET]), 503

    @app.get("/metrics")
    def metrics() -> tuple[str, int, dict[str, str]]:
        return f"{NOT_YET}\n", 503, {"Content-Type": "text/plain; charset=utf-8"}

    return app
