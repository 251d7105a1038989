"""Tasks as the text of a file that ``task_files`` reads again as the very same tasks. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from gocron.core import task_csv
from gocron.core.definition import TaskDefinition
from gocron.core.task_files import Form

ALWAYS = ("name", "spec", "timezone", "command")
"""Fields that are written also if they are as usual: the usual time zone is not everywhere the
same."""

_USUAL = TaskDefinition.model_construct(name="", command="").model_dump(mode="json")

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # in C where libyaml is at hand


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Commands of several lines as they are, and nothing that our reader refuses."""

    def ignore_aliases(self, data: Any) -> bool:
        """No anchors."""
        return True


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def plain_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The definition in a row of ``task``: values that JSON has, instants in UTC."""
    return {name: _plain(stored[name]) for name in TaskDefinition.model_fields}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def head(form: Form) -> str:
    """What stands in front of the first task."""
    if form is Form.CSV:
        # A spreadsheet believes that a file is UTF-8 only if it begins like this.
        return "\ufeff" + task_csv.line(task_csv.FIELDS)
    return "" if form is Form.JSONL else "tasks:\n"


def one(form: Form, stored: Mapping[str, Any]) -> str:
    """A task; ``stored`` are the columns of its row, by the names of the model."""
    fields = plain_fields(stored)
    if form is Form.CSV:
        return task_csv.line(task_csv.row(fields))
    if form is Form.JSONL:
        return json.dumps(_unusual(fields), ensure_ascii=False) + "\n"
    return as_yaml(fields)


def as_yaml(fields: Mapping[str, Any]) -> str:
    """An item of the list under ``tasks:``, without what is as usual."""
    dumped: str = yaml.dump(
        [_unusual(fields)], Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=2**30
    )
    return dumped


def _unusual(fields: Mapping[str, Any]) -> dict[str, Any]:
    said = {
        name: value
        for name, value in fields.items()
        if name in ALWAYS or (value is not None and value != _USUAL[name])
    }
    if not said["spec"]:
        del said["spec"]
    first = {"name": said.pop("name")}  # whatever the order of the model's fields
    return first | said
