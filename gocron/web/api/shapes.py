"""What several resources send and receive."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from gocron.web.api.problems import FieldProblem, Problem, invalid

LARGEST_ID = 2**63 - 1
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


Line = Annotated[str, AfterValidator(_line)]
"""What databases can compare with, and logs show."""


def _text(given: object) -> object:
    if not isinstance(given, str):
        raise ValueError("must be an instant with its offset, as 2026-11-28T09:00:00Z")
    return given


def _utc(moment: datetime) -> datetime:
    if not 1970 <= moment.year <= 9000:
        raise ValueError("must lie in the years 1970 to 9000")
    return moment.astimezone(UTC)


Instant = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_utc)]
"""In a body or a query; its offset has to be said."""


class Received(BaseModel):
    """A body or a query; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sent(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Received):
    """Query of a list."""

    cursor: Annotated[
        str,
        Field(max_length=500, description="`next` of the page before; leave it out for the first"),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=500, description="at most so many")] = 50


def cursor_of(*place: Any) -> str:
    """What ``place_of`` understands; opaque to clients."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str, kinds: Sequence[type]) -> list[Any] | None:
    """Where the page begins; None for the first. Raises ``Problem``: 422."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = json.loads(text)
    except (ValueError, binascii.Error, RecursionError):
        place = None
    fits = (
        isinstance(place, list)
        and len(place) == len(kinds)
        and all(type(part) is kind for part, kind in zip(place, kinds, strict=True))
        and all(0 < part <= LARGEST_ID for part in place if type(part) is int)
    )
    if not fits:
        detail = "is no cursor of this list; take `next` of the page before as it is"
        raise invalid([FieldProblem(where="query", pointer="cursor", detail=detail)])
    found: list[Any] = place
    return found


def precondition_failed(detail: str) -> Problem:
    """412."""
    return Problem(HTTPStatus.PRECONDITION_FAILED, detail)
