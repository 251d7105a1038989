"""Adds the API to the application: a route an operation, and problems for all other addresses."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, RequestRedirect, Rule

from gocron.context import Context
from gocron.web.api import (
    audit,
    backfills,
    calendars,
    cluster,
    dispatch,
    document,
    groups,
    pauses,
    runs,
    session,
    sessions,
    settings,
    slots,
    task_files,
    task_versions,
    tasks,
    tokens,
    users,
)
from gocron.web.api.operations import Registry, api
from gocron.web.api.problems import Problem

PREFIX = "/api/v1"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

RESOURCES = (
    document,
    session,
    sessions,
    tokens,
    tasks,
    slots,
    task_versions,
    task_files,
    backfills,
    runs,
    cluster,
    pauses,
    calendars,
    groups,
    users,
    audit,
    settings,
)
"""Importing one declares its operations."""


def install(app: Flask, context: Context) -> None:
    """The whole API, as the blueprint ``api``."""
    blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
    for operation in api:
        blueprint.add_url_rule(
            operation.path,
            operation.id,
            dispatch.view(operation, context),
            methods=[operation.method],
            provide_automatic_options=False,
        )
    addresses = _addresses(api)
    blueprint.add_url_rule(
        "/<path:rest>",
        "other",
        lambda rest: _other(addresses, rest),
        methods=METHODS,
        provide_automatic_options=False,
    )
    blueprint.after_request(_add_headers)
    app.register_blueprint(blueprint)


def _addresses(operations: Registry) -> Map:
    rules = [
        Rule(operation.path, methods=[operation.method], endpoint=operation.id)
        for operation in operations
    ]
    return Map(rules, merge_slashes=False, strict_slashes=True)


def _other(addresses: Map, rest: str) -> Response:
    """Whatever no operation answers."""
    try:
        addresses.bind("").match(f"/{rest}", method=request.method)
    except MethodNotAllowed as error:
        allowed = ", ".join(sorted(error.valid_methods or ()))
        words = f"{request.method} is not possible here; allowed: {allowed}"
        return Problem(HTTPStatus.METHOD_NOT_ALLOWED, words, headers={"Allow": allowed}).answer()
    except (NotFound, RequestRedirect):
        pass
    words = f"there is nothing at this address; {PREFIX}/openapi.json says what there is"
    return Problem(HTTPStatus.NOT_FOUND, words).answer()


def _add_headers(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response
