"""The start page: how things are, and kept up to date while it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Response, jsonify, render_template
from flask_admin import BaseView, expose
from flask_babel import format_datetime
from flask_babel import lazy_gettext as _

from admin import auth
from admin.chart_bars import Bar
from admin.overview import Lookout, Overview
from admin.presentation import STATE_NAMES, home_zone
from admin.rights import Need
from admin.views.base import Guarded
from gocron.core.states import RunState
from gocron.db import cluster

STACKED = (
    RunState.FAILED,
    RunState.TIMEOUT,
    RunState.LOST,
    RunState.MISSED,
    RunState.SKIPPED,
    RunState.CANCELLED,
    RunState.SUCCESS,
)
"""In this order, from the ground up: what went wrong is seen however much went well."""

MEMBER_NAMES = {
    "leader": _("leader"),
    "follower": _("follower"),
    "stopped": _("stopped"),
    "lost": _("lost"),
}

HOUR_WORDS, QUARTER_WORDS = "HH:mm", "EEE HH:mm"
"""As Babel writes times."""


class StartView(Guarded, BaseView):
    """Counts, what comes next, what failed, who leads."""

    needs = {"index": Need.READ, "overview": Need.READ}

    def __init__(self) -> None:
        # A path for static files that is not used keeps Flask-Admin from serving its own.
        super().__init__("Start", endpoint="start", url="/", static_url_path="/static")
        self.lookout = Lookout()

    @expose("/")
    def index(self) -> str:
        """One look."""
        return self.render("panel/start.html", **self._values())  # type: ignore[no-any-return]

    @expose("/overview")
    def overview(self) -> Response:
        """The same again: parts of the page, and the charts."""
        values = self._values()
        parts = ("tiles", "lists", "tables")
        return jsonify(
            parts={name: render_template(f"panel/start_{name}.html", **values) for name in parts},
            charts=values["charts"],
            complete=values["view"].complete,
            empty=values["view"].slow.is_empty,
        )

    def _values(self) -> dict[str, Any]:
        node = auth.context()
        view = self.lookout.look(node)
        return {
            "view": view,
            "cluster": cluster.look(node.database),
            "charts": _charts(view),
            "stacked": STACKED,
            "zone": home_zone(),
            "time_words": _time,
            "one_minute": timedelta(minutes=1),
            "member_names": MEMBER_NAMES,
            "hour_words": HOUR_WORDS,
            "quarter_words": QUARTER_WORDS,
        }


def _charts(view: Overview) -> dict[str, object]:
    """What ``start.js`` draws."""
    return {"day": _chart(view.hours, HOUR_WORDS), "week": _chart(view.week, QUARTER_WORDS)}


def _chart(bars: Sequence[Bar], words: str) -> dict[str, object]:
    return {
        "labels": [_time(bar.start, words) for bar in bars],
        "stacks": [
            {
                "state": state,
                "name": str(STATE_NAMES[state]),
                "counts": [bar.states[state] for bar in bars],
            }
            for state in STACKED
        ],
    }


def _time(local: datetime, words: str) -> str:
    """In the language of the request; ``local`` has the right zone already."""
    return str(format_datetime(local, words, rebase=False))
