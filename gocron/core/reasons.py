"""Reasons of runs and of broken tasks, as they are found in the database: which ``say`` made them.

Pure. What is stored is English, for logs, the command line and whoever asks the database; the panel
says it in the language of the page. A new reason is one ``say`` where it arises and one line here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from gocron.sayings import Saying, inside, say, say_n

TEMPLATES = (
    # core.starting: why a run has to wait or is skipped
    "everything is paused: %(reason)s",
    "tasks with the tag %(tag)s are paused: %(reason)s",
    "%(runs)s going in this backfill, no more may at once",
    "a run that is due now goes first",
    "it is its turn once the runs before it have ended",
    "it is its turn once a run of a catch-up or backfill has ended",
    "another run waits already (overlap: queue)",
    "the previous run is still going (overlap: queue)",
    "the run before it is being stopped for it (overlap: replace)",
    "the run before it waited and will not run (overlap: replace)",
    "the previous run is still going (overlap: %(overlap)s)",
    "the previous run still waits to begin (overlap: %(overlap)s)",
    "%(runs)s waiting already for the group %(group)s",
    "the group %(group)s is at its limit of %(limit)s",
    "%(runs)s going, at most %(most)s may (overlap: parallel)",
    "%(runs)s going and %(waiting)s waiting, at most %(most)s may (overlap: parallel)",
    # core.firing: why slots were missed
    "at least %(missed)s",
    "nobody scheduled in time; the newest late slot runs instead",
    "nobody scheduled in time (misfire: skip)",
    "nobody scheduled in time, and at most %(most)s are caught up on",
    "nobody started it in time (misfire: skip)",
    "nobody started it in time; a newer slot runs instead",
    # core.chain: why a task that depends on others is skipped
    "%(task)s, which it depends on, ended %(state)s",
    "%(task)s, which it depends on, does not exist any more",
    "%(task)s, which it depends on, is disabled",
    "the task is disabled",
    "it cannot be given its parameters: %(mistake)s",
    "has no default and must be given",
    "must be true or false, found %(found)s",
    "must be a whole number, found %(found)s",
    "must be a number, found %(found)s",
    "must be a text, found %(found)s",
    "must be %(choices)s, found %(found)s",
    # db: somebody changed something meanwhile
    "the task was changed",
    "the task was disabled",
    "the task was deleted",
    "the calendar %(name)s was changed",
    "the calendar %(name)s was deleted",
    "%(changed)s before this run began",
    "stopped by %(who)s before it began",
    "stopped by %(who)s",
    # execution.shell: how a command ended
    "commands are not run as root: start gocron as a plain user, or allow it with "
    "GOCRON_ALLOW_ROOT=1",
    "the command could not be started: %(why)s",
    "the command could not be started in %(working_dir)s: %(complaint)s",
    "not finished after %(seconds)s s (timeout)",
    "ended by signal %(signal_name)s",
    "exit code 126: found, but not executable",
    "exit code 127: command not found",
    "exit code %(code)s (as after signal %(signal_name)s)",
    "exit code %(code)s",
    # execution.http: how a request ended
    "the request could not be built: %(why)s",
    "status %(status)s, expected %(http_statuses)s",
    "status %(status)s, but searching it for %(pattern)s took too long",
    "status %(status)s, but the answer does not match %(pattern)s",
    "the answer is larger than %(body_limit)s bytes",
    "no connection within %(seconds)s s",
    "no complete answer within %(seconds)s s",
    "the call failed (libcurl's error %(code)s)",
    "neither http nor https is spoken there",
    "the URL is not valid",
    "the host name could not be resolved",
    "the connection was refused or not possible",
    "too many redirects",
    "the server's certificate is not to be trusted",
    "no TLS connection could be made",
    "the answer is not HTTP",
    "the server closed the connection without an answer",
    "the connection broke while the answer was received",
    "the connection broke while the request was sent",
    "the connection closed before the answer was complete",
    # processes: what happened to the node
    "this node has no executor for %(protocol)s",
    "gocron could not start it: %(why)s",
    "the node stood still just before the start",
    "the node was stopped just before the start",
    "the database went away at the moment of the start; nothing was started",
    "the runner process died while it ran; its command was ended",
    "the node was started again while it ran; how it went is not known",
    "no command was running for it",
    "the node's parent process died",
    "the node was stopped",
    "node %(node)s gave no sign of life for %(seconds)s s while it ran",
    "failed",
    "timeout",
    "cancelled",
    "lost",
    "skipped",
    "missed",
    # why a task is broken
    "the calendar %(name)s does not exist (any more)",
)

COUNTING = (
    ("%(num)s run is", "%(num)s runs are"),
    ("%(num)s slot missed", "%(num)s slots missed"),
)
"""Parts of others, for one and for many."""

_NUMBERS = frozenset({"num", "code", "status", "limit", "most", "waiting", "seconds", "body_limit"})
_PARTS = frozenset({"runs", "missed", "changed", "state"})
"""What stands for these is one of the templates itself."""

_PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class _Known:
    pattern: re.Pattern[str]
    template: str
    many: str = ""

    def of(self, text: str) -> Saying | None:
        """``text`` as it was once said; None if it is something else."""
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        values: dict[str, object] = match.groupdict()
        for name in _PARTS & values.keys():
            part = recognised(str(values[name]))
            if not isinstance(part, Saying):
                return None
            values[name] = part
        if "mistake" in values:
            place, _, what = str(values["mistake"]).partition(": ")
            values["mistake"] = inside([place], recognised(what))
        if self.many:
            return say_n(self.template, self.many, int(match["num"]))
        return say(self.template, **values)


@lru_cache(maxsize=4096)
def recognised(text: str) -> str:
    """A text of the database as the ``Saying`` that it was, or as it is if nobody here says so."""
    for known in _KNOWN:
        if saying := known.of(text):
            return saying
    where, colon, what = text.partition(": ")
    if colon and isinstance(place := recognised(where), Saying):
        return inside([place], recognised(what))
    return text


def _known(template: str, shown: str, many: str = "") -> _Known:
    pieces = _PLACE.split(shown)
    pieces[::2] = [re.escape(piece) for piece in pieces[::2]]
    pieces[1::2] = [f"(?P<{name}>{_kind(name)})" for name in pieces[1::2]]
    return _Known(re.compile("".join(pieces), re.DOTALL), template, many)


def _kind(name: str) -> str:
    """What can stand for a placeholder."""
    if name in _NUMBERS:
        return "[0-9]+"
    return "[^:]+" if name in _PARTS else ".+?"


def _said(known: _Known) -> int:
    return len(_PLACE.sub("", known.template))


# What says most of a text in its own words is what it is.
_KNOWN = sorted(
    [_known(template, template) for template in TEMPLATES]
    + [_known(one, shown, many) for one, many in COUNTING for shown in (one, many)],
    key=_said,
    reverse=True,
)
