"""Answers to what went wrong, as pages that say what to do. They ask no database."""

from __future__ import annotations

from flask import Flask, Response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from gocron.errors import NotFound

WORDS = {
    400: "This request cannot be understood.",
    403: "You may not do this.",
    404: "There is nothing at this address. It may have been deleted.",
    405: "This address does not answer that kind of request.",
    413: "That is more than a form may hold.",
    500: "A mistake in gocron. The log of this node says more.",
}

STALE_FORM = (
    "This page was open since before you logged in or out, so its form is no longer valid. "
    "Go back, load the page again, and repeat what you did."
)
"""Also what somebody sees who was lured here by another site: the request changed nothing."""


def install(app: Flask) -> None:
    """Pages for people; programs get the plain answers of Flask."""
    app.register_error_handler(HTTPException, _page)
    app.register_error_handler(NotFound, _gone)


def wants_page() -> bool:
    """Whether a person is looking; programs ask for JSON."""
    kinds = ("text/html", "application/json")
    return request.accept_mimetypes.best_match(kinds, "text/html") == "text/html"


def _page(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400 or not wants_page():
        return error
    words = STALE_FORM if isinstance(error, CSRFError) else WORDS.get(error.code, "")
    response = Response(
        render_template("panel/error.html", code=error.code, name=error.name, words=words),
        error.code,
    )
    for name, text in error.get_headers():
        if name.lower() != "content-type":  # Allow, Retry-After and the like
            response.headers[name] = text
    return response


def _gone(error: NotFound) -> tuple[str, int]:
    return render_template("panel/error.html", code=404, name="Not found", words=str(error)), 404
