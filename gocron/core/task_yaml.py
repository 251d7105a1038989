"""Tasks as YAML: a list under ``tasks:``. Pure; for ``task_files`` only.

Read event by event: one task is in memory at a time, what is nested too deeply is refused when it
is met, and aliases are refused altogether (a few hundred bytes of them can stand for gigabytes).
Values are taken as they are written: ``name: no`` is the text "no", and ``timeout: 010`` is ten,
not eight; what a value means is decided by the field it is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from gocron.allowed import found
from gocron.core.task_entry import MOST_FIELDS, Blame, Broken, Entry, Path
from gocron.sayings import say

DEEPEST = 4
"""Levels inside a task: field, one of its parameters, the choices of that, and one more to say
what is too deep."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where libyaml is at hand
_NOTHING = re.compile(r"(~|null|Null|NULL)?")


def entries(text: str, blame: Blame) -> Iterator[Entry]:
    """The tasks in ``text``. Raises ``Broken`` where it cannot be read on."""
    events = _Events(text)
    events.expect(yaml.StreamStartEvent)
    if isinstance(events.peek(), yaml.StreamEndEvent):
        return
    events.expect(yaml.DocumentStartEvent)
    wanted = say("the file is a mapping with a list under tasks:")
    events.expect(yaml.MappingStartEvent, wanted)
    seen = False
    while not isinstance(events.peek(), yaml.MappingEndEvent):
        key = events.expect(yaml.ScalarEvent, wanted)
        line = _line(key)
        if key.value != "tasks":
            blame(
                line,
                say(
                    "%(found)s is not known here; %(wanted)s", found=found(key.value), wanted=wanted
                ),
            )
            _value(events, (), {}, 0)
        elif seen:
            raise Broken(line, say("'tasks' is given twice"))
        else:
            seen = True
            yield from _tasks(events, blame)
    events.expect(yaml.MappingEndEvent)
    events.expect(yaml.DocumentEndEvent)
    events.expect(yaml.StreamEndEvent, say("a file holds one document (a single ---)"))
    if not seen:
        blame(1, wanted)


def _tasks(events: _Events, blame: Blame) -> Iterator[Entry]:
    if _is_nothing(events.peek()):
        events.next()
        return
    events.expect(yaml.SequenceStartEvent, say("tasks holds a list: '- name: …'"))
    while not isinstance(events.peek(), yaml.SequenceEndEvent):
        line = _line(events.peek())
        lines: dict[Path, int] = {}
        fields = _value(events, (), lines, 0)
        if isinstance(fields, dict):
            yield Entry(line, fields, lines)
        else:
            blame(
                line,
                say("a task is a mapping (name: …, spec: …), found %(found)s", found=found(fields)),
            )
    events.next()


UNEXPECTED = say("this is not expected here")


class _Events:
    """The events of a YAML stream, one ahead; those that are not allowed are refused."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ahead: Any = None
        try:
            self._loader = _LOADER(text)
        except yaml.YAMLError as error:
            raise self._broken(error) from None

    def peek(self) -> Any:
        """The next event."""
        if self._ahead is None:
            self._ahead = self._read()
        return self._ahead

    def next(self) -> Any:
        """The next event, taken."""
        event = self.peek()
        self._ahead = None
        return event

    def _read(self) -> Any:
        try:
            event = self._loader.get_event()
        except yaml.YAMLError as error:
            raise self._broken(error) from None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise Broken(
                _line(event), say("anchors (&) and aliases (*) are not allowed; quote the text")
            )
        if getattr(event, "tag", None) is not None:
            raise Broken(
                _line(event),
                say("tags (%(tag)s) are not allowed; quote the text", tag=event.tag[:40]),
            )
        return event

    def expect(self, kind: type[yaml.Event], otherwise: str = UNEXPECTED) -> Any:
        """The next event, which must be of a kind."""
        event = self.next()
        if not isinstance(event, kind):
            raise Broken(_line(event), otherwise)
        return event

    def _broken(self, error: yaml.YAMLError) -> Broken:
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            mark = error.problem_mark
            hint: str = ""
            if "cannot start any token" in str(error.problem):
                hint = say(
                    "; indent with blanks (no tabs), and put texts that begin with % @ ` in quotes"
                )
            elif "mapping values" in str(error.problem):
                hint = say("; put texts with ': ' in them in quotes")
            return Broken(
                mark.line + 1,
                say("not YAML: %(problem)s%(hint)s", problem=error.problem, hint=hint),
            )
        position = getattr(error, "position", 0) or 0
        before = self._text.encode()[:position]
        return Broken(
            before.count(b"\n") + 1,
            say("not YAML: %(problem)s", problem=getattr(error, "reason", error)),
        )


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _is_nothing(event: Any) -> bool:
    """An empty value, or one of the ways to write null: it was not given."""
    return (
        isinstance(event, yaml.ScalarEvent)
        and not event.style
        and _NOTHING.fullmatch(event.value) is not None
    )


def _value(events: _Events, path: Path, lines: dict[Path, int], depth: int) -> Any:
    """The value that begins with the next event: texts, None, and lists and mappings of them."""
    event = events.next()
    if isinstance(event, yaml.ScalarEvent):
        return None if _is_nothing(event) else event.value
    if depth >= DEEPEST:
        raise Broken(_line(event), say("nested too deeply for a task"))
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(events.peek(), yaml.SequenceEndEvent):
            items.append(_value(events, path, lines, depth + 1))
        events.next()
        return items
    mapping: dict[str, Any] = {}
    while not isinstance(events.peek(), yaml.MappingEndEvent):
        key = events.expect(yaml.ScalarEvent, say("the name of a field is a text"))
        if key.value in mapping:
            raise Broken(_line(key), say("%(found)s is given twice", found=found(key.value)))
        if len(mapping) == MOST_FIELDS:
            raise Broken(
                _line(key),
                say("more than %(most)s fields are too many for a task", most=MOST_FIELDS),
            )
        inner = (*path, key.value)
        lines[inner] = _line(key)
        mapping[key.value] = _value(events, inner, lines, depth + 1)
    events.next()
    return mapping
