"""The cluster: who leads, who is there and how, who led when; stepping down, forgetting."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_admin import BaseView, expose
from flask_babel import format_date
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import auth, timeline
from admin.leadership_words import why
from admin.presentation import home_zone
from admin.rights import Need
from admin.spoken import sentence
from admin.views.base import Guarded, row_id
from gocron.db import cluster, nodes, step_down
from gocron.db.cluster import Cluster, Member, PastTerm
from gocron.errors import Conflict

TERMS = 20
MOST_TERMS_DRAWN = 2000
DAYS = (1, 7)


class NodesView(Guarded, BaseView):
    """The cluster as the database shows it."""

    needs = {"index": Need.READ, "now": Need.READ, "past": Need.READ}

    def __init__(self) -> None:
        super().__init__("Cluster", endpoint="nodes", url="/nodes")

    @expose("/")
    def index(self) -> str:
        """All of it."""
        now = cluster.look(auth.context().database)
        return self._page("panel/nodes.html", **_now(now) | _past(now))

    @expose("/now")
    def now(self) -> str:
        """The part that changes every few seconds, for a script."""
        return self._page("panel/cluster_now.html", **_now(cluster.look(auth.context().database)))

    @expose("/past")
    def past(self) -> str:
        """The part that changes with the leader, for a script."""
        return self._page("panel/cluster_past.html", **_past(cluster.look(auth.context().database)))

    @expose("/step-down/", methods=("GET", "POST"))
    def step_down(self) -> str | Response:
        """GET asks, POST does."""
        context = auth.context()
        found = cluster.look(context.database)
        problem = _why_not(found)
        if request.method == "POST" and not problem:
            try:
                name = step_down.ask(context.database, auth.actor())
            except Conflict as error:
                problem = sentence(error)
            else:
                words = _("%(node)s steps down within a few seconds, and another node leads.")
                flash(words % {"node": name}, "success")
                return redirect(url_for("nodes.index"))
        return self._page(
            "panel/step_down.html", cluster=found, problem=problem, heirs=step_down.heirs(found)
        )

    @expose("/forget/", methods=("GET", "POST"))
    def forget(self) -> str | Response:
        """GET asks, POST does."""
        member = _asked()
        if request.method == "POST":
            try:
                nodes.forget(auth.context().database, member.name, auth.actor())
                flash(_("Node “%(node)s” was taken off the list.", node=member.name), "success")
            except Conflict as error:
                flash(sentence(error), "warning")
            return redirect(url_for("nodes.index"))
        return self._page("panel/node_forget.html", member=member)

    def _page(self, template: str, **values: Any) -> str:
        rendered: str = self.render(template, **values)
        return rendered


def _now(found: Cluster) -> dict[str, Any]:
    order = ("leader", "follower", "lost", "stopped")
    members = sorted(found.members, key=lambda member: order.index(member.state))
    return {"cluster": found, "members": members, "heirs": step_down.heirs(found)}


def _past(found: Cluster) -> dict[str, Any]:
    """The timeline of the last day or week, and a page of the table."""
    database = auth.context().database
    days = 7 if request.args.get("days") == "7" else 1
    since = found.now - timedelta(days=days)
    before = row_id(request.args.get("before"))
    page = cluster.history(database, TERMS + 2, before)
    return {
        "cluster": found,
        "days": days,
        "choices": DAYS,
        "before": before,
        "terms": [
            (past, _lasted(past, found), _without_leader(page, number))
            for number, past in enumerate(page[:TERMS])
        ],
        "older": page[TERMS - 1].term if len(page) > TERMS else None,
        "why": why,
        "clock_time": _clock_time,
        "axis_label": _weekday if days > 1 else _hour,
        "drawn": timeline.draw(
            cluster.history_since(database, since, MOST_TERMS_DRAWN),
            since,
            found.now,
            leading=found.leader.term if found.leader else None,
            names=[member.name for member in found.members if member.alive],
            zone=home_zone(),
        ),
    }


def _clock_time(moment: datetime) -> str:
    return f"{moment.astimezone(home_zone()):%Y-%m-%d %H:%M:%S}"


def _hour(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def _weekday(moment: datetime) -> str:
    return str(format_date(moment.date(), "EEE d"))


def _lasted(past: PastTerm, found: Cluster) -> timedelta | None:
    """How long a term was; None if that is not known (yet)."""
    if past.ended_at is not None:
        return past.ended_at - past.began_at
    leads = found.leader is not None and found.leader.term == past.term
    return found.now - past.began_at if leads else None


def _without_leader(page: list[PastTerm], number: int) -> timedelta | None:
    """How long nobody led before this term; None if that was a moment only."""
    if number + 1 >= len(page):
        return None
    earlier = page[number + 1].ended_at
    gap = page[number].began_at - earlier if earlier is not None else timedelta()
    return gap if gap >= timeline.SHORTEST_GAP else None


def _why_not(found: Cluster) -> str:
    """Why nobody can step down now; "" if somebody can."""
    if auth.context().settings.single_node:
        return str(_("With SQLite there is one node only, so nobody else could lead."))
    if found.leader is None:
        return str(_("No node leads just now."))
    if not step_down.heirs(found):
        words = _("%(node)s is the only node that can lead. Start another one first.")
        return str(words % {"node": found.leader.node_name})
    return ""


def _asked() -> Member:
    """The node that the address names."""
    members = cluster.look(auth.context().database).members
    name = request.args.get("name", "")
    found = next((member for member in members if member.name == name), None)
    if found is None:
        abort(404)
    return found
