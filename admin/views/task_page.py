"""The page of one task: what it does and when, what became of it, what belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_admin import expose
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import (
    auth,
    comparing,
    duration_chart,
    graph_layout,
    heat_map,
    task_access,
    task_words,
)
from admin.i18n import language
from admin.presentation import spec_zone
from admin.spoken import sentence
from admin.views.base import row_id
from gocron.core.preview import Upcoming, preview
from gocron.core.schedule import rules_of
from gocron.core.words import explain
from gocron.db import (
    calendars,
    pauses,
    run_queries,
    task_audit,
    task_graph,
    task_history,
    task_rows,
    task_versions,
    tasks,
)
from gocron.db.models import Task
from gocron.db.run_queries import RunFilter
from gocron.errors import Conflict, InvalidSchedule, NotFound

TABS = ("overview", "history", "runs", "dependencies", "versions", "audit")

SLOTS = 10
RUNS = 20
LAST_RUNS = 5
CHARTED = 100
FAILURES = 5
VERSIONS = 20
ENTRIES = 50
MOST_TASKS = 80
"""In the graph."""


class TaskPage:
    """A part of ``TaskView``."""

    get_one: Callable[[Any], Task | None]
    render: Callable[..., str]

    @expose("/details/")
    def details_view(self) -> str | Response:
        """One of ``TABS``; only what it shows is asked for."""
        model = self._task()
        tab = request.args.get("tab", "")
        tab = tab if tab in TABS else TABS[0]
        auth.require(tab != "audit" or auth.access().administers)
        shown = {
            "overview": _overview,
            "history": _history,
            "runs": _runs,
            "dependencies": _dependencies,
            "versions": _versions,
            "audit": _audit,
        }[tab](model)
        names = {
            "overview": _("Overview"),
            "history": _("History"),
            "runs": _("Runs"),
            "dependencies": _("Dependencies"),
            "versions": _("Versions"),
        }
        if auth.access().administers:
            names["audit"] = _("Audit")
        return self.render(
            "panel/task.html", model=model, tab=tab, tabs=names, pause=_pause_of(model), **shown
        )

    @expose("/enable/", methods=("POST",))
    def enable_view(self) -> Response:
        """Enable or disable one, and back to where that was asked for."""
        model = self._task()
        task_access.require_run(model.tag)
        wanted = request.form.get("enabled") == "yes"
        seen = row_id(request.form.get("revision", ""))
        if seen is not None and seen != model.revision:
            flash(_("Somebody changed the task meanwhile: look at it first."), "warning")
            return redirect(_address(model))
        try:
            tasks.set_enabled(auth.context().database, [model.id], wanted, auth.actor())
        except Conflict as error:
            flash(sentence(error), "danger")
            return redirect(_address(model))
        words = (
            _("Task “%(name)s” is enabled.", name=model.name)
            if wanted
            else _("Task “%(name)s” is disabled.", name=model.name)
        )
        flash(words, "success")
        return redirect(auth.local_path(request.form.get("url"), _address(model)))

    @expose("/rollback/", methods=("GET", "POST"))
    def rollback_view(self) -> str | Response:
        """GET shows what would change and asks, POST does."""
        model = self._task()
        task_access.require_edit(model.tag)
        database = auth.context().database
        version = task_versions.at(database, model.id, _revision("revision"))
        task_access.require_edit(version.definition.get("tag") or "")
        problem = ""
        if request.method == "POST":
            seen = row_id(request.form.get("seen", "")) or 0
            try:
                task_versions.restore(database, model.id, version.revision, auth.actor(), seen)
                flash(
                    _("The task is again what it was as version %(n)s.", n=version.revision),
                    "success",
                )
                return redirect(_address(model, "versions"))
            except Conflict as error:
                problem = sentence(error)
        now = task_versions.at(database, model.id, model.revision)
        found = comparing.differences(
            now.definition, {**version.definition, "enabled": now.definition["enabled"]}
        )
        return self.render(
            "panel/task_rollback.html", model=model, version=version, found=found, problem=problem
        )

    def _task(self) -> Task:
        model = self.get_one(request.values.get("id", ""))
        if model is None:
            raise NotFound(_("This task does not exist (any more)."))
        return model


def _address(model: Task, tab: str | None = None) -> str:
    return url_for("tasks.details_view", id=model.id, tab=tab)


def _revision(name: str) -> int:
    found = row_id(request.values.get(name, ""))
    if found is None:
        abort(404)
    return min(found, 2**31 - 1)


def _pause_of(model: Task) -> pauses.PauseFacts | None:
    """The pause of its tag; that of everything stands on every page."""
    found = pauses.listing(auth.context().database)
    return next((one for one in found if one.in_force and one.tag and one.tag == model.tag), None)


def _overview(model: Task) -> dict[str, Any]:
    database = auth.context().database
    words, slots, problem = "", [], ""
    if model.spec:
        try:
            words = explain(model.spec, model.timezone, model.name, language())
            slots = _next_slots(model)
        except InvalidSchedule as error:
            problem = sentence(error)
    return {
        "words": words,
        "slots": slots,
        "problem": problem,
        "policies": task_words.policies(model),
        "remarkable": list(task_words.remarkable(model)),
        "last_runs": run_queries.page(database, RunFilter((model.id,)), LAST_RUNS).runs,
    }


def _next_slots(model: Task) -> list[Upcoming]:
    database = auth.context().database
    with database.read() as connection:
        now = database.dialect.now(connection)
        days = calendars.named(connection, task_rows.names_of_calendars(model))
    return preview(model.spec, model.timezone, rules_of(model, days), now, SLOTS)


def _history(model: Task) -> dict[str, Any]:
    database = auth.context().database
    zone = spec_zone(model.spec, model.timezone) if model.spec else model.timezone
    counted = task_history.days(database, model.id, zone, heat_map.DAYS)
    days = counted.days
    durations = task_history.durations(database, model.id, CHARTED)
    good, bad = sum(day.good for day in days), sum(day.bad for day in days)
    return {
        "zone": zone,
        "days": days,
        "most_counted": None if counted.complete else task_history.MOST_COUNTED,
        "heat": heat_map.draw(days),
        "durations": durations,
        "chart": duration_chart.draw(durations, CHARTED),
        "good": good,
        "bad": bad,
        "idle": sum(day.idle for day in days),
        "share": good / (good + bad) if good + bad else None,
        "failures": task_history.last_failures(database, model.id, days, FAILURES),
    }


def _runs(model: Task) -> dict[str, Any]:
    return {"page": run_queries.page(auth.context().database, RunFilter((model.id,)), RUNS)}


def _dependencies(model: Task) -> dict[str, Any]:
    database = auth.context().database
    graph = task_graph.around(database, model.id, MOST_TASKS)
    layout = graph_layout.arrange(
        graph.members, [(edge.parent_id, edge.task_id) for edge in graph.edges]
    )
    return {
        "graph": graph,
        "layout": layout,
        "needs": {(edge.parent_id, edge.task_id): edge.need for edge in graph.edges},
        "last": run_queries.last_of_each(database, list(graph.members)),
    }


def _versions(model: Task) -> dict[str, Any]:
    database = auth.context().database
    page = task_versions.listing(
        database, model.id, VERSIONS, row_id(request.args.get("before", ""))
    )
    found: dict[str, Any] = {"page": page, "compared": None}
    if "old" in request.args and "new" in request.args:
        old = task_versions.at(database, model.id, _revision("old"))
        new = task_versions.at(database, model.id, _revision("new"))
        found["compared"] = (old, new, comparing.differences(old.definition, new.definition))
    return found


def _audit(model: Task) -> dict[str, Any]:
    return {"entries": task_audit.of_task(auth.context().database, model.name, ENTRIES)}
