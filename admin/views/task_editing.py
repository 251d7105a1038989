"""Creating and editing a task: form -> definition -> ``gocron.db.tasks``, and back with what is
wrong. What somebody typed is never lost: not by a mistake, not by a colleague's change, and not by
a colleague's delete."""

from __future__ import annotations

import re
import secrets
import zoneinfo
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from flask import abort, flash, redirect, request, session, url_for
from flask_admin import expose
from flask_admin.helpers import get_form_data
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import auth, relations, task_access
from admin.comparing import Contested, contested
from admin.task_form import TaskForm
from admin.task_sections import SECTIONS, open_sections, usual_values
from admin.task_values import form_values, plain_definition, plain_values
from admin.views import task_trial
from gocron.core.definition import TaskDefinition, define
from gocron.db import task_versions, tasks
from gocron.db.models import Task
from gocron.errors import Conflict, InvalidTask, NotFound

Result = TypeVar("Result")

SAVED = "saved_forms"
REMEMBERED = 10
"""Forms of this session that were saved: what the browser keeps of them can go."""

TAKE = "take-"
"""In front of the fields that say whose value is to be saved after a conflict."""

TRY = "try"
"""The button that saves a task disabled and runs it once."""


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
        if request.method == "POST" and form.validate() and _tag_is_theirs(form):
            _disable_for_trial(form)
            task_id = self.create_model(form)
            if task_id:
                return self._saved(form, task_id, 1)
        return self._form_page(form)

    def _blank(self) -> dict[str, Any]:
        values = usual_values()
        values["timezone"] = auth.context().settings.timezone
        values["tag"] = _own_tag()
        model = self.get_one(request.args.get("like", "")) if "like" in request.args else None
        if model is not None:
            name = _("%(name)s (copy)", name=model.name)
            tag = _own_tag() if task_access.wrong_tag(model.tag) else model.tag
            values = form_values(model) | {"name": name, "tag": tag, "enabled": False}
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
        task_access.require_edit(model.tag)
        values = form_values(model) | {"revision": model.revision}
        form = TaskForm(get_form_data(), data=values)
        changed = None
        if request.method == "POST" and form.validate() and _tag_is_theirs(form):
            try:
                revision = self.update_model(form, model)
                if revision:
                    return self._saved(form, model.id, revision)
            except Conflict:
                changed = self._contested(form, model)
            except NotFound:
                return self._form_page(form, deleted=True)
        return self._form_page(form, model=model, changed=changed)

    def create_model(self, form: TaskForm) -> int | None:
        """Flask-Admin's name for it; the id, or None if the form shows what is wrong."""
        database, who = auth.context().database, auth.actor()
        return _blaming(form, lambda definition: tasks.create(database, definition, who))

    def update_model(self, form: TaskForm, model: Task) -> int | None:
        """Flask-Admin's name for it; the new revision, or None if the form shows what is wrong.
        Raises ``Conflict`` and ``NotFound``."""
        database, who = auth.context().database, auth.actor()
        # "Save these" says which revision its user has seen the differences to.
        over = request.form.get("over", type=int)
        expected = form.revision.data if over is None else over
        if over == model.revision:
            _take_theirs(form, form_values(model))
        _disable_for_trial(form)
        return _blaming(
            form, lambda definition: tasks.edit(database, model.id, definition, who, expected)
        )

    def delete_model(self, model: Task) -> bool:
        """Flask-Admin's name for it."""
        return bool(tasks.delete(auth.context().database, [model.id], auth.actor()))

    def _saved(self, form: TaskForm, task_id: int, revision: int) -> Response:
        """On to the next page; the browser may forget its draft."""
        if form_id := _form_id():
            session[SAVED] = [*session.get(SAVED, []), form_id][-REMEMBERED:]
        if TRY in request.form:
            return task_trial.begin(task_id, revision)
        words = (
            _("Task “%(name)s” was created.", name=form.name.data)
            if request.endpoint == "tasks.create_view"
            else _("Task “%(name)s” was saved.", name=form.name.data)
        )
        flash(words, "success")
        return redirect(self._back())

    def _contested(self, form: TaskForm, model: Task) -> list[Contested]:
        """Where what was typed, which is valid, differs from what is stored now."""
        mine = plain_definition(define(form.definition_fields()))
        database = auth.context().database
        try:
            before = task_versions.at(database, model.id, form.revision.data).definition
        except NotFound:
            before = None
        return contested(before, plain_values(model), mine)

    def _form_page(
        self,
        form: TaskForm,
        *,
        model: Task | None = None,
        changed: list[Contested] | None = None,
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
            form_id=_form_id() or secrets.token_hex(8),
            saved_forms=" ".join(session.get(SAVED, [])),
            sections=SECTIONS,
            opened=open_sections(form),
            groups=relations.group_names(database),
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


def _own_tag() -> str:
    """What a new task of somebody has who may make tasks with tags only."""
    access = auth.access()
    return "" if access.may_edit("") else min(access.tags, default="")


def _tag_is_theirs(form: TaskForm) -> bool:
    """Whether they may have tasks with the tag that was typed; if not, the form says so."""
    if problem := task_access.wrong_tag(form.tag.data or ""):
        form.tag.errors = [*form.tag.errors, problem]
    return not problem


def _form_id() -> str:
    """What tells the form that was sent from others; "" if it says none."""
    found = request.form.get("form_id", "")
    return found if re.fullmatch("[0-9a-f]{16}", found) else ""


def _take_theirs(form: TaskForm, stored: dict[str, Any]) -> None:
    """Put what is stored into the fields for which that was chosen."""
    for name in TaskDefinition.model_fields:
        if request.form.get(TAKE + name) == "theirs":
            field = form[name]
            field.process(None, stored[name])
            field.raw_data = None


def _disable_for_trial(form: TaskForm) -> None:
    if TRY in request.form:
        form.enabled.data = False


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
