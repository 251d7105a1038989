"""What is wrong with the form of a task, said while it is being filled in. Nothing is saved."""

from __future__ import annotations

from flask import jsonify, request
from flask_admin import expose
from werkzeug.wrappers import Response

from admin import auth, task_access
from admin.task_form import TaskForm
from admin.views.base import row_id
from gocron.core.definition import define
from gocron.db import tasks
from gocron.errors import InvalidTask


class TaskChecking:
    """A part of ``TaskView``."""

    @expose("/check/", methods=("POST",))
    def check_view(self) -> Response:
        """Field -> what is wrong with it, for the whole form as it is now. ``id`` in the address:
        the task that is being edited."""
        form = TaskForm(request.form)
        if form.validate():
            database = auth.context().database
            try:
                definition = define(form.definition_fields())
                tasks.check(database, definition, row_id(request.args.get("id", "")))
            except InvalidTask as error:
                form.blame(error)
        if problem := task_access.wrong_tag(form.tag.data or ""):
            form.tag.errors = [*form.tag.errors, problem]
        mistakes = {
            field.name: [str(message) for message in field.errors] for field in form if field.errors
        }
        return jsonify(mistakes=mistakes, general=form.general_errors)
