"""What a task is told to do, in plain words: its policies, and what about it is not as usual."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask_babel import gettext, ngettext

from admin.choices import MISFIRE_WORDS, OVERLAP_WORDS
from admin.presentation import duration
from admin.task_sections import usual_values
from gocron.core.definition import HTTP_TIMEOUT_S
from gocron.core.states import Backoff, Misfire, OnLost, Overlap, Protocol
from gocron.db.models import Task


def _(words: str, **values: object) -> str:
    return str(gettext(words, **values))


@dataclass(frozen=True)
class Policy:
    """``usual``: it is what a new task has."""

    title: str
    words: str
    usual: bool


def policies(task: Task) -> list[Policy]:
    """All of them, in the order of the form."""
    return [
        Policy(title, words, _is_usual(task, fields))
        for title, words, fields in (
            (_("Late slots"), _late(task), ("misfire", "misfire_grace", "catch_up_limit")),
            (_("Overlap"), _overlap(task), ("overlap", "max_parallel")),
            (_("Time limit"), _time_limit(task), ("timeout",)),
            (
                _("Retries"),
                _retries(task),
                ("retry_times", "retry_interval", "retry_backoff", "retry_jitter", "retry_on"),
            ),
            (_("When its node dies"), _lost(task), ("on_lost",)),
            (_("Group"), task.group or _("none"), ("group",)),
            (_("Priority"), str(task.priority), ("priority",)),
            (_("Spread"), _spread(task), ("jitter",)),
        )
    ]


def remarkable(task: Task) -> Iterator[str]:
    """What somebody should know who thinks that it is a task like any other."""
    if not task.enabled:
        yield _("It is disabled: it runs only by hand.")
    if task.starts_at is not None:
        yield _("It does not run before a certain moment.")
    if task.ends_at is not None:
        yield _("It stops running at a certain moment.")
    if task.exclude_calendars:
        names = ", ".join(task.exclude_calendars)
        yield _("It does not run on the days of %(calendars)s.", calendars=names)
    if task.require_calendars:
        names = ", ".join(task.require_calendars)
        yield _("It runs only on the days of %(calendars)s.", calendars=names)
    for policy in policies(task):
        if not policy.usual:
            yield f"{policy.title}: {policy.words}"
    if task.protocol == Protocol.HTTP and not task.http_verify_tls:
        yield _("The certificate of the server is not verified.")


def _is_usual(task: Task, fields: tuple[str, ...]) -> bool:
    usual = usual_values()
    return all(getattr(task, name) == usual[name] for name in fields)


def _late(task: Task) -> str:
    words = str(MISFIRE_WORDS.get(Misfire(task.misfire), task.misfire))
    if task.misfire == Misfire.RUN_ALL:
        words += _(" (at most %(number)s)", number=task.catch_up_limit)
    if task.misfire_grace is not None:
        words += _("; late is what begins after %(time)s", time=duration(task.misfire_grace))
    return words


def _overlap(task: Task) -> str:
    words = str(OVERLAP_WORDS.get(Overlap(task.overlap), task.overlap))
    if task.overlap == Overlap.PARALLEL and task.max_parallel:
        words += _(", at most %(number)s at once", number=task.max_parallel)
    return words


def _time_limit(task: Task) -> str:
    if task.timeout:
        return _ended_after(task.timeout)
    return _ended_after(HTTP_TIMEOUT_S) if task.protocol == Protocol.HTTP else _("none")


def _ended_after(seconds: int) -> str:
    return _("ended after %(time)s", time=duration(float(seconds)))


def _retries(task: Task) -> str:
    if not task.retry_times:
        return _("none")
    words: str = ngettext("once", "%(num)d times", task.retry_times)
    if not task.retry_interval:
        words += _(", after 1, 2, 3 … minutes")
    elif task.retry_backoff == Backoff.EXPONENTIAL:
        words += _(", first after %(time)s, then twice as long", time=_length(task.retry_interval))
    else:
        words += _(", each after %(time)s", time=_length(task.retry_interval))
    return words + _(" (when: %(ends)s)", ends=", ".join(task.retry_on))


def _length(seconds: int) -> str:
    return duration(float(seconds)) if seconds >= 10 else f"{seconds} s"


def _lost(task: Task) -> str:
    if task.on_lost == OnLost.RERUN:
        return _("run again on another node")
    return _("recorded as lost, not run again: it may have had its effect")


def _spread(task: Task) -> str:
    if not task.jitter:
        return _("none: it begins on the second")
    return _("begins up to %(time)s later than its slot", time=_length(task.jitter))
