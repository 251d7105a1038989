"""What the headers and texts of a request mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from gocron.db.run_requests import LONGEST_KEY, RunRequest
from gocron.web.api.operations import Call
from gocron.web.api.problems import FieldProblem, invalid


def if_match(call: Call) -> int | None:
    """The revision that the caller knows; None: any. Raises ``Problem``: 422."""
    given = call.headers.get("If-Match", "").strip()
    if given in ("", "*"):
        return None
    match = re.fullmatch(r'"([0-9]{1,9})"', given)
    if match is None:
        raise _wrong("header", "If-Match", 'must be an ETag as it was sent, for example "7"')
    return int(match[1])


def idempotency(call: Call) -> RunRequest | None:
    """What makes two requests one; None: nothing. Raises ``Problem``: 422."""
    key = call.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        detail = f"must be 1 to {LONGEST_KEY} printable ASCII characters"
        raise _wrong("header", "Idempotency-Key", detail)
    return RunRequest(call.caller.account.id, key)


def same_sort(place: list[Any], sort: str) -> tuple[Any, ...]:
    """The place in a cursor, which begins with the order it was made for."""
    if place[0] != sort:
        raise _wrong("query", "cursor", f"belongs to sort={place[0]!r:.20}, not to {sort}")
    return tuple(place[1:])


def instant(text: str, name: str) -> datetime:
    """An instant with its offset, as UTC. Raises ``Problem``: 422."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None or not 1970 <= found.year <= 9000:
            raise ValueError
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        detail = "must be an instant with its offset, as 2026-11-28T09:00:00Z"
        raise _wrong("query", name, detail) from None


def aware(moment: datetime | None, name: str) -> datetime | None:
    """The same as UTC. Raises ``Problem`` (422) for one without an offset."""
    return None if moment is None else instant(moment.isoformat(), name)


def _wrong(where: str, name: str, detail: str) -> Exception:
    return invalid([FieldProblem(where=where, pointer=name, detail=detail)])
