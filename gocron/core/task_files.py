"""Files of tasks: text in, definitions out, each with the line it stands in. Pure.

Three forms, with the field names of ``core.definition``:

    tasks:                                          {"name": "a", "spec": "@daily", "command": "x"}
      - name: a                                     {"name": "b", "spec": "@hourly", "command": "y"}
        spec: "@daily"
        command: x

and CSV with the fields' names in its first line. ``task_yaml``, ``task_jsonl`` and ``task_csv``
find the tasks as they are written; here they are understood, and mistakes collected. A new form is
one more reader and one more line in ``_READERS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any

from gocron.allowed import found
from gocron.core import task_csv, task_jsonl, task_yaml
from gocron.core.definition import Mistake, Refused, TaskDefinition, define
from gocron.core.task_entry import Broken, Entry
from gocron.errors import InvalidImport
from gocron.sayings import inside, say

LARGEST = 64 * 1024**2
"""Bytes of a file."""

MISTAKES_TOLD = 20


class Form(StrEnum):
    """How a file of tasks is written."""

    YAML = "yaml"
    JSONL = "jsonl"
    CSV = "csv"


_READERS = {
    Form.YAML: task_yaml.entries,
    Form.JSONL: task_jsonl.entries,
    Form.CSV: task_csv.entries,
}

_BEGINS_AS_CSV = re.compile(rb'"?[a-z_]+"?[,;]')


@dataclass(frozen=True)
class TaskFile:
    """A file without mistakes: definitions, and the line each of them begins in."""

    definitions: tuple[TaskDefinition, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What was found in a file, right and wrong: definitions, the line each of them begins in, and
    (line, what is wrong there); ``more`` mistakes were not kept."""

    definitions: tuple[TaskDefinition, ...]
    lines: tuple[int, ...]
    mistakes: tuple[tuple[int, str], ...]
    more: int


def form_of(name: str, data: bytes) -> Form:
    """By the ending of the name; otherwise by the first characters: ``{`` begins JSON, a field's
    name and a comma CSV."""
    ending = name.rpartition(".")[2].lower()
    if ending in ("yaml", "yml"):
        return Form.YAML
    if ending in ("jsonl", "ndjson"):
        return Form.JSONL
    if ending == "csv":
        return Form.CSV
    begins = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begins.startswith(b"{"):
        return Form.JSONL
    return Form.CSV if _BEGINS_AS_CSV.match(begins) else Form.YAML


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
    found = read(data, form, defaults)
    if found.mistakes:
        raise InvalidImport(_refused(name, found))
    if not found.definitions:
        raise InvalidImport(f"nothing was imported: there is no task in {name}")
    return TaskFile(found.definitions, found.lines)


def _refused(name: str, found: Reading) -> str:
    count = len(found.mistakes) + found.more
    words = "1 mistake" if count == 1 else f"{count} mistakes"
    head = f"nothing was imported: {name} has {words}"
    told = [f"line {line}: {message}" for line, message in found.mistakes]
    more = [f"… and {found.more} more"] if found.more else []
    return "\n  ".join([head, *told, *more])


def read(
    data: bytes, form: Form, defaults: Mapping[str, Any] | None = None, most: int | None = None
) -> Reading:
    """The same for somebody who wants to see what is right as well; looks at the first ``most``
    tasks, and calls further ones a mistake."""
    collected = _Collected(defaults or {})
    try:
        for number, entry in enumerate(_READERS[form](_decode(data), collected.blame)):
            if number == most:
                raise Broken(
                    entry.line,
                    say("more than %(most)s tasks; split the file into several", most=most),
                )
            collected.add(entry)
    except Broken as error:
        collected.blame(error.line, error.message)
    return collected.result()


class _Collected:
    """What was found so far, right and wrong."""

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = defaults
        self._definitions: list[TaskDefinition] = []
        self._lines: list[int] = []
        self._line_of_name: dict[str, int] = {}
        self._mistakes: list[tuple[int, str]] = []
        self._more = 0

    def blame(self, line: int, message: str) -> None:
        """A mistake in a line."""
        if len(self._mistakes) < MISTAKES_TOLD:
            self._mistakes.append((line, message))
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
            found_in = [(_line_of(mistake, entry), mistake.told) for mistake in error.mistakes]
            for line, message in sorted(found_in, key=itemgetter(0)):
                self.blame(line, message)
            return
        if first := self._line_of_name.get(definition.name):
            line = entry.lines.get(("name",), entry.line)
            self.blame(
                line,
                inside(
                    ["name"],
                    say(
                        "%(name)s is also in line %(line)s",
                        name=found(definition.name),
                        line=first,
                    ),
                ),
            )
            return
        self._line_of_name[definition.name] = entry.line
        self._definitions.append(definition)
        self._lines.append(entry.line)

    def result(self) -> Reading:
        """Everything."""
        return Reading(
            tuple(self._definitions), tuple(self._lines), tuple(self._mistakes), self._more
        )


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
            line,
            say(
                "byte %(byte)s is not UTF-8; save the file as UTF-8",
                byte=format(data[error.start], "#04x"),
            ),
        ) from None
