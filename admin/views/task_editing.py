"""Creating and editing a task: form -> definition -> ``gocron.db.tasks``, and back with what is
wrong. What somebody typed is never lost: not by a mistake, not by a colleague's change, and not by
a colleague's delete."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from flask import abort, flash, jsonify, redirect, request, url_for
from flask_admin import expose
from flask_admin.helpers import get_form_data
from werkzeug.wrappers import Response

from admin import auth
from admin.forms import SECTIONS, TaskForm
from gocron.core.definition import TaskDefinition, define
from gocron.core.timetable import parse
from gocron.db import tasks
from gocron.db.models import Task
from gocron.errors import Conflict, InvalidSchedule, InvalidTask, NotFound

PREVIEW = 5

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
        values = {
            name: field.get_default(call_default_factory=True)
            for name, field in TaskDefinition.model_fields.items()
            if not field.is_required()
        }
        values["timezone"] = auth.context().settings.timezone
        model = self.get_one(request.args.get("like", "")) if "like" in request.args else None
        if model is not None:
            values = _values(model) | {"name": f"{model.name} (copy)", "enabled": False}
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
        theirs = _values(model)
        form = TaskForm(get_form_data(), data=theirs | {"revision": model.revision})
        changed = None
        if request.method == "POST" and form.validate():
            try:
                if self.update_model(form, model):
                    flash(f"Task “{form.name.data}” was saved.", "success")
                    return redirect(self._back())
            except Conflict:
                changed = _differences(form, theirs)
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
        return self.render(
            "panel/task_form.html",
            form=form,
            sections=SECTIONS,
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

    @expose("/preview/")
    def preview_view(self) -> Response:
        """The next slots of a schedule that is being typed, or what is wrong with it."""
        spec, zone = request.args.get("spec", "").strip(), request.args.get("timezone", "").strip()
        try:
            timetable = parse(spec, zone)
            slot = _database_now()
            slots: list[datetime] = []
            while len(slots) < PREVIEW and (found := timetable.next_after(slot)) is not None:
                slots.append(found.astimezone(zoneinfo.ZoneInfo(timetable.zone)))
                slot = found
        except InvalidSchedule as error:
            return jsonify(problem=str(error))
        return jsonify(slots=[f"{slot:%Y-%m-%d %H:%M:%S %Z}" for slot in slots])


def _blaming(form: TaskForm, save: Callable[[TaskDefinition], Result]) -> Result | None:
    """What ``save`` gives for the form's definition; None if the form now shows what is wrong."""
    try:
        return save(define(form.definition_fields()))
    except InvalidTask as error:
        form.blame(error)
        return None


def _database_now() -> datetime:
    database = auth.context().database
    with database.read() as connection:
        return database.dialect.now(connection)


def _values(model: Task) -> dict[str, Any]:
    return {name: getattr(model, name) for name in TaskDefinition.model_fields}


def _differences(form: TaskForm, theirs: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and stored value of every field that differs from what was typed."""
    ours = form.definition_fields()
    return [
        (form[name].label.text, _in_words(theirs[name]))
        for name in ours
        if ours[name] != theirs[name]
    ]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(value) or "(empty)"
    text = str(value)
    return (text if len(text) <= 200 else text[:200] + " …") or "(empty)"


@lru_cache(maxsize=1)
def _zones() -> list[str]:
    return sorted(zone for zone in zoneinfo.available_timezones() if zone[:1].isupper())
