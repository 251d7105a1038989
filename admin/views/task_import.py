"""Importing tasks: a file is read and compared with what there is, somebody looks at the
difference, then all of it is applied or nothing.

Nothing is kept on the server in between, so any node can answer: the page carries the file, and the
state of the tasks that it was compared with. Both are taken for what they are, something that
anybody may have written: the file is read and compared again, and is applied only if the state is
the same.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from flask import abort, flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from admin import auth, task_access
from admin.spoken import spoken
from admin.task_changes import in_words
from gocron.core import task_files
from gocron.core.task_files import Form, Reading
from gocron.db import task_import
from gocron.db.task_import import LARGEST_FILE, MOST_CHANGED, MOST_TASKS, Comparison
from gocron.errors import Conflict, InvalidTask

LARGEST_FORM = LARGEST_FILE * 3 // 2
"""Bytes that the page may send back: the file, packed."""

SHOWN = 200
"""Tasks of a kind that are listed."""


@dataclass(frozen=True)
class Upload:
    """A file as somebody gave it."""

    data: bytes
    form: Form

    @property
    def packed(self) -> str:
        """For a field of a form: browsers change line ends there."""
        return base64.b64encode(zlib.compress(self.data)).decode()


class TaskImport:
    """A part of ``TaskView``."""

    render: Callable[..., str]

    @expose("/import/", methods=("GET", "POST"))
    def import_view(self) -> str | Response:
        """Asks for a file, shows what it would change, does it."""
        if request.method == "GET":
            return self._import_page()
        if "packed" in request.form:
            return self._apply(_unpacked())
        given = request.files.get("file")
        data = b""
        if given is not None:
            with given.stream:
                data = given.stream.read(LARGEST_FILE + 1)
        if given is None or not data:
            return self._import_page(problem=_("Choose a file that is not empty."))
        if len(data) > LARGEST_FILE:
            words = _(
                "The file has more than %(most)d MiB. Split it, or use “gocron task import”.",
                most=LARGEST_FILE // 1024**2,
            )
            return self._import_page(problem=words)
        upload = Upload(data, task_files.form_of(given.filename or "", data))
        return self._preview(upload, *_looked_at(upload))

    def _apply(self, upload: Upload) -> str | Response:
        found, difference = _looked_at(upload)
        if found.mistakes:
            return self._preview(upload, found, difference)
        if difference.state != request.form.get("state"):
            words = _("Tasks were changed since you were asked. This is the difference now.")
            return self._preview(upload, found, difference, words)
        try:
            task_import.apply(auth.context().database, difference, auth.actor())
        except Conflict as error:
            words = _(
                "Nothing was changed: %(why)s. This is the difference now.", why=spoken(error)
            )
            return self._preview(upload, *_looked_at(upload), words)
        except InvalidTask as error:
            words = _("Nothing was changed: %(why)s.", why=spoken(error))
            return self._preview(upload, found, difference, words)
        flash(_done(difference), "success")
        return redirect(url_for("tasks.index_view"))

    def _preview(
        self, upload: Upload, found: Reading, difference: Comparison, problem: str = ""
    ) -> str:
        too_many = len(difference.changed) > MOST_CHANGED
        empty = not (found.definitions or found.mistakes)
        return self._import_page(
            problem=problem or (_("There is no task in this file.") if empty else ""),
            found=found,
            mistakes=[(line, spoken(message)) for line, message in found.mistakes],
            difference=difference,
            too_many=too_many,
            can_apply=not (found.mistakes or too_many or empty or difference.nothing_to_do),
            packed=upload.packed,
            form=upload.form,
        )

    def _import_page(self, **more: object) -> str:
        values = {"problem": "", "difference": None} | more
        return self.render(
            "panel/task_import.html",
            most_tasks=MOST_TASKS,
            most_changed=MOST_CHANGED,
            largest=LARGEST_FILE // 1024**2,
            shown=SHOWN,
            change_in_words=in_words,
            **values,
        )


def _looked_at(upload: Upload) -> tuple[Reading, Comparison]:
    """The tasks of a file, and what is different about them. Raises ``NotYours``."""
    usual = {"timezone": auth.context().settings.timezone}
    found = task_files.read(upload.data, upload.form, usual, MOST_TASKS)
    database = auth.context().database
    found = task_import.unresolved(database, found)
    difference = task_import.compare(database, found)
    task_access.require_import(difference)
    return found, difference


def _unpacked() -> Upload:
    """What the page carried; however it was made, no more than ``LARGEST_FILE`` comes out of it."""
    form = request.form.get("form", "")
    try:
        packed = base64.b64decode(request.form["packed"], validate=True)
        data = zlib.decompressobj().decompress(packed, LARGEST_FILE + 1)
    except (binascii.Error, ValueError, zlib.error):
        abort(400)
    if form not in set(Form) or len(data) > LARGEST_FILE:
        abort(400)
    return Upload(data, Form(form))


def _done(difference: Comparison) -> str:
    made, changed = len(difference.new), len(difference.changed)
    return " ".join(
        (
            ngettext("1 task was created,", "%(num)d tasks were created,", made),
            ngettext("1 was changed.", "%(num)d were changed.", changed),
        )
    )
