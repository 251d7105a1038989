"""One change of many tasks: first what it would hit and what would happen, then it is done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from flask import abort, flash, redirect, request
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from admin import auth, task_access, task_filters
from admin.error_pages import NotYours
from admin.spoken import sentence, spoken
from admin.views.base import row_id
from gocron.db import task_bulk, task_list
from gocron.db.task_bulk import MOST, Action
from gocron.db.task_list import ListedTask, TaskFilter
from gocron.errors import Conflict, InvalidTask

EDITS = (Action.TAG, Action.DELETE)
"""For those who may change a task; the others are for those who may run it."""

NAMED = 20
"""Tasks that are listed by name before something happens to all of them."""


@dataclass(frozen=True)
class Chosen:
    """What somebody has chosen: ticked tasks, or ``wanted``, all that fit a filter. One more than
    are allowed are looked for."""

    action: Action
    wanted: TaskFilter | None
    ids: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Differs as soon as other tasks fit the filter."""
        return hashlib.sha256(repr(sorted(self.ids)).encode()).hexdigest()

    @property
    def too_many(self) -> bool:
        """Whether it is more than can be done at once."""
        return len(self.ids) > MOST[self.action]


class TaskBulk:
    """A part of ``TaskView``."""

    render: Callable[..., str]
    _back: Callable[[], str]

    @expose("/bulk/", methods=("GET", "POST"))
    def bulk_view(self) -> str | Response:
        """GET tells, POST does."""
        chosen = _chosen()
        if not chosen.ids:
            flash(_("Choose at least one task first."), "warning")
            return redirect(self._back())
        _require(chosen)
        problem = ""
        if request.method == "POST" and not chosen.too_many:
            if chosen.wanted is not None and request.form.get("digest") != chosen.digest:
                problem = _("Other tasks fit by now than when you were asked. Look again.")
            else:
                try:
                    _carry_out(chosen)
                    return redirect(self._back())
                except (Conflict, InvalidTask) as error:
                    words = spoken(error.message if isinstance(error, InvalidTask) else error)
                    problem = _("Nothing was changed: %(why)s.", why=words)
        return self._ask(chosen, sentence(problem))

    def _ask(self, chosen: Chosen, problem: str) -> str:
        database = auth.context().database
        found = [] if chosen.too_many else task_list.some(database, chosen.ids)
        asked = task_filters.write(chosen.wanted) if chosen.wanted is not None else {}
        return self.render(
            "panel/task_bulk.html",
            chosen=chosen,
            action=str(chosen.action),
            most=MOST[chosen.action],
            found=found,
            named=found[:NAMED],
            asked=asked,
            chips=task_filters.chips(chosen.wanted) if chosen.wanted else [],
            problem=problem,
            hit=_hit(chosen.action, found),
            open_questions=_without_values(found) if chosen.action is Action.RUN else [],
            tag=request.values.get("new_tag", ""),
            back=self._back(),
        )


def _chosen() -> Chosen:
    word = request.values.get("action", "")
    if word not in set(Action):
        abort(400)
    action = Action(word)
    if request.values.get("all") == "1":
        wanted = task_filters.read(request.values)
        found = task_list.ids(auth.context().database, wanted, MOST[action] + 1)
        return Chosen(action, wanted, tuple(found))
    texts = request.values.getlist("rowid")[: MOST[action] + 1]
    return Chosen(action, None, tuple(n for text in texts if (n := row_id(text)) is not None))


def _require(chosen: Chosen) -> None:
    """Raises ``NotYours`` if one of them is not theirs; and the new tag has to be, too."""
    if chosen.action in EDITS:
        task_access.require_edit_of(chosen.ids)
    else:
        task_access.require_run_of_all(chosen.ids)
    if request.method == "POST" and chosen.action is Action.TAG:
        problem = task_access.wrong_tag(request.form.get("new_tag", ""))
        if problem:
            raise NotYours(problem)


def _hit(action: Action, found: list[ListedTask]) -> int:
    """How many of them would be another thing afterwards."""
    if action in (Action.ENABLE, Action.DISABLE):
        return sum(task.enabled != (action is Action.ENABLE) for task in found)
    return len(found)


def _without_values(found: list[ListedTask]) -> list[ListedTask]:
    """Those that cannot be run without somebody saying with which parameters."""
    return [task for task in found if any(one.get("default") is None for one in task.parameters)]


def _carry_out(chosen: Chosen) -> None:
    tag = request.form.get("new_tag", "").strip()
    database = auth.context().database
    done = task_bulk.carry_out(database, chosen.action, chosen.ids, auth.actor(), tag)
    flash(_done(chosen.action, done), "success")


def _done(action: Action, count: int) -> str:
    match action:
        case Action.ENABLE:
            said = ngettext("1 task was enabled.", "%(num)d tasks were enabled.", count)
        case Action.DISABLE:
            said = ngettext("1 task was disabled.", "%(num)d tasks were disabled.", count)
        case Action.RUN:
            said = ngettext("1 run was queued.", "%(num)d runs were queued.", count)
        case Action.TAG:
            said = ngettext("1 task has a new tag.", "%(num)d tasks have a new tag.", count)
        case Action.DELETE:
            said = ngettext("1 task was deleted.", "%(num)d tasks were deleted.", count)
    return str(said)
