"""Starting tasks by hand: a run now, with parameters if the task has some, and backfills."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from werkzeug.wrappers import Response

from admin import auth, moments, task_access
from admin.asked import Questions
from admin.spoken import sentence
from admin.views.base import row_id
from gocron.db import backfills, tasks
from gocron.db.models import Task
from gocron.errors import InvalidTask

BACKFILLS = 20

CLICKED_TWICE = lazy(
    "A backfill of this task was begun since this page was loaded: look at the list below. "
    "Press “Begin” again to begin another one."
)


class TaskStarting:
    """A part of ``TaskView``."""

    get_one: Callable[[Any], Task | None]
    render: Callable[..., str]

    @expose("/run/", methods=("POST",))
    def run_view(self) -> Response:
        """Queue a run with the parameters as they are by default, and show it."""
        task_id = row_id(request.values.get("id", ""))
        if task_id is None:
            abort(400)
        task_access.require_run_of(task_id)
        try:
            run_id = tasks.run_now(auth.context().database, task_id, auth.actor())
        except InvalidTask as error:
            flash(sentence(error.message), "warning")
            return redirect(url_for("tasks.start_view", id=task_id))
        return redirect(url_for("runs.show", run_id=run_id))

    @expose("/start/", methods=("GET", "POST"))
    def start_view(self) -> str | Response:
        """Ask for the parameters, then queue a run with them."""
        model = self._asked_task()
        questions = Questions(model.parameters, _typed())
        if request.method == "POST" and (given := questions.values()) is not None:
            try:
                run_id = tasks.run_now(auth.context().database, model.id, auth.actor(), given)
                return redirect(url_for("runs.show", run_id=run_id))
            except InvalidTask as error:
                questions.blame(error)
        return self.render("panel/task_start.html", model=model, questions=questions)

    @expose("/backfill/", methods=("GET", "POST"))
    def backfill_view(self) -> str | Response:
        """Ask which slots of the past, then queue their runs; and how far others have come."""
        model = self._asked_task()
        database = auth.context().database
        errors: dict[str, str] = {}
        questions = Questions(model.parameters, _typed())
        known = backfills.listing(database, model.id, BACKFILLS)
        if request.method == "POST":
            if _newest(known) != request.form.get("newest", ""):
                errors["general"] = str(CLICKED_TWICE)
            elif begun := _begin(model, questions, errors):
                words = ngettext("1 slot will run.", "%(num)d slots will run, in order.", begun)
                flash(words, "success")
                return redirect(url_for("tasks.backfill_view", id=model.id))
        return self.render(
            "panel/task_backfill.html",
            model=model,
            questions=questions,
            errors=errors,
            asked=request.form,
            known=known,
            newest=_newest(known),
        )

    def _asked_task(self) -> Task:
        model = self.get_one(request.values.get("id", ""))
        if model is None:
            abort(404)
        task_access.require_run(model.tag)
        return model


def _typed() -> Any:
    return request.form if request.method == "POST" else None


def _newest(known: list[backfills.BackfillFacts]) -> str:
    return str(known[0].id) if known else ""


def _begin(model: Task, questions: Questions, errors: dict[str, str]) -> int | None:
    """How many slots will run; None if ``errors`` or the questions say what is wrong."""
    first = _moment("first", model.timezone, errors)
    last = _moment("last", model.timezone, errors)
    parallel = request.form.get("parallel", "").strip()
    if not (parallel.isascii() and parallel.isdigit() and len(parallel) < 10):
        errors["parallel"] = _("Must be a whole number.")
    given = questions.values()
    if errors or given is None or first is None or last is None:
        return None
    database = auth.context().database
    try:
        return backfills.create(
            database, model.id, first, last, auth.actor(), parallel=int(parallel), given=given
        ).slots
    except InvalidTask as error:
        if error.field in ("first", "last", "parallel"):
            errors[error.field] = sentence(error.message)
        elif error.field == "spec":
            errors["general"] = sentence(error.message)
        else:
            questions.blame(error)
        return None


def _moment(name: str, zone: str, errors: dict[str, str]) -> datetime | None:
    try:
        return moments.read(request.form.get(name, ""), zone)
    except ValueError as error:
        errors[name] = sentence(error)
        return None
