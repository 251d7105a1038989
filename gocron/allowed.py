"""What a value may be, in our words: one wording for settings and for the fields of a task.

Everybody may import it. Limits are read from the fields of pydantic's models, so that what is
checked and what is said cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import EnumType, StrEnum
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gocron.sayings import listed, say

LONGEST_SHOWN = 80

ALIKE = 0.6
THE_SAME = 0.8
"""How much of two words must be alike for one to be the other with a typing mistake (``difflib``):
to be a candidate, and to be the only one."""


@dataclass(frozen=True)
class Allowed:
    """Stands in ``Annotated[…]`` beside a pattern or a check and says what it means: "an empty
    text or an absolute path". Wins over what could be read from the type."""

    words: str


def allowed(field: FieldInfo) -> str:
    """What may stand in ``field``: "a whole number from 1 to 65535"."""
    for mark in field.metadata:
        if isinstance(mark, Allowed):
            return mark.words
    return _of_type(field.annotation, field.metadata)


def _of_type(kind: Any, limits: Iterable[Any]) -> str:
    if get_origin(kind) is Literal:
        return one_of(get_args(kind))
    if isinstance(kind, EnumType) and issubclass(kind, StrEnum):
        return one_of(member.value for member in kind)
    if kind is bool:
        return say("true or false (also 1 or 0, yes or no, on or off)")
    if kind is int:
        return _range(say("a whole number"), limits)
    if kind is float:
        return _range(say("a number"), limits)
    if get_origin(kind) is dict:
        return _length(say("a mapping of names to texts"), limits, say("entries"))
    return _length(say("a text"), limits, say("characters"))


def one_of(words: Iterable[str]) -> str:
    """``a, b or c``."""
    *most, last = words
    return say("%(words)s or %(last)s", words=listed(most), last=last) if most else last


def _range(number: str, limits: Iterable[Any]) -> str:
    for limit in limits:
        match limit:
            case Ge(ge=value):
                number = say("%(number)s from %(low)s", number=number, low=value)
            case Gt(gt=value):
                number = say("%(number)s above %(low)s", number=number, low=value)
            case Le(le=value) if " from " in number:
                number = say("%(number)s to %(high)s", number=number, high=value)
            case Le(le=value):
                number = say("%(number)s, at most %(high)s", number=number, high=value)
            case _:
                continue
    return number


def _length(what: str, limits: Iterable[Any], unit: str) -> str:
    least, most = 0, 0
    for limit in limits:
        match limit:
            case MinLen(min_length=value):
                least = value
            case MaxLen(max_length=value):
                most = value
            case _:
                continue
    if least and most:
        return say(
            "%(what)s of %(least)s to %(most)s %(unit)s",
            what=what,
            least=least,
            most=most,
            unit=unit,
        )
    if most:
        return say("%(what)s of at most %(most)s %(unit)s", what=what, most=most, unit=unit)
    return what


def found(value: object) -> str:
    """A wrong value, as short as it can be recognised by."""
    match value:
        case None:
            return say("nothing")
        case bool():
            return say("true") if value else say("false")
        case str() if len(value) > LONGEST_SHOWN:
            return say(
                "%(begin)s… (%(length)s characters)", begin=repr(value[:20]), length=len(value)
            )
        case int() if value.bit_length() > 100:
            return say("a far larger number") if value > 0 else say("a far smaller number")
        case str() | int() | float():
            return repr(value)
        case SecretStr():
            return say("(hidden)")
        case Mapping():
            return say("a mapping")
        case list() | tuple():
            return say("a list")
        case _:
            return say("a %(kind)s", kind=type(value).__name__)


def meant(word: str, known: Iterable[str], *, most: int = 2) -> str:
    """``; did you mean a or b?``, or nothing if no word that is known comes close."""
    close = get_close_matches(word[:100], list(known), n=most, cutoff=ALIKE)
    if get_close_matches(word, close[:1], cutoff=THE_SAME):
        close = close[:1]
    return say("; did you mean %(words)s?", words=one_of(close)) if close else ""


def there_are(known: Iterable[str]) -> str:
    """``; there are a, b, c``, for whom ``meant`` has nothing better to say."""
    return say("; there are %(words)s", words=", ".join(known))
