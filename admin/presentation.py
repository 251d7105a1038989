"""How times, durations and states look. Filters and globals of the templates."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask, url_for
from flask_babel import format_timedelta
from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString
from markupsafe import Markup

from admin import agents, auth
from admin.navigation import navigation
from admin.role_words import ROLE_NAMES
from admin.spoken import sentence, stored
from gocron.context import Context
from gocron.core.states import RunState, Trigger
from gocron.core.timetable import parse
from gocron.db import cluster, pauses
from gocron.db.cluster import Cluster
from gocron.db.pauses import PauseFacts
from gocron.errors import InvalidSchedule

STATIC = Path(__file__).parent / "static"

STATE_COLOURS = {
    RunState.QUEUED: "bg-secondary-lt",
    RunState.RUNNING: "bg-blue-lt",
    RunState.SUCCESS: "bg-green-lt",
    RunState.FAILED: "bg-red-lt",
    RunState.TIMEOUT: "bg-orange-lt",
    RunState.CANCELLED: "bg-secondary-lt",
    RunState.LOST: "bg-red-lt",
    RunState.SKIPPED: "bg-yellow-lt",
    RunState.MISSED: "bg-yellow-lt",
}

STATE_WORDS = {
    RunState.QUEUED: _("waits for its moment, or for a node that has room"),
    RunState.RUNNING: _("has been started and has not ended yet"),
    RunState.SUCCESS: _("ended well"),
    RunState.FAILED: _("ended badly"),
    RunState.TIMEOUT: _("took longer than the task allows and was ended"),
    RunState.CANCELLED: _("was stopped by hand"),
    RunState.LOST: _("its node died; how it ended is not known"),
    RunState.SKIPPED: _("was not started; the reason says why"),
    RunState.MISSED: _("nobody was there to start it in time"),
}

STATE_NAMES: dict[str, LazyString] = {
    RunState.QUEUED: _("queued"),
    RunState.RUNNING: _("running"),
    RunState.SUCCESS: _("success"),
    RunState.FAILED: _("failed"),
    RunState.TIMEOUT: _("timeout"),
    RunState.CANCELLED: _("cancelled"),
    RunState.LOST: _("lost"),
    RunState.SKIPPED: _("skipped"),
    RunState.MISSED: _("missed"),
}

TRIGGER_NAMES: dict[str, LazyString] = {
    Trigger.SCHEDULE: _("schedule"),
    Trigger.CATCH_UP: _("late"),
    Trigger.MANUAL: _("by hand"),
    Trigger.BACKFILL: _("backfill"),
    Trigger.DEPENDENCY: _("dependency"),
    Trigger.ELECTION: _("election"),
}

TRIGGER_WORDS = {
    Trigger.SCHEDULE: _("its schedule"),
    Trigger.CATCH_UP: _("its schedule, late"),
    Trigger.ELECTION: _("the election of a leader"),
    Trigger.DEPENDENCY: _("the end of what it depends on"),
    Trigger.MANUAL: _("by hand"),
    Trigger.BACKFILL: _("a backfill"),
}

TRIGGER_BADGES = {
    Trigger.CATCH_UP: _("late"),
    Trigger.ELECTION: _("election"),
    Trigger.DEPENDENCY: _("dependency"),
    Trigger.MANUAL: _("by hand"),
    Trigger.BACKFILL: _("backfill"),
}
"""In lists; a schedule is the usual thing."""

WEEKDAYS = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))

MEMBER_COLOURS = {
    "leader": "bg-green-lt",
    "follower": "bg-blue-lt",
    "stopped": "bg-secondary-lt",
    "lost": "bg-red-lt",
}


def install(app: Flask, context: Context) -> None:
    """Make everything here known to the templates."""
    app.add_template_filter(moment)
    app.add_template_filter(duration)
    app.add_template_filter(relative)
    app.add_template_filter(stored, "spoken")
    app.jinja_env.globals.update(
        app_name=context.settings.app_name,
        role_names=ROLE_NAMES,
        agent_in_words=agents.in_words,
        node_name=context.identity.name,
        asset=asset_urls(),
        home_zone=context.settings.timezone,
        alone=context.settings.single_node,
        navigation=navigation,
        spec_zone=spec_zone,
        sentence=sentence,
        look=_look,
        pause_of_all=pause_of_all,
        trigger_words=TRIGGER_WORDS,
        trigger_badges=TRIGGER_BADGES,
        state_colours=STATE_COLOURS,
        state_words=STATE_WORDS,
        state_names=STATE_NAMES,
        member_colours=MEMBER_COLOURS,
        weekdays=WEEKDAYS,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a zone that this node's data does not know
        return ZoneInfo("UTC")


def moment(instant: datetime | None, zone: str | None = None) -> Markup:
    """Date and time in ``zone``, by default that of the installation; UTC when somebody points at
    it."""
    if instant is None:
        return Markup('<span class="text-secondary">–</span>')
    utc = instant.astimezone(UTC)
    local = instant.astimezone(_zone(zone) if zone else home_zone())
    return Markup(
        '<time datetime="{}" title="{} UTC" class="text-nowrap">{} '
        '<small class="text-secondary">{}</small></time>'
    ).format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        utc.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        local.strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime("%Z"),
    )


def duration(length: timedelta | float | None) -> str:
    """``0.25 s``, ``12 s``, ``3 min 4 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if length is None:
        return "–"
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    for name, size, smaller, smaller_size in (
        ("d", 86_400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def relative(instant: datetime | None, zone: str | None = None) -> Markup:
    """``in 5 minutes``, ``2 hours ago``; a script keeps it true. The instant itself, in ``zone``,
    is said when somebody points at it."""
    if instant is None:
        return Markup('<span class="text-secondary">–</span>')
    local = instant.astimezone(_zone(zone) if zone else home_zone())
    return Markup(
        '<time datetime="{}" title="{}" data-relative class="text-nowrap">{}</time>'
    ).format(
        instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        format_timedelta(instant - datetime.now(UTC), add_direction=True, threshold=1),
    )


def home_zone() -> ZoneInfo:
    """The zone of the installation."""
    return _zone(auth.context().settings.timezone)


def spec_zone(spec: str, zone: str) -> str:
    """The zone that a schedule really follows: ``CRON_TZ=`` in front of it wins."""
    try:
        return parse(spec, zone).zone
    except InvalidSchedule:
        return zone


def _look() -> Cluster:
    return cluster.look(auth.context().database)


def pause_of_all() -> PauseFacts | None:
    """The pause of everything, if there is one now."""
    found = pauses.listing(auth.context().database)
    return next((pause for pause in found if not pause.tag and pause.in_force), None)


def asset_urls() -> _Assets:
    """What templates name static files with."""
    found = sorted(path for path in STATIC.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in found))
    return _Assets(digest.hexdigest()[:12])


class _Assets:
    """Addresses of static files that change with their content, so they may be kept for long."""

    def __init__(self, version: str) -> None:
        self._version = version

    def __call__(self, name: str) -> str:
        return url_for("panel.static", filename=name, v=self._version)
