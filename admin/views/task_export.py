"""The tasks as a file: all that fit a filter, or all there are. Written as it is read, a few
hundred tasks at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from flask import abort, request
from flask_admin import expose
from werkzeug.wrappers import Response

from admin import auth, task_filters
from gocron.core import task_writing
from gocron.core.task_files import Form
from gocron.db import task_list
from gocron.db.engine import Database
from gocron.db.task_list import TaskFilter

KINDS = {Form.YAML: "application/yaml", Form.CSV: "text/csv"}

AT_ONCE = 65_536
"""Characters that are sent together: a small piece costs as much as a big one."""


class TaskExport:
    """A part of ``TaskView``."""

    @expose("/export/")
    def export_view(self) -> Response:
        """What ``gocron task import`` and the page for importing read again."""
        word = request.args.get("format", "")
        if word not in KINDS:
            abort(400)
        form = Form(word)
        wanted = task_filters.read(request.args)
        name = f"tasks-{datetime.now(UTC):%Y-%m-%d}.{form}"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
        kind = f"{KINDS[form]}; charset=utf-8"
        return Response(_pieces(auth.context().database, form, wanted), 200, headers, None, kind)


def _pieces(database: Database, form: Form, wanted: TaskFilter) -> Iterator[str]:
    waiting = task_writing.head(form)
    for row in task_list.each(database, wanted):
        waiting += task_writing.one(form, row._asdict())
        if len(waiting) >= AT_ONCE:
            yield waiting
            waiting = ""
    yield waiting
