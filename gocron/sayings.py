"""Sentences that can still be said in another language. Anyone may import this module.

``say`` makes a text that is English to everybody who takes it for one: logs, the command line, the
database. It remembers how it was made, so that the panel can say it in the language of a page
(``admin.spoken``); its catalogs collect what stands in the calls of ``say`` and ``say_n``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast


class Saying(str):
    """``template`` (and ``plural``, if it counts ``num``) with ``values``, which may be sayings."""

    template: str
    plural: str
    values: Mapping[str, object]


def say(template: str, **values: object) -> Saying:
    """``template`` with its ``%(name)s`` filled in; without values it is taken as it is."""
    return _made(template, template, "", values)


def say_n(one: str, many: str, num: int, **values: object) -> Saying:
    """``one`` if ``num`` is 1, else ``many``; ``%(num)s`` is the number."""
    return _made(one if num == 1 else many, one, many, {"num": num, **values})


_INSIDE = "%(where)s: %(what)s"


def inside(place: Sequence[str], what: str) -> str:
    """``what``, said of a place within a place: ``environment: HOME: must be a text``."""
    for where in reversed(place):
        what = say("%(where)s: %(what)s", where=where, what=what)
    return what


def placed(message: str) -> tuple[str, str]:
    """What ``inside`` was told: the outermost place, and what is wrong there."""
    if isinstance(message, Saying) and message.template == _INSIDE:
        return str(message.values["where"]), cast(str, message.values["what"])
    return "", message


def listed(words: Sequence[str]) -> str:
    """``a, b, c``."""
    said = words[0]
    for word in words[1:]:
        said = say("%(before)s, %(word)s", before=said, word=word)
    return said


def said(error: Exception) -> str:
    """The message of ``error``, as a ``Saying`` if it was raised with one."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Saying) else str(error)


def _made(shown: str, template: str, plural: str, values: Mapping[str, object]) -> Saying:
    saying = Saying(shown % values if values else shown)
    saying.template, saying.plural, saying.values = template, plural, values
    return saying
