"""The filters of the list of runs, as an address says them: ``?state=failed&state=lost&task=backup
&node=2&trigger=manual&within=24h`` or ``&from=2026-12-24T18:00&until=…`` (on the clock of the
installation). What cannot be understood is left out, and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from werkzeug.datastructures import MultiDict

from admin import moments
from admin.presentation import STATE_NAMES, TRIGGER_NAMES
from admin.spoken import spoken
from admin.views.base import row_id
from gocron.core.states import RunState, Trigger
from gocron.db.run_queries import FAILURES, RunFilter
from gocron.sayings import inside, said

WITHIN = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
WITHIN_NAMES = {"1h": lazy("Last hour"), "24h": lazy("Last 24 hours"), "7d": lazy("Last 7 days")}

FAILURE = "failures"
"""A state that stands for several."""

LONGEST_TASK = 128

Values = dict[str, list[str]]


@dataclass(frozen=True)
class Chip:
    """A filter that is on; ``without`` is what is asked when it is taken away."""

    label: str
    value: str
    without: Values


@dataclass
class Asked:
    """What somebody asked for. ``values`` are those that were understood, as in the address."""

    values: Values = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def one(self, name: str) -> str:
        """The value of a field that has one."""
        return next(iter(self.values.get(name, ())), "")

    def chips(self, nodes: Mapping[str, str]) -> list[Chip]:
        """The filters that are on; ``nodes`` has their names by id."""
        names: dict[str, tuple[str, Callable[[str], str]]] = {
            "task": (_("Task"), str),
            "state": (_("State"), lambda word: str(STATE_NAMES.get(word, _("Failures")))),
            "trigger": (_("Started by"), lambda word: str(TRIGGER_NAMES[word])),
            "node": (_("Node"), lambda word: nodes.get(word, f"#{word}")),
            "within": (_("Time"), lambda word: str(WITHIN_NAMES[word])),
            "from": (_("From"), lambda word: word.replace("T", " ")),
            "until": (_("Until"), lambda word: word.replace("T", " ")),
        }
        return [
            Chip(label, words(value), self._without(name, value))
            for name, (label, words) in names.items()
            for value in self.values.get(name, ())
        ]

    def _without(self, name: str, value: str) -> Values:
        left = {
            key: [one for one in many if (key, one) != (name, value)]
            for key, many in self.values.items()
        }
        return {key: many for key, many in left.items() if many}


def understand(args: MultiDict[str, str], zone: str) -> Asked:
    """What the address asks for, as far as it can be understood."""
    asked = Asked()
    task = args.get("task", "").strip().replace("\0", "")[:LONGEST_TASK]
    node = row_id(args.get("node"))
    several: dict[str, Sequence[str]] = {
        "task": [task] if task else [],
        "state": _known(args.getlist("state"), {*RunState, FAILURE}),
        "trigger": _known(args.getlist("trigger"), set(Trigger)),
        "node": [] if node is None else [str(node)],
        "within": _known(args.getlist("within")[:1], set(WITHIN)),
        "from": _moment(args, "from", zone, asked),
        "until": _moment(args, "until", zone, asked),
    }
    if several["from"] or several["until"]:
        several["within"] = []
    asked.values = {name: list(values) for name, values in several.items() if values}
    return asked


def filter_of(
    asked: Asked, task_ids: tuple[int, ...] | None, zone: str, now: datetime
) -> RunFilter:
    """What the database is asked; ``task_ids`` are those that the field "task" means."""
    since = moments.read(text, zone) if (text := asked.one("from")) else None
    if within := asked.one("within"):
        since = now - WITHIN[within]
    return RunFilter(
        task_ids=task_ids,
        states=_states(asked.values.get("state", [])),
        node_id=int(node) if (node := asked.one("node")) else None,
        triggers=tuple(Trigger(word) for word in asked.values.get("trigger", [])),
        since=since,
        until=moments.read(text, zone) if (text := asked.one("until")) else None,
    )


def _states(words: Sequence[str]) -> tuple[RunState, ...]:
    chosen = {RunState(word) for word in words if word != FAILURE}
    if FAILURE in words:
        chosen.update(FAILURES)
    return tuple(state for state in RunState if state in chosen)


def _known(words: Sequence[str], allowed: set[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word in allowed]


def _moment(args: MultiDict[str, str], name: str, zone: str, asked: Asked) -> list[str]:
    text = args.get(name, "").strip()[:64]
    if not text:
        return []
    try:
        moments.read(text, zone)
    except ValueError as error:
        label = _("From") if name == "from" else _("Until")
        asked.problems.append(spoken(inside([label], said(error))))
        return []
    return [text]
