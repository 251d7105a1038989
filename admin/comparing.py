"""Definitions beside each other: two versions of a task, or what two people typed. Pure but for
words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from admin.task_values import in_words, labels
from gocron.core.definition import TaskDefinition


@dataclass(frozen=True)
class Line:
    """``kind``: same, gone, new. A ``gap`` stands for lines that are the same and not shown."""

    kind: str
    text: str


@dataclass(frozen=True)
class Difference:
    """A field with two values; ``lines`` is their difference where they have several lines."""

    name: str
    label: str
    old: str
    new: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Contested:
    """A field in which what is stored (``theirs``) is not what was typed (``mine``); ``before`` is
    what both began with, None if nobody knows. ``choice`` is what nobody would argue about."""

    name: str
    label: str
    before: str | None
    theirs: str
    mine: str

    @property
    def both(self) -> bool:
        """Whether both changed it."""
        return self.before not in (self.theirs, self.mine)

    @property
    def choice(self) -> str:
        """``theirs`` if only they changed it, else ``mine``."""
        return "theirs" if self.before == self.mine else "mine"


CONTEXT = 2
"""Lines around a change that are shown with it."""

MOST_LINES = 2000
"""That are compared one by one: it would take too long with more."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Of two plain definitions, in the order of the form."""
    names = labels()
    found = []
    for name in TaskDefinition.model_fields:
        if name not in old or name not in new or old[name] == new[name]:
            continue
        before = in_words(name, old[name], str(old.get("timezone", "UTC")))
        after = in_words(name, new[name], str(new.get("timezone", "UTC")))
        several = 0 < before.count("\n") + after.count("\n") < MOST_LINES
        lines = tuple(_lines(before, after)) if several else ()
        found.append(Difference(name, names.get(name, name), before, after, lines))
    return found


def contested(
    before: Mapping[str, Any] | None, theirs: Mapping[str, Any], mine: Mapping[str, Any]
) -> list[Contested]:
    """Of plain definitions: where what is stored differs from what was typed."""
    names = labels()
    zone = str(theirs.get("timezone", "UTC"))
    return [
        Contested(
            name,
            names.get(name, name),
            None if before is None or name not in before else in_words(name, before[name], zone),
            in_words(name, theirs[name], zone),
            in_words(name, mine[name], zone),
        )
        for name in TaskDefinition.model_fields
        if theirs[name] != mine[name]
    ]


def _lines(old: str, new: str) -> Iterator[Line]:
    before, after = old.split("\n"), new.split("\n")
    matcher = SequenceMatcher(None, before, after)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        if group[0][1] > 0:
            yield Line("gap", "…")
        for what, first, last, new_first, new_last in group:
            if what == "equal":
                yield from (Line("same", line) for line in before[first:last])
                continue
            yield from (Line("gone", line) for line in before[first:last])
            yield from (Line("new", line) for line in after[new_first:new_last])
