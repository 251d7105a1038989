"""Files of tasks: text in, definitions out, each with the line it stands in. Pure.

Two forms, with the field names of ``core.definition``:

    tasks:                                          {"name": "a", "spec": "@daily", "command": "x"}
      - name: a                                     {"name": "b", "spec": "@hourly", "command": "y"}
        spec: "@daily"
        command: x

YAML is read event by event: one task is in memory at a time, whatever is nested too deeply is
refused when it is met, and aliases are refused altogether (a few hundred bytes of them can stand
for gigabytes). Values are taken as they are written: ``name: no`` is the text "no", and
``timeout: 010`` is ten, not eight; what a value means is decided by the field it is for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any

import yaml

from gocron.allowed import found
from gocron.core.definition import Mistake, Refused, TaskDefinition, define
from gocron.errors import InvalidImport

LARGEST = 64 * 1024**2
"""Bytes of a file."""

DEEPEST = 3
"""Levels inside a task: field, name of a variable, and one more to say what is too deep."""

MISTAKES_TOLD = 20

MOST_FIELDS = 1000
"""Of one entry, or of one field of it; what has more is no task."""

Path = tuple[str, ...]


class Form(StrEnum):
    """How a file of tasks is written."""

    YAML = "yaml"
    JSONL = "jsonl"


@dataclass(frozen=True)
class TaskFile:
    """A file without mistakes: definitions, and the line each of them begins in."""

    definitions: tuple[TaskDefinition, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True)
class _Entry:
    """One task as written. ``lines`` says where fields stand, by path."""

    line: int
    fields: Mapping[str, Any]
    lines: Mapping[Path, int]


class _Broken(Exception):
    """The file cannot be read on from here."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def form_of(name: str, data: bytes) -> Form:
    """By the ending of the name; otherwise by the first character: ``{`` begins JSON."""
    ending = name.rpartition(".")[2].lower()
    if ending in ("yaml", "yml"):
        return Form.YAML
    if ending in ("jsonl", "ndjson"):
        return Form.JSONL
    return Form.JSONL if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else Form.YAML


def parse(
    data: bytes, name: str, form: Form, defaults: Mapping[str, Any] | None = None
) -> TaskFile:
    """All tasks of a file; ``defaults`` are values for fields that a task does not give.

    Raises ``InvalidImport`` with up to ``MISTAKES_TOLD`` mistakes, each with its line and field.
    """
    if len(data) > LARGEST:
        raise InvalidImport(
            f"nothing was imported: {name} has {len(data)} bytes, at most {LARGEST} are allowed; "
            "split it into several files"
        )
    collected = _Collected(defaults or {})
    try:
        text = _decode(data)
        for entry in (
            _yaml_entries(text, collected) if form is Form.YAML else _json_entries(text, collected)
        ):
            collected.add(entry)
    except _Broken as error:
        collected.blame(error.line, error.message)
    return collected.result(name)


class _Collected:
    """What was found so far, right and wrong."""

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = defaults
        self._definitions: list[TaskDefinition] = []
        self._lines: list[int] = []
        self._line_of_name: dict[str, int] = {}
        self._mistakes: list[str] = []
        self._more = 0

    def blame(self, line: int, message: str) -> None:
        """A mistake in a line."""
        if len(self._mistakes) < MISTAKES_TOLD:
            self._mistakes.append(f"line {line}: {message}")
        else:
            self._more += 1

    def add(self, entry: _Entry) -> None:
        """Understand one task."""
        fields = dict(entry.fields)
        for name, default in self._defaults.items():
            if fields.get(name) is None:
                fields[name] = default
        try:
            definition = define(fields)
        except Refused as error:
            found_in = [(_line_of(mistake, entry), str(mistake)) for mistake in error.mistakes]
            for line, message in sorted(found_in, key=itemgetter(0)):
                self.blame(line, message)
            return
        if first := self._line_of_name.get(definition.name):
            line = entry.lines.get(("name",), entry.line)
            self.blame(line, f"name: {found(definition.name)} is also in line {first}")
            return
        self._line_of_name[definition.name] = entry.line
        self._definitions.append(definition)
        self._lines.append(entry.line)

    def result(self, name: str) -> TaskFile:
        """The file, if nothing was wrong."""
        if self._mistakes:
            count = len(self._mistakes) + self._more
            words = "1 mistake" if count == 1 else f"{count} mistakes"
            lines = [f"nothing was imported: {name} has {words}", *self._mistakes]
            if self._more:
                lines.append(f"… and {self._more} more")
            raise InvalidImport("\n  ".join(lines))
        if not self._definitions:
            raise InvalidImport(f"nothing was imported: there is no task in {name}")
        return TaskFile(tuple(self._definitions), tuple(self._lines))


