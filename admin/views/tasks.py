"""The tasks: Flask-Admin's list; what changes something goes through ``gocron.db.tasks``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask_admin import expose
from flask_admin.actions import action
from flask_admin.contrib.sqla import ModelView
from flask_admin.helpers import get_form_data
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import undefer
from werkzeug.wrappers import Response

from admin import auth, task_access, task_filters
from admin.database import PanelDatabase
from admin.error_pages import wants_page
from admin.rights import Need
from admin.schedule_words import in_words
from admin.sparkline import sparkline
from admin.spoken import sentence
from admin.task_form import TaskForm
from admin.views.base import Guarded, row_id
from admin.views.task_bulk import TaskBulk
from admin.views.task_checking import TaskChecking
from admin.views.task_editing import TaskEditing
from admin.views.task_export import TaskExport
from admin.views.task_import import TaskImport
from admin.views.task_page import TaskPage
from admin.views.task_preview import TaskPreview
from admin.views.task_starting import TaskStarting
from admin.views.task_trial import TaskTrial
from gocron.db import pauses, recent_runs, task_list, task_queries, task_search, tasks
from gocron.db.models import Task
from gocron.db.task_list import ListedTask, Order
from gocron.errors import Conflict, NotFound

LARGEST_PAGE = 1_000_000


class TaskView(
    TaskEditing,
    TaskChecking,
    TaskPreview,
    TaskTrial,
    TaskStarting,
    TaskPage,
    TaskBulk,
    TaskExport,
    TaskImport,
    Guarded,
    ModelView,
):
    """List, create, edit, delete, enable, disable, run now, backfill, import, export."""

    needs = {
        **dict.fromkeys(("index_view", "details_view", "tags_view", "export_view"), Need.READ),
        **dict.fromkeys(("run_view", "start_view", "backfill_view", "enable_view"), Need.RUN),
        **dict.fromkeys(("action_view", "bulk_view", "try_view", "try_tail_view"), Need.RUN),
        **dict.fromkeys(("create_view", "edit_view", "delete_view", "rollback_view"), Need.EDIT),
        **dict.fromkeys(("import_view", "check_view", "preview_view"), Need.EDIT),
    }

    list_template = "panel/tasks.html"
    form = TaskForm
    column_list = ("name", "tag", "spec", "timezone", "next_fire_at", "protocol", "enabled")
    column_sortable_list = tuple(Order)
    column_default_sort = "name"
    page_size = 20
    page_size_options = (20, 50, 100)
    can_set_page_size = True

    def __init__(self, models: PanelDatabase) -> None:
        super().__init__(Task, models, name="Tasks", endpoint="tasks", url="/tasks")
        self._models = models

    # reading -------------------------------------------------------------------------------

    def get_list(
        self, page: int, sort_column: str | None, sort_desc: bool, *_more: Any, **named: Any
    ) -> tuple[int, Sequence[ListedTask]]:
        """A page of what the address asks for; what the template needs besides is at hand."""
        database = auth.context().database
        wanted = task_filters.read(request.args)
        size = named["page_size"] or self.page_size
        order = Order(sort_column) if sort_column in set(Order) else Order.NAME
        sortable = task_list.is_indexed(database, wanted)
        if sortable:
            found = task_list.page(
                database, wanted, order, descending=sort_desc, offset=page * size, size=size
            )
        else:
            found = task_search.look(
                database,
                wanted,
                after=request.args.get("after", "").replace("\0", "")[:128],
                descending=sort_desc and order is Order.NAME,
                size=size,
            )
        runs = recent_runs.newest_of_each(database, [task.id for task in found.tasks])
        self._template_args.update(
            found=found,
            runs=runs,
            counted=task_list.COUNTED,
            sortable=sortable,
            asked=task_filters.write(found.wanted),
            chips=task_filters.chips(wanted),
            last_words=task_filters.LAST_WORDS,
            kind_words=task_filters.KIND_WORDS,
            task_page=self._task_page,
            **_for_rows(),
        )
        return found.count or 0, found.tasks

    @expose("/tags/")
    def tags_view(self) -> Response:
        """The tags in use, when somebody is about to type one."""
        return jsonify(task_queries.tags(auth.context().database))

    def _task_page(self, task_id: int) -> str:
        """The page about a task, if there is one; else its form."""
        has_one = type(self).details_view is not ModelView.details_view
        return url_for("tasks.details_view" if has_one else "tasks.edit_view", id=task_id)

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
        """Bounded, so that no address makes a statement that the database refuses; and what the
        list is narrowed to, for the addresses of its other pages."""
        asked = super()._get_list_extra_args()
        asked.page = max(0, min(asked.page or 0, LARGEST_PAGE))
        narrowed = task_filters.write(task_filters.read(request.args))
        asked.search = narrowed.pop("search", None)
        asked.extra_args = narrowed
        return asked

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
        """From the list, where a script waits for the answer, or from anywhere else."""
        wanted = _ids(row_ids)
        task_access.require_run_of_all(wanted)
        changed, problem = 0, ""
        try:
            changed = tasks.set_enabled(auth.context().database, wanted, enabled, auth.actor())
        except Conflict as error:
            problem = sentence(error)
        if not wanted:
            problem = _("Choose at least one task first.")
        said = problem or _how_many(changed, enabled)
        if not wants_page():
            return self._toggled(wanted, said, bool(problem))
        flash(said, "danger" if problem else "success")
        return redirect(self._back())

    def _toggled(self, wanted: Sequence[int], said: str, failed: bool) -> Response:
        """What has become of the first of them, for the script: a row that shows it."""
        found = task_list.some(auth.context().database, wanted[:1])
        if not found:
            abort(404)
        shown = render_template("panel/task_next.html", task=found[0], **_for_rows())
        response = jsonify(enabled=found[0].enabled, next=shown, said=said, failed=failed)
        response.status_code = 409 if failed else 200
        return response

    @expose("/delete/", methods=("GET", "POST"))
    def delete_view(self) -> str | Response:
        """GET asks, POST does."""
        wanted = _asked_ids()
        task_access.require_edit_of(wanted)
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
            raise NotFound(_("These tasks do not exist any more."))
        rendered: str = self.render("panel/task_delete.html", found=found, back=self._back())
        return rendered

    def action_form(self, obj: Any = None) -> Any:
        """CSRFProtect has checked the request already."""
        return self._action_form_class(get_form_data())

    def _back(self) -> str:
        """Where somebody came from: the list as it was filtered and sorted."""
        return auth.local_path(request.values.get("url"), self.get_url(".index_view"))


def _for_rows() -> dict[str, Any]:
    """What a row of the list needs besides its task."""
    found = pauses.listing(auth.context().database)
    return {
        "paused": {pause.tag: pause.reason for pause in found if pause.in_force},
        "in_words": in_words,
        "sparkline": sparkline,
    }


def _how_many(changed: int, enabled: bool) -> str:
    if enabled:
        return str(ngettext("1 task was enabled.", "%(num)d tasks were enabled.", changed))
    return str(ngettext("1 task was disabled.", "%(num)d tasks were disabled.", changed))


def _ids(texts: Sequence[str]) -> list[int]:
    """The ids among ``texts``; bounded, as a page of the list is."""
    return [number for text in texts[:1000] if (number := row_id(text)) is not None]


def _asked_ids() -> list[int]:
    found = _ids(request.values.getlist("id"))
    if not found:
        abort(400)
    return found
