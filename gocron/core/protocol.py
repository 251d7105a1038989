"""What children tell their parent: one JSON object a line, over the status pipe. Pure.

Signals carry no data and may merge, so they only wake a child; what it should do stands on the
board (``gocron.board``), what it did comes back in these messages.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Ready:
    """The child does its work now."""


@dataclass(frozen=True)
class Leading:
    """From the elector: this node leads ``term``."""

    term: int


@dataclass(frozen=True)
class NotLeading:
    """From the elector: this node leads no longer."""

    reason: str


@dataclass(frozen=True)
class Acting:
    """From the scheduler: it dispatches under ``term``."""

    term: int


@dataclass(frozen=True)
class StandingBy:
    """From the scheduler: it dispatches nothing."""


@dataclass(frozen=True)
class Unable:
    """From any child: it cannot go on, and a restart would not help."""

    reason: str


LONGEST_TEXT = 320
"""Characters of a text in a message; escaped (up to 12 bytes each), they still fit into one atomic
write."""

Message = Ready | Leading | NotLeading | Acting | StandingBy | Unable

KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Ready, Leading, NotLeading, Acting, StandingBy, Unable)
}


def encode(message: Message) -> bytes:
    """One line, newline included; short enough (< PIPE_BUF) to be written in one piece."""
    fields = {
        key: value[:LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in asdict(message).items()
    }
    return json.dumps({"kind": type(message).__name__, **fields}).encode() + b"\n"


def decode(line: bytes) -> Message | None:
    """The message in a line, or None when the line is torn: a child may die while it writes."""
    try:
        fields = json.loads(line)
        return KINDS[fields.pop("kind")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
