"""What went wrong, as ``application/problem+json`` (RFC 9457): in words, with the field at fault.

No answer has a trace, a statement or a secret in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from flask import Response, json
from pydantic import BaseModel, ConfigDict, Field

from gocron.core.definition import Refused
from gocron.errors import (
    Conflict,
    GocronError,
    InvalidCalendar,
    InvalidImport,
    InvalidSchedule,
    InvalidTask,
    NotFound,
)

CONTENT_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One thing that is wrong in what was sent."""

    model_config = ConfigDict(extra="forbid")

    where: str = Field(description="body, query, path or header")
    pointer: str = Field(description="JSON pointer into the body, or the name of the parameter")
    detail: str = Field(description="what is wrong, and what would be right")


class ProblemBody(BaseModel):
    """RFC 9457. ``errors`` name the fields, if some are at fault."""

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list)


class Problem(Exception):
    """Ends a request with this answer."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def answer(self) -> Response:
        """For the client."""
        body = ProblemBody(
            title=self.status.phrase,
            status=self.status,
            detail=self.detail,
            errors=self.errors,
        )
        text = json.dumps(body.model_dump())
        response = Response(text, self.status, content_type=CONTENT_TYPE)
        response.headers.update(self.headers)
        return response


def body_problem(path: Iterable[str | int], detail: str) -> FieldProblem:
    """A mistake in the body, at ``path``."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return FieldProblem(where="body", pointer="".join(f"/{part}" for part in parts), detail=detail)


def invalid(errors: Sequence[FieldProblem]) -> Problem:
    """422, saying all of them."""
    first = errors[0]
    name = first.pointer.lstrip("/").replace("/", ".") or first.where
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}: {first.detail}{more}", errors)


def from_error(error: GocronError) -> Problem:
    """What the layers below refuse, as an answer."""
    if isinstance(error, Refused):
        return invalid([body_problem(m.path, str(m.message)) for m in error.mistakes])
    if isinstance(error, InvalidTask):
        return invalid([body_problem((error.field,), str(error.message))])
    if isinstance(error, NotFound):
        return Problem(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, Conflict):
        return Problem(HTTPStatus.CONFLICT, str(error))
    if isinstance(error, InvalidSchedule | InvalidCalendar | InvalidImport):
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
