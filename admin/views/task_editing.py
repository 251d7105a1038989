"""Creating and editing a task: form -> definition -> ``gocron.db.tasks``, and back with what is
wrong. What somebody typed is never lost: not by a mistake, not by a colleague's change, and not by
a colleague's delete."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from flask import abort, flash, redirect, request, url_for
from flask_admin import expose
from flask_admin.helpers import get_form_data
from werkzeug.wrappers import Response

from admin import auth, relations
from admin.task_form import TaskForm
from admin.task_sections import SECTIONS, open_sections, usual_values
from admin.task_values import differences, form_values
from gocron.core.definition import TaskDefinition, define
from gocron.db import tasks
from gocron.db.models import Task
from gocron.errors import Conflict, InvalidTask, NotFound

Result = TypeVar("Result")


class TaskEditing:
    """The two forms of ``TaskView``."""

    get_one: Callable[[Any], Task | None]
    get_url: Callable[..., str]
    render: Callable[..., str]
    _back: Callable[[], str]

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> str | Response:
        """An empty form, or with ``like`` one that is filled in like another task."""
        form = TaskForm(get_form_data(), data=self._blank())
        if request.method == "POST" and form.validate():
            task_id = self.create_model(form)
            if task_id:
                flash(f"Task “{form.name.data}” was created.", "success")
                return redirect(self._back())
        return self._form_page(form)

    def _blank(self) -> dict[str, Any]:
        values = usual_values()
        values["timezone"] = auth.context().settings.timezone
        model = self.get_one(request.args.get("like", "")) if "like" in request.args else None
        if model is not None:
            values = form_values(model) | {"name": f"{model.name} (copy)", "enabled": False}
        return values

    @expose("/edit/", methods=("GET", "POST"))
    def edit_view(self) -> str | Response:
        """The form of a task that exists."""
        task_id = request.args.get("id", "")
        model = self.get_one(task_id)
        if model is None:
            if request.method == "GET":
                abort(404)
            return self._form_page(TaskForm(request.form), deleted=True)
        values = form_values(model) | {"revision": model.revision}
        form = TaskForm(get_form_data(), data=values)
        changed = None
        if request.method == "POST" and form.validate():
            try:
                if self.update_model(form, model):
                    flash(f"Task “{form.name.data}” was saved.", "success")
                    return redirect(self._back())
            except Conflict:
                changed = differences(form, model)
            except NotFound:
                return self._form_page(form, deleted=True)
        return self._form_page(form, model=model, changed=changed)

    def create_model(self, form: TaskForm) -> int | None:
        """Flask-Admin's name for it; the id, or None if the form shows what is wrong."""
        database, who = auth.context().database, auth.actor()
        return _blaming(form, lambda definition: tasks.create(database, definition, who))

    def update_model(self, form: TaskForm, model: Task) -> bool:
        """Flask-Admin's name for it. Raises ``Conflict`` and ``NotFound``."""
        database, who = auth.context().database, auth.actor()
        # "Save mine over it" says which revision its user has seen the differences to.
        expected = request.form.get("over", form.revision.data, type=int)

        def save(definition: TaskDefinition) -> bool:
            tasks.edit(database, model.id, definition, who, expected)
            return True

        return bool(_blaming(form, save))

    def delete_model(self, model: Task) -> bool:
        """Flask-Admin's name for it."""
        return bool(tasks.delete(auth.context().database, [model.id], auth.actor()))

    def _form_page(
        self,
        form: TaskForm,
        *,
        model: Task | None = None,
        changed: list[tuple[str, str]] | None = None,
        deleted: bool = False,
    ) -> str:
        back = self._back()
        database = auth.context().database
        offered = relations.calendar_names(database)
        form.exclude_calendars.offer(offered)
        form.require_calendars.offer(offered)
        return self.render(
            "panel/task_form.html",
            form=form,
            sections=SECTIONS,
            opened=open_sections(form),
            groups=relations.group_names(database),
            relatives=relations.relatives(database, model.id) if model else None,
            model=model,
            changed=changed,
            deleted=deleted,
            back=back,
            zones=_zones(),
            action=(
                url_for("tasks.edit_view", id=model.id, url=back)
                if model is not None
                else url_for("tasks.create_view", url=back)
            ),
        )


def _blaming(form: TaskForm, save: Callable[[TaskDefinition], Result]) -> Result | None:
    """What ``save`` gives for the form's definition; None if the form now shows what is wrong."""
    try:
        return save(define(form.definition_fields()))
    except InvalidTask as error:
        form.blame(error)
        return None


@lru_cache(maxsize=1)
def _zones() -> list[str]:
    return sorted(zone for zone in zoneinfo.available_timezones() if zone[:1].isupper())
