"""Answers to what went wrong, as pages that say what to do. They ask no database."""

from __future__ import annotations

from flask import Flask, Response, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import Forbidden, HTTPException

from admin.spoken import spoken
from gocron.errors import NotFound

WORDS = {
    400: lazy("This request cannot be understood."),
    403: lazy("You may not do this."),
    404: lazy("There is nothing at this address. It may have been deleted."),
    405: lazy("This address does not answer that kind of request."),
    413: lazy("That is more than a form may hold."),
    500: lazy("A mistake in gocron. The log of this node says more."),
}

NAMES = {
    400: lazy("Not understood"),
    403: lazy("Not allowed"),
    404: lazy("Not found"),
    405: lazy("Not that way"),
    413: lazy("Too much"),
    500: lazy("Something went wrong"),
}

STALE_FORM = lazy(
    "This page was open since before you logged in or out, so its form is no longer valid. "
    "Go back, load the page again, and repeat what you did."
)
"""Also what somebody sees who was lured here by another site: the request changed nothing."""


class NotYours(Forbidden):
    """403, with words in the reader's language about what it is that they may not do."""


def install(app: Flask) -> None:
    """Pages for people; programs get the plain answers of Flask."""
    app.register_error_handler(HTTPException, _page)
    app.register_error_handler(NotFound, _gone)
    app.extensions["gocron_outage_page"] = _outage


def wants_page() -> bool:
    """Whether a person is looking; programs ask for JSON."""
    kinds = ("text/html", "application/json")
    return request.accept_mimetypes.best_match(kinds, "text/html") == "text/html"


def _page(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400 or not wants_page():
        return error
    words = STALE_FORM if isinstance(error, CSRFError) else WORDS.get(error.code, "")
    if isinstance(error, NotYours):
        words = error.description
    name = NAMES.get(error.code, error.name)
    response = Response(
        render_template("panel/error.html", code=error.code, name=name, words=words),
        error.code,
    )
    for name, text in error.get_headers():
        if name.lower() != "content-type":  # Allow, Retry-After and the like
            response.headers[name] = text
    return response


def _outage() -> str:
    """While the database is away; comes back by itself. What was sent is not sent again."""
    return render_template("panel/outage.html", was_sent=request.method != "GET")


def _gone(error: NotFound) -> tuple[str, int]:
    return render_template(
        "panel/error.html", code=404, name=_("Not found"), words=spoken(error)
    ), 404
