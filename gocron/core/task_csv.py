"""Tasks as CSV: a line of field names, then a task a line. Pure; read for ``task_files`` only.

A spreadsheet takes a cell that begins with = + - or @ for a formula, and would run what is the name
or the command of a task. Such cells are written with ' in front of them, which is taken off again
when they are read; so is one ' in front of a '. What is empty was not given. Lists and mappings are
JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gocron.allowed import found
from gocron.core.definition import TaskDefinition
from gocron.core.task_entry import MOST_FIELDS, Blame, Broken, Entry
from gocron.sayings import inside, said, say

_FIRST = ("name", "tag", "enabled", "spec", "timezone", "protocol", "command")

FIELDS: Sequence[str] = (
    *_FIRST,
    *(name for name in TaskDefinition.model_fields if name not in _FIRST),
)
"""The columns, those first that people look at."""

STRUCTURED = frozenset(
    {
        "environment",
        "http_headers",
        "exclude_calendars",
        "require_calendars",
        "retry_on",
        "depends_on",
        "parameters",
    }
)

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")

LONGEST_CELL = 1_000_000
"""Characters: a field of ``core.definition`` as JSON has fewer."""


def line(cells: Sequence[str]) -> str:
    """One line, with its end."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return written.getvalue()


def row(values: Mapping[str, Any]) -> list[str]:
    """A task's fields (plain values, as JSON has them) as cells."""
    return [_cell(values[name]) for name in FIELDS]


def harmless(cell: str) -> str:
    """What no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULAS) or cell != _as_written(cell) else cell


def _as_written(cell: str) -> str:
    """The opposite of ``harmless``."""
    marked = cell.startswith("'") and cell[1:].startswith((*FORMULAS, "'"))
    return cell[1:] if marked else cell


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def entries(text: str, blame: Blame) -> Iterator[Entry]:
    """The tasks in ``text``. Raises ``Broken`` where it cannot be read on."""
    csv.field_size_limit(LONGEST_CELL)  # the default is less than a long environment needs
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    names: list[str] = []
    begins = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Broken(begins, say("not CSV: %(why)s", why=said(error))) from None
        if not any(cells):
            pass
        elif not names:
            names = _names(cells, begins)
        elif len(cells) > len(names):
            blame(
                begins,
                say(
                    "has %(cells)s cells, the first line names only %(names)s fields",
                    cells=len(cells),
                    names=len(names),
                ),
            )
        else:
            yield Entry(begins, _fields(names, cells, begins, blame), {})
        begins = reader.line_num + 1


def _delimiter(text: str) -> str:
    """A spreadsheet of a country that writes 1,5 separates cells by semicolons."""
    first = text.split("\n", 1)[0]
    return ";" if first.count(";") > first.count(",") else ","


def _names(cells: Sequence[str], line_number: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > MOST_FIELDS:
        raise Broken(line_number, say("%(count)s fields are too many for a task", count=len(names)))
    for name in names:
        if not name or names.count(name) > 1:
            raise Broken(line_number, _misnamed(name))
    return names


def _misnamed(name: str) -> str:
    if name:
        return say(
            "the first line names %(name)s twice; it holds the names of the fields",
            name=found(name),
        )
    return say("the first line has a column without a name; it holds the names of the fields")


def _fields(
    names: Sequence[str], cells: Sequence[str], line_number: int, blame: Blame
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, written in zip(names, cells, strict=False):
        cell = _as_written(written)
        if not cell:
            continue
        fields[name] = cell
        if name in STRUCTURED and cell.lstrip()[:1] in ("[", "{"):
            try:
                fields[name] = json.loads(cell)
            except (ValueError, RecursionError):
                blame(
                    line_number, inside([name], say("not JSON, found %(found)s", found=found(cell)))
                )
    return fields
