"""Pauses: times in which nothing begins by itself, of everything or of the tasks with a tag."""

from __future__ import annotations

from datetime import datetime

from flask import flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import auth, moments
from admin.rights import Need
from admin.spoken import sentence
from admin.views.base import Guarded
from gocron.db import pauses, task_queries
from gocron.errors import InvalidTask


class PausesView(Guarded, BaseView):
    """What is paused, pausing, resuming."""

    needs = {"index": Need.READ, "resume": Need.EDIT}

    def __init__(self) -> None:
        super().__init__("Pauses", endpoint="pauses", url="/pauses")

    @expose("/", methods=("GET", "POST"))
    def index(self) -> str | Response:
        """All pauses, and a form to begin one."""
        database = auth.context().database
        errors: dict[str, str] = {}
        if request.method == "POST":
            auth.require(auth.access().may_pause(_asked_tag()))
            if _begin(errors):
                return redirect(url_for("pauses.index"))
        return self.render(  # type: ignore[no-any-return]
            "panel/pauses.html",
            found=pauses.listing(database),
            tags=[tag for tag in task_queries.tags(database) if auth.access().may_pause(tag)],
            asked=request.form,
            errors=errors,
        )

    @expose("/resume/", methods=("POST",))
    def resume(self) -> Response:
        """End one."""
        tag = request.form.get("tag", "")[: pauses.LONGEST_TAG].replace("\0", "")
        auth.require(auth.access().may_pause(tag.strip()))
        if pauses.resume(auth.context().database, tag, auth.actor()):
            flash(_("%(what)s goes on.", what=_what(tag)), "success")
        else:
            flash(_("%(what)s was not paused any more.", what=_what(tag)), "warning")
        return redirect(auth.local_path(request.form.get("url"), url_for("pauses.index")))


def _begin(errors: dict[str, str]) -> bool:
    """Whether a pause was begun; if not, ``errors`` say why."""
    tag = _asked_tag()
    if request.form.get("what") == "tag" and not tag.strip():
        errors["tag"] = _("Say which tag.")
    until = _until(errors)
    if errors:
        return False
    try:
        pauses.pause(
            auth.context().database, tag, request.form.get("reason", ""), until, auth.actor()
        )
    except InvalidTask as error:
        errors[error.field] = sentence(error.message)
        return False
    flash(_("%(what)s is paused.", what=_what(tag.strip())), "success")
    return True


def _asked_tag() -> str:
    """ "" for everything, and where a tag was meant and none was typed."""
    return request.form.get("tag", "").strip() if request.form.get("what") == "tag" else ""


def _until(errors: dict[str, str]) -> datetime | None:
    text = request.form.get("until", "").strip()
    if not text:
        return None
    try:
        return moments.read(text, auth.context().settings.timezone)
    except ValueError as error:
        errors["until"] = sentence(error)
        return None


def _what(tag: str) -> str:
    return str(_("Tag “%(tag)s”", tag=tag) if tag else _("Everything"))
