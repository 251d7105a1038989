"""Settings as people see them: which there are, what is in force, nothing that is secret."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from gocron.config import Settings

MASK = "****"

SERVERS_ONLY = frozenset({"db.host", "db.port", "db.user", "db.password", "db.charset"})
"""Settings that say nothing where the database is a file."""


def value_of(settings: Settings, name: str) -> Any:
    """The value of the setting ``name``, as in ``config.KEYS``."""
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def shown(value: Any, nothing: str) -> str:
    """As a text; ``nothing`` where there is none, ``MASK`` for a secret."""
    match value:
        case None | "" | ():
            return nothing
        case SecretStr():
            return MASK if value.get_secret_value() else nothing
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(value)
        case float():
            return f"{value:g}"
        case _:
            return str(value)
