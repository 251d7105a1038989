"""What is different about a field of a task, in words. Of environments and headers only the names
are said: values may be secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask_babel import gettext as _

from gocron.db.task_import import FieldChange

SECRET = frozenset({"environment", "http_headers"})

LONGEST = 400


def in_words(change: FieldChange) -> tuple[str, str]:
    """The old value and the new one."""
    if change.field in SECRET:
        return _names(change.old, change.new), _names(change.new, change.old)
    return _text(change.old), _text(change.new)


def _names(values: Mapping[str, str], others: Mapping[str, str]) -> str:
    said = [
        _("%(name)s (another value)", name=name)
        if name in others and others[name] != value
        else name
        for name, value in values.items()
    ]
    return ", ".join(said) or str(_("(empty)"))


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(_("yes") if value else _("no"))
        case None | "" | [] | {}:
            return str(_("(empty)"))
        case datetime():
            return value.astimezone(UTC).isoformat()
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False)
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"
