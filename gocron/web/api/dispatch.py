"""One request to the API: who asks, may they, is it valid; then the handler; then the answer.

::

    unknown caller -> 401    not allowed -> 403    body no JSON -> 400, of another kind -> 415
    invalid -> 422 with every field at fault       what the handler refuses -> its problem
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, request
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from gocron.context import Context
from gocron.db.engine import describe
from gocron.errors import GocronError
from gocron.web.api import problems
from gocron.web.api.callers import NOBODY, Caller, caller
from gocron.web.api.operations import Answer, Call, Need, Operation
from gocron.web.api.problems import FieldProblem, Problem, body_problem

log = logging.getLogger("gocron.web")

LARGEST_BODY = 1024**2
"""Bytes of a JSON body; files of tasks may be larger."""

DEEPEST = 32
"""Levels of lists and objects in a body."""

OUTAGES = (OperationalError, InterfaceError, PoolTimeout)


def view(operation: Operation, context: Context) -> Callable[..., Response]:
    """The function that Flask calls."""

    def answer(**path: Any) -> Response:
        try:
            return _written(operation.handler(_call(operation, context, path)))
        except Problem as problem:
            return problem.answer()
        except GocronError as error:
            return problems.from_error(error).answer()
        except HTTPException as error:
            return of_http(error)
        except OUTAGES as error:
            log.warning("%s %s: %s", request.method, request.path, describe(error))
            return outage()
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return failure()

    answer.__name__ = operation.id
    return answer


def outage() -> Response:
    """While the database is away."""
    words = "the database cannot be reached; nothing was changed, try again in a few seconds"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, words, headers={"Retry-After": "5"}).answer()


def failure() -> Response:
    """A mistake in gocron."""
    words = "a mistake in gocron; the log of this node says more"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, words).answer()


def of_http(error: HTTPException) -> Response:
    """What Flask and Werkzeug refuse, with its headers (``Allow`` and the like)."""
    if isinstance(error, RequestEntityTooLarge):
        words = f"the body is too large; at most {LARGEST_BODY} bytes of JSON"
    else:
        words = error.description or ""
    headers = {name: text for name, text in error.get_headers() if name.lower() != "content-type"}
    return Problem(HTTPStatus(error.code or 500), words, headers=headers).answer()


def _call(operation: Operation, context: Context, path: Mapping[str, Any]) -> Call:
    who = _who(operation, context)
    query = _query(operation)
    return Call(
        context=context,
        caller=who,
        path=path,
        query=query,
        body=_body(operation),
        headers={
            name: request.headers[name] for name in operation.headers if name in request.headers
        },
    )


def _who(operation: Operation, context: Context) -> Caller:
    if operation.need is Need.NOTHING:
        return NOBODY
    who = caller(context)
    if not operation.need.allows(who.access):
        raise Problem(HTTPStatus.FORBIDDEN, f"this needs the right {operation.need.value}")
    return who


def _query(operation: Operation) -> BaseModel | None:
    known = operation.query.model_fields if operation.query else {}
    given: dict[str, Any] = {}
    wrong = []
    for name in request.args:
        values = request.args.getlist(name)
        if name not in known:
            detail = f"there is no such parameter; there are {', '.join(known) or 'none'}"
            wrong.append(FieldProblem(where="query", pointer=name[:100], detail=detail))
        elif len(values) > 1:
            wrong.append(FieldProblem(where="query", pointer=name, detail="was given twice"))
        else:
            given[name] = values[0]
    if operation.query is None:
        if wrong:
            raise problems.invalid(wrong)
        return None
    try:
        query = operation.query.model_validate(given)
    except ValidationError as error:
        wrong += [
            FieldProblem(where="query", pointer=str(found["loc"][0]), detail=_words(found))
            for found in error.errors(include_url=False)
        ]
    if wrong:
        raise problems.invalid(wrong)
    return query


def _body(operation: Operation) -> Any:
    model, read = operation.body, operation.read
    if model is None or (operation.body_optional and not request.content_length):
        return None
    if request.mimetype != "application/json":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Content-Type must be application/json",
            headers={"Accept": "application/json"},
        )
    if (request.content_length or 0) > LARGEST_BODY:
        raise RequestEntityTooLarge
    found = parse(request.get_data())
    if read is not None:
        if not isinstance(found, dict):
            raise problems.invalid([body_problem((), "must be a JSON object")])
        return read(found)
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise problems.invalid(
            [body_problem(_path(found), _words(found)) for found in error.errors(include_url=False)]
        ) from None


def parse(data: bytes) -> Any:
    """JSON as text; raises ``Problem``: 400."""
    try:
        found = json.loads(data, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not UTF-8") from None
    except RecursionError:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is nested too deeply") from None
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from None
    if _deeper_than(found, DEEPEST):
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"the body is nested too deeply; at most {DEEPEST} levels"
        )
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


def _deeper_than(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    inside = value.values() if isinstance(value, dict) else value
    return any(_deeper_than(part, levels - 1) for part in inside)


def _path(found: Any) -> tuple[str | int, ...]:
    return tuple(part for part in found["loc"] if part != "[key]")


def _words(found: Any) -> str:
    """What pydantic says, in our words where those say more."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "there is no such field"
    if kind in ("enum", "literal_error"):
        return f"must be one of {context.get('expected', '')}"
    if kind == "value_error":
        return str(context["error"])
    message = str(found["msg"])
    return message[:1].lower() + message[1:]


def _written(answer: Answer | Response) -> Response:
    if isinstance(answer, Response):
        return answer
    body = answer.body
    if isinstance(body, BaseModel | dict):
        text = to_json(body) if isinstance(body, dict) else body.model_dump_json(warnings=False)
        response = Response(text, answer.status, content_type="application/json")
    else:
        kind = "text/plain; charset=utf-8" if body is not None else None
        response = Response(body, answer.status, content_type=kind)
        if body is None:
            response.headers.pop("Content-Type", None)
    response.headers.update(answer.headers)
    return response
