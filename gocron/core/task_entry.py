"""One task of a file as it was written. Pure; for ``task_files`` and its two readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_FIELDS = 1000
"""Of one entry, or of one field of it; what has more is no task."""

Path = tuple[str, ...]
"""A field, then what is inside it."""

Blame = Callable[[int, str], None]
"""Called with a line and what is wrong in it; reading goes on."""


@dataclass(frozen=True)
class Entry:
    """What was found. ``lines`` says where fields stand, by path; a reader need not know."""

    line: int
    fields: Mapping[str, Any]
    lines: Mapping[Path, int]


class Broken(Exception):
    """The file cannot be read on from here."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message
