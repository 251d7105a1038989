"""The parts of a task's form, and which of them are shown open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _

from admin.task_form import TaskForm
from gocron.core.definition import TaskDefinition


@dataclass(frozen=True)
class Section:
    """``key`` is its place in the address. ``kind``: the kind of task it is for, "" every. A folded
    one (with a word about what it is for) is open only if something in it is not as usual."""

    key: str
    title: str
    fields: tuple[str, ...]
    kind: str = ""
    folded: str = ""


SECTIONS = (
    Section("task", _("Task"), ("name", "tag", "remark", "enabled")),
    Section("when", _("When"), ("spec", "timezone")),
    Section(
        "window",
        _("Window, calendars, spread"),
        ("starts_at", "ends_at", "exclude_calendars", "require_calendars", "jitter"),
        folded=_("from when, until when, on which days"),
    ),
    Section("dependencies", _("Dependencies"), ("depends_on",), folded=_("run after other tasks")),
    Section("what", _("What"), ("protocol", "timeout", "command")),
    Section("shell", _("Shell"), ("working_dir", "environment"), kind="shell"),
    Section(
        "http",
        _("HTTP"),
        (
            "http_method",
            "http_statuses",
            "http_headers",
            "http_body",
            "success_pattern",
            "http_verify_tls",
        ),
        kind="http",
    ),
    Section(
        "parameters", _("Parameters"), ("parameters",), folded=_("what can be given for a run")
    ),
    Section(
        "late",
        _("Late and overlapping runs"),
        (
            "misfire",
            "misfire_grace",
            "catch_up_limit",
            "overlap",
            "max_parallel",
            "group",
            "priority",
        ),
        folded=_("what happens to them, groups, priority"),
    ),
    Section(
        "failure",
        _("After a failure"),
        ("retry_times", "retry_interval", "retry_backoff", "retry_jitter", "retry_on", "on_lost"),
        folded=_("retries, lost nodes"),
    ),
)


def open_sections(form: TaskForm) -> frozenset[str]:
    """Keys of the folded sections with a mistake in them, or with a value that is not what a new
    task has."""
    return frozenset(
        section.key
        for section in SECTIONS
        if any(form[name].errors or not _is_usual(form, name) for name in section.fields)
    )


def _is_usual(form: TaskForm, name: str) -> bool:
    value, usual = form[name].data, usual_values().get(name)
    return bool(value == usual or (not value and not usual))


def usual_values() -> dict[str, Any]:
    """What a new task has, besides what everybody has to say."""
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in TaskDefinition.model_fields.items()
        if not field.is_required()
    }
