"""Why a run is as it is, in plain words: from its state, its reason and its times."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import gettext, ngettext

from admin.presentation import duration
from admin.spoken import stored
from gocron.core.states import RunState, Trigger
from gocron.db.run_queries import RunFacts

LATE = timedelta(seconds=1)
"""What begins later than this after its slot is said to be late."""


def _(words: str, **values: object) -> str:
    return str(gettext(words, **values))


def explain(run: RunFacts, jitter_s: int = 0) -> list[str]:
    """Sentences; none if there is nothing to explain. ``jitter_s``: how far the task spreads its
    starts."""
    found = [_fate(run), _lateness(run, jitter_s)]
    return [sentence for sentence in found if sentence]


def is_late(run: RunFacts) -> bool:
    """Whether it began noticeably after its slot."""
    return run.lateness is not None and run.lateness > LATE


def _fate(run: RunFacts) -> str:
    node = run.node or _("its node")
    match run.state:
        case RunState.QUEUED:
            return _waiting(run)
        case RunState.MISSED:
            return _missed(run)
        case RunState.SKIPPED:
            return _(
                "It was due, but the rules of its task kept it from starting: %(reason)s.",
                reason=stored(run.reason),
            )
        case RunState.LOST:
            return _(
                "%(node)s ran it and went away before it could tell how it ended: "
                "%(reason)s. Whether the command has done its work is not known; "
                "look before you run it again.",
                node=node,
                reason=stored(run.reason),
            )
        case RunState.TIMEOUT:
            return _(
                "After %(time)s it had run for longer than its task allows, so %(node)s ended it.",
                time=duration(run.duration),
                node=node,
            )
        case RunState.CANCELLED if run.started_at is None:
            return _("It was called off before it began; nothing of it ran.")
        case RunState.CANCELLED:
            return _(
                "It was stopped on purpose after %(time)s; what it had done until then stays.",
                time=duration(run.duration),
            )
        case RunState.RUNNING if run.stop_requested_at is not None:
            return _(
                "%(name)s asked for its end; the node ends it within a second, "
                "harder if it does not listen.",
                name=run.stop_requested_by,
            )
    return ""


def _waiting(run: RunFacts) -> str:
    if run.reason:
        return _("It waits to begin: %(reason)s.", reason=stored(run.reason))
    if run.node is None:
        return _(
            "It waits for the leader to give it to a node; that takes half a "
            "second while a node leads."
        )
    if run.attempt:
        return _("It tries again what failed before, as soon as its time has come.")
    return _("%(node)s starts it as soon as its time has come.", node=run.node)


def _missed(run: RunFacts) -> str:
    count = run.missed_count or 1
    slots = ngettext("%(num)s slot", "%(num)s slots", count)
    return _("Nothing was run for %(slots)s: %(reason)s.", slots=slots, reason=stored(run.reason))


def _lateness(run: RunFacts, jitter_s: int) -> str:
    late = run.lateness
    if late is None or late <= LATE:
        return ""
    return _(
        "It began %(time)s after its slot: %(why)s.",
        time=duration(late),
        why=_why_late(run, late, jitter_s),
    )


def _why_late(run: RunFacts, late: timedelta, jitter_s: int) -> str:
    if run.held_at is not None:
        return _("it had to wait for other runs, a group or a pause")
    if jitter_s and late.total_seconds() <= jitter_s + LATE.total_seconds():
        return _("its task spreads its starts over %(time)s", time=duration(jitter_s))
    if run.trigger == Trigger.SCHEDULE and run.created_at - run.scheduled_at > LATE:
        return _("nobody led, or the leader was behind, when it was due; it was caught up on")
    if run.start_at - run.scheduled_at > LATE:
        return _("it was handed over, because the node that had it led no longer")
    return _("its node had no room, or was busy")
