"""The tasks: Flask-Admin's list; what changes something goes through ``gocron.db.tasks``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort, flash, redirect, request
from flask_admin import expose
from flask_admin.actions import action
from flask_admin.contrib.sqla import ModelView
from flask_admin.contrib.sqla.filters import BooleanEqualFilter, FilterEqual
from flask_admin.helpers import get_form_data
from sqlalchemy import select
from sqlalchemy.orm import load_only, undefer
from werkzeug.wrappers import Response

from admin import auth
from admin.database import PanelDatabase
from admin.task_form import TaskForm
from admin.views.base import Guarded, row_id
from admin.views.task_checking import TaskChecking
from admin.views.task_editing import TaskEditing
from admin.views.task_page import TaskPage
from admin.views.task_preview import TaskPreview
from admin.views.task_starting import TaskStarting
from admin.views.task_trial import TaskTrial
from admin.views.words import sentence
from gocron.db import pauses, run_queries, task_queries, tasks
from gocron.db.models import Task
from gocron.errors import Conflict, NotFound

LARGEST_PAGE = 1_000_000


class TaskView(
    TaskEditing, TaskChecking, TaskPreview, TaskTrial, TaskStarting, TaskPage, Guarded, ModelView
):
    """List, create, edit, delete, enable, disable, run now, backfill."""

    list_template = "panel/tasks.html"
    form = TaskForm
    column_list = ("name", "tag", "spec", "timezone", "next_fire_at", "protocol", "enabled")
    column_sortable_list = column_list
    column_default_sort = "name"
    column_labels = {
        "spec": "Schedule",
        "timezone": "Time zone",
        "next_fire_at": "Next slot",
        "protocol": "Kind",
    }
    column_searchable_list = ("name", "tag", "command")
    column_filters = (
        BooleanEqualFilter(Task.enabled, "enabled"),
        FilterEqual(Task.protocol, "protocol"),
        FilterEqual(Task.tag, "tag"),
    )
    named_filter_urls = True
    page_size = 20
    page_size_options = (20, 50, 100)
    can_set_page_size = True

    def __init__(self, models: PanelDatabase) -> None:
        super().__init__(Task, models, name="Tasks", endpoint="tasks", url="/tasks")
        self._models = models

    # reading -------------------------------------------------------------------------------

    def get_query(self) -> Any:
        """Without what a list does not show: commands may be long."""
        shown = (*self.column_list, "broken", "depends_on", "parameters")
        columns = (Task.id, *(getattr(Task, name) for name in shown))
        return super().get_query().options(load_only(*columns))

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Task]]:
        """A page of tasks; what became of each one last is at hand in the template."""
        count, rows = super().get_list(*args, **kwargs)
        self._models.release()
        database = auth.context().database
        self._template_args["last_runs"] = run_queries.last_of_each(
            database, [task.id for task in rows]
        )
        self._template_args["tags"] = task_queries.tags(database)
        self._template_args["paused"] = {
            pause.tag: pause.reason for pause in pauses.listing(database) if pause.in_force
        }
        return count, rows

    def get_one(self, task_id: Any) -> Task | None:
        """A task by the id of the address, whatever was typed there; complete, and no longer
        tied to the session."""
        number = row_id(task_id)
        if number is None:
            return None
        whole = (undefer(Task.http_body),)
        found: Task | None = self._models.session.get(Task, number, options=whole)
        self._models.release()
        return found

    def _get_list_extra_args(self) -> Any:
        """Bounded, so that no address makes a statement that the database refuses."""
        asked = super()._get_list_extra_args()
        asked.page = max(0, min(asked.page or 0, LARGEST_PAGE))
        asked.search = (asked.search or "").replace("\0", "")[:200] or None
        asked.extra_args = {}
        return asked

    def _get_list_filter_args(self) -> Any:
        """A filter that was left empty filters nothing."""
        found = super()._get_list_filter_args() or []
        return [(index, name, value) for index, name, value in found if value and "\0" not in value]

    # changing ------------------------------------------------------------------------------

    @action("enable", "Enable")
    def enable(self, row_ids: Sequence[str]) -> Response:
        """They fire again from their next slot on."""
        return self._set_enabled(row_ids, True)

    @action("disable", "Disable")
    def disable(self, row_ids: Sequence[str]) -> Response:
        """They do not fire any more."""
        return self._set_enabled(row_ids, False)

    def _set_enabled(self, row_ids: Sequence[str], enabled: bool) -> Response:
        wanted = _ids(row_ids)
        try:
            changed = tasks.set_enabled(auth.context().database, wanted, enabled, auth.actor())
        except Conflict as error:
            flash(sentence(error), "danger")
            return redirect(self._back())
        word = "enabled" if enabled else "disabled"
        if not wanted:
            flash("Choose at least one task first.", "warning")
        elif changed == 1:
            flash(f"1 task was {word}.", "success")
        else:
            flash(f"{changed} tasks were {word}.", "success")
        return redirect(self._back())

    @action("delete", "Delete …")
    def action_delete(self, row_ids: Sequence[str]) -> Response:
        """Several: asked about on a page of its own."""
        if not _ids(row_ids):
            flash("Choose at least one task first.", "warning")
            return redirect(self._back())
        return redirect(self.get_url(".delete_view", id=_ids(row_ids), url=self._back()))

    @expose("/delete/", methods=("GET", "POST"))
    def delete_view(self) -> str | Response:
        """GET asks, POST does."""
        wanted = _asked_ids()
        if request.method == "POST":
            try:
                deleted = tasks.delete(auth.context().database, wanted, auth.actor())
            except Conflict as error:
                flash(sentence(error), "danger")
                return redirect(self._back())
            flash(f"{deleted} task{'' if deleted == 1 else 's'} deleted.", "success")
            return redirect(self._back())
        found = self._models.session.execute(
            select(Task.id, Task.name, Task.spec).where(Task.id.in_(wanted)).order_by(Task.name)
        ).all()
        self._models.release()
        if not found:
            raise NotFound("These tasks do not exist any more.")
        rendered: str = self.render("panel/task_delete.html", found=found, back=self._back())
        return rendered

    def action_form(self, obj: Any = None) -> Any:
        """CSRFProtect has checked the request already."""
        return self._action_form_class(get_form_data())

    def _back(self) -> str:
        """Where somebody came from: the list as it was filtered and sorted."""
        return auth.local_path(request.values.get("url"), self.get_url(".index_view"))


def _ids(texts: Sequence[str]) -> list[int]:
    """The ids among ``texts``; bounded, as a page of the list is."""
    return [number for text in texts[:1000] if (number := row_id(text)) is not None]


def _asked_ids() -> list[int]:
    found = _ids(request.values.getlist("id"))
    if not found:
        abort(400)
    return found
