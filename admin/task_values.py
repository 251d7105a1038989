"""A stored task as values of its form, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from admin import dependency_lines, moments, parameter_lines
from admin.task_form import TaskForm
from gocron.core.definition import TaskDefinition, define
from gocron.db.models import Task

INSTANTS = ("starts_at", "ends_at")


def form_values(model: Task) -> dict[str, Any]:
    """What the form shows; saving that changes nothing."""
    values = {name: getattr(model, name) for name in TaskDefinition.model_fields}
    for name in INSTANTS:
        values[name] = moments.write(values[name], model.timezone)
    return values


def differences(form: TaskForm, model: Task) -> list[tuple[str, str]]:
    """Label and stored value of every field that differs from what was typed; what was typed is
    valid."""
    ours = define(form.definition_fields())
    typed = ours.model_dump(mode="python") | {
        "parameters": [parameter.model_dump(mode="json") for parameter in ours.parameters]
    }
    shown = form_values(model)
    return [
        (form[name].label.text, _in_words(name, shown[name]))
        for name in TaskDefinition.model_fields
        if typed[name] != getattr(model, name)
    ]


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "parameters":
        value = parameter_lines.write(value)
    elif name == "depends_on":
        value = dependency_lines.write(value)
    elif isinstance(value, Mapping | list):
        value = ", ".join(value)  # of variables and headers the names: values may be secrets
    text = "" if value is None else str(value)
    return (text if len(text) <= 200 else text[:200] + " …") or "(empty)"
