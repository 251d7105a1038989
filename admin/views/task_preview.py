"""When a schedule that is being typed would fire: as a sentence, and as its next slots."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

from flask import jsonify, request
from flask_admin import expose
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from admin import auth, moments
from admin.i18n import language
from admin.presentation import WEEKDAYS
from admin.spoken import spoken
from gocron.core.preview import Upcoming, preview
from gocron.core.timetable import Rules
from gocron.core.words import explain
from gocron.db import calendars
from gocron.db.engine import Database
from gocron.errors import InvalidSchedule
from gocron.sayings import inside, said, say

SLOTS = 10
MOST_CALENDARS = 40


class TaskPreview:
    """A part of ``TaskView``."""

    @expose("/preview/")
    def preview_view(self) -> Response:
        """What ``task_form.js`` asks for. A mistake is an answer like any other."""
        spec, zone = _asked("spec"), _asked("timezone")
        database = auth.context().database
        try:
            rules, now = _rules(database, zone)
            sentence = explain(spec, zone, rules.seed, language())
            slots = preview(spec, zone, rules, now, SLOTS)
        except InvalidSchedule as error:
            return jsonify(problem=spoken(error))
        return jsonify(words=sentence, slots=[_slot(upcoming) for upcoming in slots])


def _asked(name: str) -> str:
    return request.args.get(name, "").strip()


def _slot(upcoming: Upcoming) -> dict[str, str]:
    return {
        "weekday": str(WEEKDAYS[upcoming.local.weekday()]),
        "local": f"{upcoming.local:%Y-%m-%d %H:%M:%S %Z}",
        "utc": f"{upcoming.slot.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "iso": f"{upcoming.slot.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "remark": spoken(upcoming.remark),
    }


def _rules(database: Database, zone: str) -> tuple[Rules, datetime]:
    """What surrounds the spec, and the time of the database. Raises ``InvalidSchedule``."""
    excluded = request.args.getlist("exclude_calendars")[:MOST_CALENDARS]
    required = request.args.getlist("require_calendars")[:MOST_CALENDARS]
    with database.read() as connection:
        now = database.dialect.now(connection)
        days = calendars.named(connection, _clean({*excluded, *required}))
    for name in (*excluded, *required):
        if name not in days:
            raise InvalidSchedule(
                say("the calendar %(name)s does not exist (any more)", name=repr(name))
            )
    rules = Rules(
        seed=_asked("name"),
        starts_at=_moment("starts_at", zone),
        ends_at=_moment("ends_at", zone),
        excluded=_any_of(tuple(days[name] for name in excluded)),
        required=_all_of(tuple(days[name] for name in required)) if required else None,
    )
    return rules, now


# The same objects for the same calendars: timetables are remembered together with their days.


@lru_cache(maxsize=64)
def _any_of(sets: tuple[frozenset[date], ...]) -> frozenset[date]:
    return frozenset().union(*sets)


@lru_cache(maxsize=64)
def _all_of(sets: tuple[frozenset[date], ...]) -> frozenset[date]:
    return sets[0].intersection(*sets[1:])


def _clean(names: set[str]) -> set[str]:
    return {name for name in names if "\0" not in name}


def _moment(name: str, zone: str) -> datetime | None:
    text = _asked(name)
    if not text:
        return None
    try:
        return moments.read(text, zone)
    except ValueError as error:
        label = _("not before") if name == "starts_at" else _("not after")
        raise InvalidSchedule(inside([label], said(error))) from error
