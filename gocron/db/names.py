"""Names and remarks that people give to calendars, groups and pauses: one clean line each. And what
somebody is told who asks for a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from unicodedata import category

from gocron.allowed import found, meant
from gocron.errors import InvalidTask, NotFound
from gocron.sayings import say

KINDS = {"calendar": say("calendar"), "group": say("group")}

UNCLEAN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that a terminal obeys, a database refuses, or that begin a new line."""


def one_line(field: str, text: str, most: int, *, needed: bool = True) -> str:
    """``text`` without blanks around it. Raises ``InvalidTask`` for ``field`` unless it is one line
    of at most ``most`` characters and, if it is ``needed``, not empty."""
    text = text.strip()
    if needed and not text:
        raise InvalidTask(
            field, say("must be a text of 1 to %(most)s characters, found nothing", most=most)
        )
    if len(text) > most:
        raise InvalidTask(
            field,
            say(
                "must be a text of at most %(most)s characters, found %(found)s",
                most=most,
                found=found(text),
            ),
        )
    if any(category(character) in UNCLEAN for character in text):
        raise InvalidTask(
            field,
            say("must be one line without control characters, found %(found)s", found=found(text)),
        )
    return text


def unknown(kind: str, name: str, known: Iterable[str]) -> NotFound:
    """The error for a ``kind`` of thing that does not exist."""
    all_of_them = say("; `gocron %(kind)s list` shows all of them", kind=kind)
    hint = meant(name, known, most=1) or all_of_them
    return NotFound(
        say("there is no %(kind)s %(name)s%(hint)s", kind=KINDS[kind], name=repr(name), hint=hint)
    )


def listed(names: Iterable[str]) -> str:
    """Up to five of them, in quotes."""
    everyone = list(names)
    return ", ".join(map(repr, everyone[:5])) + (" …" if len(everyone) > 5 else "")
