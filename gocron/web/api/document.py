"""``/openapi.json``: what the API is, for programs that read it."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus

from flask import Response

from gocron.web.api import openapi
from gocron.web.api.operations import Answer, Call, Need, api


@api.operation("GET", "/openapi.json", Need.NOTHING, answers={HTTPStatus.OK: "application/json"})
def show_document(call: Call) -> Answer | Response:
    """Show this document, OpenAPI 3.1."""
    del call
    return Response(_text(), content_type="application/json")


@cache
def _text() -> str:
    return json.dumps(openapi.document(api, "/api/v1"))
