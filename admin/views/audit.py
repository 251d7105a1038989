"""The audit log: who changed what, when, from where."""

from __future__ import annotations

from datetime import datetime

from flask import Response, request
from flask_admin import BaseView, expose

from admin import audit_words, auth, moments
from admin.spoken import sentence
from admin.views.base import Guarded, row_id
from gocron.db import audit_export, audit_queries, user_admin
from gocron.db.audit_queries import AuditFilter

PAGE_SIZE = 50
TEXTS = ("actor", "action", "target")
TIMES = ("since", "until")


class AuditView(Guarded, BaseView):
    """A list that only grows."""

    def __init__(self) -> None:
        super().__init__("Audit log", endpoint="audit", url="/audit")

    @expose("/")
    def index(self) -> str:
        """Newest first; ``before`` is the last line of the page before."""
        database = auth.context().database
        asked = _asked()
        errors: dict[str, str] = {}
        wanted = _filter(asked, errors)
        before = row_id(request.args.get("before"))
        page = audit_queries.page(database, wanted, PAGE_SIZE, before)
        return self.render(  # type: ignore[no-any-return]
            "panel/audit.html",
            page=page,
            asked=asked,
            errors=errors,
            given={name: text for name, text in asked.items() if text},
            before=before,
            actions=sorted({*audit_words.SENTENCES, *filter(None, [asked["action"]])}),
            actors=[user.username for user in user_admin.listing(database)],
            say=audit_words.sentence,
            changes=audit_words.changes,
        )

    @expose("/audit.csv")
    def download(self) -> Response:
        """All that fits the filter, for a spreadsheet."""
        lines = audit_queries.each(auth.context().database, _filter(_asked(), {}))
        headers = {"Content-Disposition": 'attachment; filename="gocron-audit.csv"'}
        return Response(
            audit_export.csv(lines), content_type="text/csv; charset=utf-8", headers=headers
        )


def _asked() -> dict[str, str]:
    """What the address says, in the words of the form."""
    return {
        name: request.args.get(name, "").strip().replace("\0", "")[:160]
        for name in (*TEXTS, *TIMES)
    }


def _filter(asked: dict[str, str], errors: dict[str, str]) -> AuditFilter:
    """A time that cannot be read is said to be so, and left out."""
    times: dict[str, datetime] = {}
    for name in TIMES:
        if asked[name]:
            try:
                times[name] = moments.read(asked[name], auth.context().settings.timezone)
            except ValueError as error:
                errors[name] = sentence(error)
    return AuditFilter(asked["actor"], asked["action"], asked["target"], **times)
