"""What every open page asks again and again: who leads, whether there is a pause, how much is
going on. And a fresh token, so that a form that was open for long can still be sent."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as AnyResponse

from admin import auth
from admin.presentation import pause_of_all
from admin.rights import Need
from gocron.db import cluster

live = Blueprint("live", __name__)


@live.get("/live")
def now() -> Response | AnyResponse:
    """A few small numbers."""
    if not auth.is_allowed(Need.READ):
        return auth.refuse()
    found = cluster.look(auth.context().database)
    pause = pause_of_all()
    leader = found.leader
    return jsonify(
        leader=leader.node_name if leader else None,
        term=found.term,
        lease_age_s=round(leader.lease_age_s, 1) if leader else None,
        pause=pause.reason if pause else None,
        running=sum(member.running for member in found.members if member.state != "lost"),
        csrf_token=generate_csrf(),
    )
