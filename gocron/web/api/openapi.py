"""The OpenAPI 3.1 document, made from the registry of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gocron.web.api.operations import Need, Operation
from gocron.web.api.problems import CONTENT_TYPE, ProblemBody

REF = "#/components/schemas/{model}"

LARGEST_ID = 2**63 - 1

ALWAYS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
)

WORDS = {
    HTTPStatus.BAD_REQUEST: "The request cannot be understood.",
    HTTPStatus.UNAUTHORIZED: "No token, or none that is in force.",
    HTTPStatus.FORBIDDEN: "The caller may not do this.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or none that the caller may see.",
    HTTPStatus.CONFLICT: "It is not so any more, or something else stands in the way.",
    HTTPStatus.PRECONDITION_FAILED: "Somebody else changed it since; load it again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of another kind than asked for.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A rule is broken; errors name every field at fault.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too often; Retry-After says when.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A mistake in gocron.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away; Retry-After says when.",
}

Schemas = Mapping[Any, Any]
"""(model, "validation" or "serialization") -> its reference."""


def document(operations: Iterable[Operation], server: str) -> dict[str, Any]:
    """For clients, and for the page that tries it. ``server`` is where the API is."""
    known = list(operations)
    references, definitions = _schemas(known)
    paths: dict[str, dict[str, Any]] = {}
    for operation in known:
        place = paths.setdefault(template(operation.path), {})
        place[operation.method.lower()] = _operation(operation, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gocron",
            "version": "1",
            "summary": "A scheduler that never runs a slot twice and never forgets one.",
            "description": (
                "Instants are UTC, in RFC 3339. Lists have a `next` cursor until their end. "
                "Errors are `application/problem+json` and name every field at fault."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of a login, or an API token (gct_…).",
                }
            },
        },
    }


def template(path: str) -> str:
    """``/tasks/<int(…):task_id>`` -> ``/tasks/{task_id}``."""
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", path)


def _schemas(operations: Iterable[Operation]) -> tuple[Schemas, dict[str, Any]]:
    wanted: list[tuple[type[BaseModel], Any]] = [(ProblemBody, "serialization")]
    for operation in operations:
        if operation.body is not None:
            wanted.append((operation.body, "validation"))
        wanted += [
            (model, "serialization")
            for model in operation.answers.values()
            if isinstance(model, type)
        ]
    references, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=REF)
    return references, definitions.get("$defs", {})


def _operation(operation: Operation, references: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation, references),
        "security": [] if operation.need is Need.NOTHING else [{"bearer": []}],
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        schema = references[operation.body, "validation"]
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
        }
        for name in operation.parameters
    ]
    found += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": words,
            "schema": {"type": "string"},
        }
        for name, words in operation.headers.items()
    ]
    if operation.query is not None:
        schema = operation.query.model_json_schema()
        definitions = schema.get("$defs", {})
        for name, described in schema["properties"].items():
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in schema.get("required", ()),
                    "schema": _inlined(described, definitions),
                }
            )
    return found


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Without references to definitions that a parameter has no place for."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            named = definitions[schema["$ref"].rpartition("/")[2]]
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return {**_inlined(named, definitions), **rest}
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    return schema


def _responses(operation: Operation, references: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, shape in operation.answers.items():
        response: dict[str, Any] = {"description": status.description or status.phrase}
        if isinstance(shape, type):
            schema = references[shape, "serialization"]
            response["content"] = {"application/json": {"schema": schema}}
        elif shape is not None:
            kinds = (shape,) if isinstance(shape, str) else shape
            response["content"] = {kind: {"schema": {}} for kind in kinds}
        if operation.answer_headers:
            response["headers"] = {
                name: {"description": words, "schema": {"type": "string"}}
                for name, words in operation.answer_headers.items()
            }
        found[str(int(status))] = response
    problem = references[ProblemBody, "serialization"]
    for status in sorted(_problems(operation)):
        found[str(int(status))] = {
            "description": WORDS[status],
            "content": {CONTENT_TYPE: {"schema": problem}},
        }
    return found


def _problems(operation: Operation) -> frozenset[HTTPStatus]:
    found = ALWAYS | operation.problems
    if operation.need is not Need.NOTHING:
        found |= {HTTPStatus.UNAUTHORIZED}
    if operation.need not in (Need.NOTHING, Need.IDENTITY, Need.READ):
        found |= {HTTPStatus.FORBIDDEN}
    if operation.parameters:
        found |= {HTTPStatus.NOT_FOUND}
    if operation.body is not None:
        found |= {HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    return found
