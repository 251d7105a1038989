"""The start page: how things are."""

from __future__ import annotations

from datetime import timedelta

from flask_admin import BaseView, expose

from admin import auth
from admin.views.base import Guarded
from gocron.db import run_queries, statistics, task_queries

ROWS = 10
FAILURES_WITHIN = timedelta(days=1)


class StartView(Guarded, BaseView):
    """Counts, what comes next, what failed, who leads."""

    def __init__(self) -> None:
        # A path for static files that is not used keeps Flask-Admin from serving its own.
        super().__init__("Start", endpoint="start", url="/", static_url_path="/static")

    @expose("/")
    def index(self) -> str:
        """One look."""
        database = auth.context().database
        return self.render(  # type: ignore[no-any-return]
            "panel/start.html",
            counts=statistics.recent(database),
            upcoming=task_queries.upcoming(database, ROWS),
            failures=run_queries.failures(database, FAILURES_WITHIN, ROWS),
        )