def _line_of(mistake: Mistake, entry: _Entry) -> int:
    """The line of the innermost place that has one."""
    for length in range(len(mistake.path), 0, -1):
        if line := entry.lines.get(mistake.path[:length]):
            return line
    return entry.line


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Broken(
            line, f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None


# JSON lines -------------------------------------------------------------------------------------


def _json_entries(text: str, collected: _Collected) -> Iterator[_Entry]:
    decoder = json.JSONDecoder(object_pairs_hook=_without_doubles, parse_constant=_no_number)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        try:
            fields = decoder.decode(line)
        except json.JSONDecodeError as error:
            collected.blame(number, f"not JSON: {error.msg} (column {error.colno})")
        except RecursionError:
            collected.blame(number, "nested too deeply")
        except _NotJson as error:
            collected.blame(number, str(error))
        except ValueError:  # Python's limit, against numbers that take minutes to read
            collected.blame(number, "a number has too many digits")
        else:
            if not isinstance(fields, dict):
                collected.blame(number, f"a task is an object {{…}}, found {found(fields)}")
            elif len(fields) > MOST_FIELDS:
                collected.blame(number, f"{len(fields)} fields are too many for a task")
            elif isinstance(fields.get("tasks"), list):
                collected.blame(
                    number,
                    "JSON lines hold one task a line; a document with a list under tasks is read "
                    "with --format yaml",
                )
            else:
                yield _Entry(number, fields, {})


class _NotJson(Exception):
    """What ``json`` takes and we do not."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _value in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise _NotJson(f"{found(double)} is given twice")
    return fields


def _no_number(word: str) -> float:
    raise _NotJson(f"not JSON: {word} is no number")


# YAML -------------------------------------------------------------------------------------------

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where libyaml is at hand
_NOTHING = re.compile(r"(~|null|Null|NULL)?")


def _yaml_entries(text: str, collected: _Collected) -> Iterator[_Entry]:
    events = _Events(text)
    events.expect(yaml.StreamStartEvent)
    if isinstance(events.peek(), yaml.StreamEndEvent):
        return
    events.expect(yaml.DocumentStartEvent)
    wanted = "the file is a mapping with a list under tasks:"
    events.expect(yaml.MappingStartEvent, wanted)
    seen = False
    while not isinstance(events.peek(), yaml.MappingEndEvent):
        key = events.expect(yaml.ScalarEvent, wanted)
        line = _line(key)
        if key.value != "tasks":
            collected.blame(line, f"{found(key.value)} is not known here; {wanted}")
            _value(events, (), {}, 0)
        elif seen:
            raise _Broken(line, "'tasks' is given twice")
        else:
            seen = True
            yield from _tasks(events, collected)
    events.expect(yaml.MappingEndEvent)
    events.expect(yaml.DocumentEndEvent)
    events.expect(yaml.StreamEndEvent, "a file holds one document (a single ---)")
    if not seen:
        collected.blame(1, wanted)


def _tasks(events: _Events, collected: _Collected) -> Iterator[_Entry]:
    if _is_nothing(events.peek()):
        events.next()
        return
    events.expect(yaml.SequenceStartEvent, "tasks holds a list: '- name: …'")
    while not isinstance(events.peek(), yaml.SequenceEndEvent):
        line = _line(events.peek())
        lines: dict[Path, int] = {}
        fields = _value(events, (), lines, 0)
        if isinstance(fields, dict):
            yield _Entry(line, fields, lines)
        else:
            collected.blame(line, f"a task is a mapping (name: …, spec: …), found {found(fields)}")
    events.next()


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
            raise _Broken(
                _line(event), "anchors (&) and aliases (*) are not allowed; quote the text"
            )
        if getattr(event, "tag", None) is not None:
            raise _Broken(_line(event), f"tags ({event.tag[:40]}) are not allowed; quote the text")
        return event

    def expect(self, kind: type[yaml.Event], otherwise: str = "this is not expected here") -> Any:
        """The next event, which must be of a kind."""
        event = self.next()
        if not isinstance(event, kind):
            raise _Broken(_line(event), otherwise)
        return event

    def _broken(self, error: yaml.YAMLError) -> _Broken:
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            mark = error.problem_mark
            hint = ""
            if "cannot start any token" in str(error.problem):
                hint = (
                    "; indent with blanks (no tabs), and put texts that begin with % @ ` in quotes"
                )
            elif "mapping values" in str(error.problem):
                hint = "; put texts with ': ' in them in quotes"
            return _Broken(mark.line + 1, f"not YAML: {error.problem}{hint}")
        position = getattr(error, "position", 0) or 0
        before = self._text.encode()[:position]
        return _Broken(before.count(b"\n") + 1, f"not YAML: {getattr(error, 'reason', error)}")


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
        raise _Broken(_line(event), "nested too deeply for a task")
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(events.peek(), yaml.SequenceEndEvent):
            items.append(_value(events, path, lines, depth + 1))
        events.next()
        return items
    mapping: dict[str, Any] = {}
    while not isinstance(events.peek(), yaml.MappingEndEvent):
        key = events.expect(yaml.ScalarEvent, "the name of a field is a text")
        if key.value in mapping:
            raise _Broken(_line(key), f"{found(key.value)} is given twice")
        if len(mapping) == MOST_FIELDS:
            raise _Broken(_line(key), f"more than {MOST_FIELDS} fields are too many for a task")
        inner = (*path, key.value)
        lines[inner] = _line(key)
        mapping[key.value] = _value(events, inner, lines, depth + 1)
    events.next()
    return mapping
