"""A stored task as values of its form, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from admin import dependency_lines, moments, parameter_lines
from admin.task_form import TaskForm
from gocron.core.definition import TaskDefinition
from gocron.db import version_rows
from gocron.db.models import Task

INSTANTS = ("starts_at", "ends_at")


def form_values(model: Task) -> dict[str, Any]:
    """What the form shows; saving that changes nothing."""
    values = {name: getattr(model, name) for name in TaskDefinition.model_fields}
    for name in INSTANTS:
        values[name] = moments.write(values[name], model.timezone)
    return values


def plain_values(model: Task) -> dict[str, Any]:
    """Its definition as versions have it."""
    return version_rows.plain({name: getattr(model, name) for name in TaskDefinition.model_fields})


def plain_definition(definition: TaskDefinition) -> dict[str, Any]:
    """The same for what was typed."""
    parameters = [parameter.model_dump(mode="json") for parameter in definition.parameters]
    return version_rows.plain(definition.model_dump(mode="python") | {"parameters": parameters})


def labels() -> dict[str, str]:
    """What the fields are called."""
    return {name: str(field.label.text) for name, field in TaskForm()._fields.items()}


def in_words(name: str, value: Any, zone: str) -> str:
    """The value of a field as somebody would type it; ``value`` as it is stored, or plain."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if name in INSTANTS:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moments.write(instant, zone)
    if name == "parameters":
        return parameter_lines.write(value)
    if name == "depends_on":
        return dependency_lines.write(value)
    if isinstance(value, Mapping):
        return "\n".join(f"{key} = {text}" for key, text in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
