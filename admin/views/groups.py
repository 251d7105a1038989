"""Concurrency groups: how many runs of all their tasks may go on at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import abort, flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import auth
from admin.rights import Need
from admin.spoken import sentence
from admin.views.base import Guarded
from gocron.db import groups
from gocron.db.groups import GroupFacts
from gocron.errors import Conflict, InvalidTask


@dataclass
class GroupForm:
    """What is shown and what was typed."""

    name: str = ""
    max_running: str = "1"
    remark: str = ""
    errors: dict[str, str] = field(default_factory=dict)


class GroupsView(Guarded, BaseView):
    """List, create, edit, delete."""

    needs = {"index": Need.READ}

    def __init__(self) -> None:
        super().__init__("Groups", endpoint="groups", url="/groups")

    @expose("/")
    def index(self) -> str:
        """All of them, with what is going on in them."""
        found = groups.listing(auth.context().database)
        return self.render("panel/groups.html", found=found)  # type: ignore[no-any-return]

    @expose("/new/", methods=("GET", "POST"))
    def create(self) -> str | Response:
        """One that does not exist yet."""
        form = _typed() if request.method == "POST" else GroupForm()
        if request.method == "POST":
            if _find(form.name) is not None:
                form.errors["name"] = _("There is a group of this name already.")
            elif _save(form):
                return redirect(url_for("groups.index"))
        return self._form_page(form, None)

    @expose("/edit/", methods=("GET", "POST"))
    def edit(self) -> str | Response:
        """The limit of one; its name stays, because tasks have it."""
        facts = _asked()
        form = GroupForm(facts.name, str(facts.max_running), facts.remark)
        if request.method == "POST":
            form = _typed()
            form.name = facts.name
            if _save(form):
                return redirect(url_for("groups.index"))
        return self._form_page(form, facts)

    @expose("/delete/", methods=("GET", "POST"))
    def delete(self) -> str | Response:
        """GET asks, POST does."""
        facts = _asked()
        in_use = ""
        if request.method == "POST":
            try:
                groups.delete(auth.context().database, facts.name, auth.actor())
                flash(_("Group “%(name)s” was deleted.", name=facts.name), "success")
                return redirect(url_for("groups.index"))
            except Conflict as error:
                in_use = sentence(error)
        return self.render(  # type: ignore[no-any-return]
            "panel/group_delete.html", facts=facts, in_use=in_use
        )

    def _form_page(self, form: GroupForm, facts: GroupFacts | None) -> str:
        return self.render(  # type: ignore[no-any-return]
            "panel/group_form.html", form=form, facts=facts
        )


def _typed() -> GroupForm:
    return GroupForm(
        name=request.form.get("name", "").strip(),
        max_running=request.form.get("max_running", "").strip(),
        remark=request.form.get("remark", ""),
    )


def _save(form: GroupForm) -> bool:
    """Whether it was saved; if not, the form says what is wrong."""
    limit = form.max_running
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        form.errors["max_running"] = _("Must be a whole number from 1 on.")
        return False
    try:
        groups.save(auth.context().database, form.name, int(limit), form.remark, auth.actor())
    except InvalidTask as error:
        form.errors[error.field] = sentence(error.message)
        return False
    words = _("Group “%(name)s”: at most %(limit)s at once.", name=form.name, limit=limit)
    flash(words, "success")
    return True


def _find(name: str) -> GroupFacts | None:
    found = groups.listing(auth.context().database)
    return next((facts for facts in found if facts.name == name), None)


def _asked() -> GroupFacts:
    """The group that the address names."""
    facts = _find(request.args.get("name", ""))
    if facts is None:
        abort(404)
    return facts
