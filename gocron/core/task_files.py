"""Files of tasks: text in, definitions out, each with the line it stands in. Pure.

Two forms, with the field names of ``core.definition``:

    tasks:                                          {"name": "a", "spec": "@daily", "command": "x"}
      - name: a                                     {"name": "b", "spec": "@hourly", "command": "y"}
        spec: "@daily"
        command: x

``task_yaml`` and ``task_jsonl`` find the tasks as they are written; here they are understood, and
mistakes collected. A new form is one more reader and one more line in ``_READERS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any

from gocron.allowed import found
from gocron.core import task_jsonl, task_yaml
from gocron.core.definition import Mistake, Refused, TaskDefinition, define
from gocron.core.task_entry import Broken, Entry
from gocron.errors import InvalidImport

LARGEST = 64 * 1024**2
"""Bytes of a file."""

MISTAKES_TOLD = 20


class Form(StrEnum):
    """How a file of tasks is written."""

    YAML = "yaml"
    JSONL = "jsonl"


_READERS = {Form.YAML: task_yaml.entries, Form.JSONL: task_jsonl.entries}


@dataclass(frozen=True)
class TaskFile:
    """A file without mistakes: definitions, and the line each of them begins in."""

    definitions: tuple[TaskDefinition, ...]
    lines: tuple[int, ...]


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
        for entry in _READERS[form](_decode(data), collected.blame):
            collected.add(entry)
    except Broken as error:
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

    def add(self, entry: Entry) -> None:
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


def _line_of(mistake: Mistake, entry: Entry) -> int:
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
        raise Broken(
            line, f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None
