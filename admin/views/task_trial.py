"""Trying a task before it is enabled.

A run always executes a definition that is stored (``run.revision``), and nobody can bring a command
of their own: so a task is tried by saving it disabled, and running exactly that revision by hand.
What came of it is shown beside the button that enables it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, jsonify, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import auth, task_access
from admin.presentation import STATE_COLOURS, STATE_NAMES, STATE_WORDS, duration
from admin.spoken import sentence, stored
from admin.views.base import row_id
from gocron.core.terminal import plain
from gocron.db import run_queries, tasks
from gocron.db.models import Task
from gocron.errors import Conflict, InvalidTask

SHOWN_CHARS = 100_000


class TaskTrial:
    """A part of ``TaskView``."""

    get_one: Callable[[Any], Task | None]
    render: Callable[..., str]

    @expose("/try/", methods=("GET", "POST"))
    def try_view(self) -> str | Response:
        """POST runs this revision of the task once, GET shows what came of it."""
        model = self.get_one(request.args.get("id", ""))
        if model is None:
            abort(404)
        task_access.require_run(model.tag)
        revision = row_id(request.args.get("revision", "")) or 0
        if request.method == "POST":
            return begin(model.id, revision)
        run_id = row_id(request.args.get("run", ""))
        run = run_queries.show(auth.context().database, run_id) if run_id is not None else None
        if run is None or run.task_id != model.id:
            abort(404)
        return self.render("panel/task_try.html", model=model, run=run)

    @expose("/try/tail/")
    def try_tail_view(self) -> Response:
        """What the run has printed behind piece ``after``, and how it is. The run is looked at
        first: what it had written when it ended is then among the pieces."""
        run_id = row_id(request.args.get("run", ""))
        if run_id is None:
            abort(404)
        database = auth.context().database
        run = run_queries.show(database, run_id)
        after = request.args.get("after", -1, type=int)
        found = run_queries.output(database, run_id, max(-1, min(after, 2**31 - 1)), SHOWN_CHARS)
        return jsonify(
            state=str(STATE_NAMES[run.state]),
            colour=STATE_COLOURS[run.state],
            reason=stored(run.reason) or str(STATE_WORDS[run.state]),
            took=duration(run.duration) if run.duration is not None else "",
            ended=run.state.ended and found.complete,
            text=plain("".join(found.pieces)),
            last=found.last,
        )


def begin(task_id: int, revision: int) -> Response:
    """Run it once, if that is still its revision, and on to what comes of it."""
    try:
        run_id = tasks.run_now(
            auth.context().database, task_id, auth.actor(), expected_revision=revision
        )
    except InvalidTask as error:  # it has parameters that must be given
        flash(sentence(error.message), "warning")
        return redirect(url_for("tasks.start_view", id=task_id))
    except Conflict:
        flash(_("Somebody changed the task before it could be tried: look at it first."), "warning")
        return redirect(url_for("tasks.details_view", id=task_id))
    return redirect(url_for("tasks.try_view", id=task_id, run=run_id))
