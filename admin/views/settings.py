"""Settings: how long things are kept, which can be changed here; and what each node was told by
its files and its environment, which cannot."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import auth
from admin.spoken import sentence
from admin.views.base import Guarded
from gocron.config import KEYS, Loaded, Settings, load_with_sources
from gocron.config_view import SERVERS_ONLY, shown, value_of
from gocron.db import retention
from gocron.db.retention import LIMITS, Retention
from gocron.errors import InvalidSetting, InvalidTask

NOTHING = "–"


class SettingsView(Guarded, BaseView):
    """One page."""

    def __init__(self) -> None:
        super().__init__("Settings", endpoint="settings", url="/settings")

    @expose("/", methods=("GET", "POST"))
    def index(self) -> str | Response:
        """Rules of retention, and the settings of this node."""
        context = auth.context()
        rules = retention.rules(context.database)
        typed = {name: _text(getattr(rules, name)) for name in LIMITS}
        errors: dict[str, str] = {}
        if request.method == "POST":
            typed = {name: request.form.get(name, "").strip() for name in LIMITS}
            if _save(typed, errors):
                return redirect(url_for("settings.index"))
        return self._page(
            typed=typed,
            errors=errors,
            sizes=retention.sizes(context.database),
            last=retention.last_purge(context.database),
            keeps_all=rules == Retention(),
            fewest=retention.FEWEST_RUNS,
            settings=_settings(context.settings),
            home=context.settings.home,
        )

    def _page(self, **values: Any) -> str:
        rendered: str = self.render("panel/settings.html", **values)
        return rendered


def _save(typed: Mapping[str, str], errors: dict[str, str]) -> bool:
    """Whether the rules hold now; if not, ``errors`` say why."""
    numbers = {name: _number(name, text, errors) for name, text in typed.items()}
    if errors:
        return False
    try:
        changed = retention.save(auth.context().database, Retention(**numbers), auth.actor())
    except InvalidTask as error:
        errors[error.field] = sentence(error.message)
        return False
    if changed:
        flash(_("Saved. The leader begins to throw away what is older within seconds."), "success")
    else:
        flash(_("Nothing was changed."), "success")
    return True


def _number(name: str, text: str, errors: dict[str, str]) -> int | None:
    least, most = LIMITS[name]
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most:
        return int(text)
    errors[name] = _(
        "Must be a whole number from %(least)s to %(most)s, or empty.", least=least, most=most
    )
    return None


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _settings(in_force: Settings) -> list[tuple[str, str, str, str]]:
    """Key, variable, value and where that is from; secrets are masked."""
    try:
        loaded = load_with_sources(os.environ)
    except InvalidSetting:
        loaded = None
    left_out = SERVERS_ONLY if in_force.single_node else frozenset()
    return [
        (
            key,
            variable,
            shown(value_of(in_force, name), NOTHING),
            _source(loaded, name, value_of(in_force, name)),
        )
        for name, (key, variable) in KEYS.items()
        if name not in left_out
    ]


def _source(loaded: Loaded | None, name: str, value: Any) -> str:
    """A node reads its settings when it starts; what was changed since then does not hold yet."""
    if loaded is None or value_of(loaded.settings, name) != value:
        return str(_("given at the start of this node"))
    return loaded.source(name)
