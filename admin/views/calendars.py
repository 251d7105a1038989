"""Calendars: named sets of days that tasks exclude or require."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from werkzeug.wrappers import Response

from admin import auth, day_lines
from admin.fields import unix_lines
from admin.rights import Need
from admin.spoken import sentence
from admin.views.base import Guarded
from gocron.core.calendars import parse_days, parse_ics
from gocron.db import calendars
from gocron.db.calendars import CalendarFacts
from gocron.errors import Conflict, InvalidCalendar, InvalidTask

CHANGED = lazy(
    "Somebody else changed this calendar since this page was loaded: it has %(days)s now. "
    "“Save” again replaces that by the days below."
)


@dataclass
class CalendarForm:
    """What is shown and what was typed; ``seen`` is the state that somebody has seen."""

    name: str = ""
    days: str = ""
    remark: str = ""
    seen: str = ""
    errors: dict[str, str] = field(default_factory=dict)


class CalendarsView(Guarded, BaseView):
    """List, create, edit, read from a file, delete."""

    needs = {"index": Need.READ}

    def __init__(self) -> None:
        super().__init__("Calendars", endpoint="calendars", url="/calendars")

    @expose("/")
    def index(self) -> str:
        """All of them."""
        found = calendars.listing(auth.context().database)
        return self._page("panel/calendars.html", found=found)

    @expose("/new/", methods=("GET", "POST"))
    def create(self) -> str | Response:
        """One that does not exist yet."""
        form = _typed() if request.method == "POST" else CalendarForm()
        if request.method == "POST":
            if _find(form.name) is not None:
                form.errors["name"] = _("There is a calendar of this name already.")
            elif saved := self._save(form):
                return saved
        return self._page("panel/calendar_form.html", form=form, facts=None)

    @expose("/edit/", methods=("GET", "POST"))
    def edit(self) -> str | Response:
        """The days of one; its name stays, because tasks have it."""
        facts = _asked()
        if request.method == "POST":
            form = _typed()
            form.name = facts.name
            if form.seen != _state_of(facts):
                form.errors["general"] = str(CHANGED) % {"days": _days_in_words(facts.day_count)}
                form.seen = _state_of(facts)
            elif saved := self._save(form):
                return saved
        else:
            days = calendars.days_of(auth.context().database, facts.name)
            form = CalendarForm(facts.name, day_lines.write(days), facts.remark, _state_of(facts))
        return self._page("panel/calendar_form.html", form=form, facts=facts)

    @expose("/delete/", methods=("GET", "POST"))
    def delete(self) -> str | Response:
        """GET asks, POST does; if tasks name it, it is asked once more."""
        facts = _asked()
        in_use = ""
        if request.method == "POST":
            force = request.form.get("force") == "yes"
            try:
                broken = calendars.delete(
                    auth.context().database, facts.name, auth.actor(), force=force
                )
                flash(_deleted(facts.name, broken), "warning" if broken else "success")
                return redirect(url_for("calendars.index"))
            except Conflict as error:
                in_use = sentence(error)
        return self._page("panel/calendar_delete.html", facts=facts, in_use=in_use)

    def _save(self, form: CalendarForm) -> Response | None:
        days = _days(form)
        if form.errors or days is None:
            return None
        try:
            calendars.save(auth.context().database, form.name, days, form.remark, auth.actor())
        except InvalidTask as error:
            form.errors[error.field] = sentence(error.message)
            return None
        words = _("Calendar “%(name)s” has %(days)s now.")
        flash(words % {"name": form.name, "days": _days_in_words(len(days))}, "success")
        return redirect(url_for("calendars.index"))

    def _page(self, template: str, **values: Any) -> str:
        rendered: str = self.render(template, **values)
        return rendered


def _typed() -> CalendarForm:
    return CalendarForm(
        name=request.form.get("name", "").strip(),
        days=unix_lines(request.form.get("days", "")) or "",
        remark=request.form.get("remark", ""),
        seen=request.form.get("seen", ""),
    )


def _days(form: CalendarForm) -> frozenset[date] | None:
    """What is typed together with what is in the file."""
    days: frozenset[date] = frozenset()
    try:
        days = parse_days(form.days)
    except InvalidCalendar as error:
        form.errors["days"] = sentence(error)
    file = request.files.get("ics")
    if file is not None and file.filename:
        try:
            days |= parse_ics(file.read().decode("utf-8-sig"), _today())
        except UnicodeDecodeError:
            form.errors["ics"] = _("This is no .ics file: it is not UTF-8 text.")
        except InvalidCalendar as error:
            form.errors["ics"] = sentence(error)
    return None if form.errors else days


def _today() -> date:
    database = auth.context().database
    with database.read() as connection:
        return database.dialect.now(connection).date()


def _find(name: str) -> CalendarFacts | None:
    found = calendars.listing(auth.context().database)
    return next((facts for facts in found if facts.name == name), None)


def _asked() -> CalendarFacts:
    """The calendar that the address names."""
    facts = _find(request.args.get("name", ""))
    if facts is None:
        abort(404)
    return facts


def _state_of(facts: CalendarFacts) -> str:
    return facts.updated_at.isoformat()


def _deleted(name: str, broken: int) -> str:
    if not broken:
        return str(_("Calendar “%(name)s” was deleted.", name=name))
    words = ngettext(
        "Calendar “%(name)s” was deleted; %(num)d task is broken until somebody changes that.",
        "Calendar “%(name)s” was deleted; %(num)d tasks are broken until somebody changes that.",
        broken,
        name=name,
    )
    return str(words)


def _days_in_words(count: int) -> str:
    return str(ngettext("%(num)d day", "%(num)d days", count))
