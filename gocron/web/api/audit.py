"""``/audit``: who changed what, when, from where."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Response
from pydantic import Field

from gocron.db import audit_export, audit_queries
from gocron.db.audit_queries import AuditFilter
from gocron.web.api.operations import Answer, Call, Need, api
from gocron.web.api.shapes import Instant, Line, Page, Received, Sent, cursor_of, place_of

Words = Annotated[Line, Field(max_length=160)]
Since = Annotated[Instant | None, Field(description="only lines of this instant or later")]
Until = Annotated[Instant | None, Field(description="only lines before this instant")]


class AuditLine(Sent):
    """``detail`` is as it was recorded: what was before and after, mostly."""

    id: int
    at: datetime
    actor: str
    address: str
    node_name: str
    action: str
    target: str
    detail: dict[str, Any]


class AuditPage(Sent):
    """Newest first; ``next`` is the cursor of the page behind this one, None at the end."""

    items: list[AuditLine]
    next: str | None


class AuditQuery(Page):
    """Which lines; words are compared as they are, not as parts."""

    actor: Words = ""
    action: Words = ""
    target: Words = ""
    since: Since = None
    until: Until = None


class AuditExportQuery(Received):
    """The same, and how the file is written."""

    format: Literal["csv", "jsonl"] = "csv"
    actor: Words = ""
    action: Words = ""
    target: Words = ""
    since: Since = None
    until: Until = None


@api.operation("GET", "/audit", Need.ADMIN, query=AuditQuery, answers={HTTPStatus.OK: AuditPage})
def list_audit(call: Call) -> Answer:
    """List who did what, newest first."""
    query: AuditQuery = call.query
    place = place_of(query.cursor, [int])
    before = None if place is None else place[0]
    found = audit_queries.page(call.context.database, _filter(query), query.limit, before)
    following = None if found.older is None else cursor_of(found.older)
    items = [AuditLine(**asdict(line)) for line in found.lines]
    return Answer(AuditPage(items=items, next=following))


@api.operation(
    "GET",
    "/audit/export",
    Need.ADMIN,
    query=AuditExportQuery,
    answers={HTTPStatus.OK: ("text/csv", "application/x-ndjson")},
)
def export_audit(call: Call) -> Answer | Response:
    """Write the audit log as a file, newest first."""
    query: AuditExportQuery = call.query
    lines = audit_queries.each(call.context.database, _filter(query))
    as_csv = query.format == "csv"
    pieces = audit_export.csv(lines) if as_csv else audit_export.jsonl(lines)
    kind = "text/csv" if as_csv else "application/x-ndjson"
    name = f'attachment; filename="gocron-audit.{query.format}"'
    headers = {"Content-Disposition": name}
    return Response(pieces, 200, headers, content_type=f"{kind}; charset=utf-8")


def _filter(query: AuditQuery | AuditExportQuery) -> AuditFilter:
    return AuditFilter(query.actor, query.action, query.target, query.since, query.until)
