"""Parameters of a task as lines of text, and back. Pure.

    DAY: text = 2026-01-01           a default; without one it has to be given for every run
    MODE: choice(full, fast) = full  # what comes after a # with blanks around it is a remark
    N: integer

What would be misunderstood stands in quotes, as JSON has them: a default with blanks around it or
with line ends, a choice with a comma. A number in quotes is one that was stored as a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from gocron.allowed import allowed, found, one_of
from gocron.core.parameters import Kind, Parameter
from gocron.sayings import inside, said, say

EXAMPLE = "NAME: text = default"

_HEAD = re.compile(r"\s*([^\s:=#(]+)\s*(?::\s*([A-Za-z]*)\s*)?")
_REMARK = re.compile(r"(?:^|\s)#(?:\s|$)")
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,()"]*)\s*([,)])')


def read(text: str) -> list[dict[str, Any]]:
    """What ``Parameter`` takes, a line each. Raises ``ValueError``, naming the line."""
    parameters: list[dict[str, Any]] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            values = _parameter(line)
            if (first := lines.setdefault(values["name"], number)) != number:
                raise ValueError(
                    say(
                        "%(name)s is there already, in line %(line)s",
                        name=values["name"],
                        line=first,
                    )
                )
        except ValueError as error:
            raise ValueError(
                inside([say("line %(number)s", number=number)], _in_words(error))
            ) from error
        parameters.append(values)
    return parameters


def write(parameters: Iterable[Mapping[str, Any]]) -> str:
    """The lines for parameters as they are stored; ``read`` gives the same again."""
    return "\n".join(_line(parameter) for parameter in parameters)


# reading ---------------------------------------------------------------------------------------


def _parameter(line: str) -> dict[str, Any]:
    head = _HEAD.match(line)
    if head is None:
        raise ValueError(
            say(
                "%(found)s is no parameter; write for example %(example)s",
                found=found(line.strip()),
                example=EXAMPLE,
            )
        )
    kind = (head[2] or "text").lower()
    if kind not in set(Kind):
        raise ValueError(
            say(
                "%(found)s is no type; it must be %(kinds)s",
                found=found(head[2]),
                kinds=one_of(Kind),
            )
        )
    choices, rest = _choices(line[head.end() :])
    has_default, default, rest = _default(rest, Kind(kind))
    values: dict[str, Any] = {"name": head[1], "type": kind, "remark": _remark(rest)}
    if choices:
        values["choices"] = choices
    if has_default:
        values["default"] = default
    Parameter.model_validate(values)
    return values


def _choices(rest: str) -> tuple[list[str], str]:
    """The words in brackets, if there are brackets, and what comes after them."""
    if not rest.startswith("("):
        return [], rest.lstrip()
    words, at = [], 1
    while match := _WORD.match(rest, at):
        words.append(_unquoted(match[1]) if match[1].startswith('"') else match[1].strip())
        at = match.end()
        if match[2] == ")":
            return words, rest[at:].lstrip()
    raise ValueError(
        say('the list of choices is not closed; write for example choice(full, "a, b")')
    )


def _default(rest: str, kind: Kind) -> tuple[bool, Any, str]:
    """Whether there is one, what it is, and what comes after it."""
    if not rest.startswith("="):
        return False, None, rest
    rest = rest[1:].lstrip()
    if rest.startswith('"'):
        try:
            value, end = json.JSONDecoder().raw_decode(rest)
        except ValueError as error:
            raise ValueError(inside([found(rest)], say("the quotes are not closed"))) from error
        return True, value, rest[end:].lstrip()
    mark = _REMARK.search(rest)
    text = (rest[: mark.start()] if mark else rest).strip()
    return True, _plain(text, kind), rest[mark.start() :].lstrip() if mark else ""


def _plain(text: str, kind: Kind) -> object:
    """A default without quotes as what the type says, or as it stands if it is none."""
    lowered = text.lower()
    if kind is Kind.BOOLEAN and lowered in ("true", "yes", "false", "no"):
        return lowered in ("true", "yes")
    if kind in (Kind.INTEGER, Kind.NUMBER) and re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    if kind is Kind.NUMBER and re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,2})?", text):
        return float(text)
    return text


def _remark(rest: str) -> str:
    if not rest:
        return ""
    if not rest.startswith("#"):
        raise ValueError(
            say(
                "%(found)s is too much; write for example %(example)s  # remark",
                found=found(rest),
                example=EXAMPLE,
            )
        )
    text = rest[1:].strip()
    return _unquoted(text) if text.startswith('"') else text


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _in_words(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return said(error)
    problem = error.errors(include_url=False)[0]
    if problem["type"] == "value_error":
        return said(problem["ctx"]["error"])
    place = problem["loc"]
    if place and len(place) == 1 and (field := Parameter.model_fields.get(str(place[0]))):
        rule, input_ = allowed(field), found(problem["input"])
        return inside(
            [str(place[0])], say("must be %(rule)s, found %(found)s", rule=rule, found=input_)
        )
    return f"{place[0] if place else 'parameter'}: {problem['msg']}"


# writing ---------------------------------------------------------------------------------------


def _line(parameter: Mapping[str, Any]) -> str:
    kind, choices, default = parameter["type"], parameter["choices"], parameter["default"]
    text = f"{parameter['name']}: {kind}"
    if choices:
        text += f"({', '.join(map(_choice, choices))})"
    if default is not None:
        text += f" = {_default_text(default, Kind(kind))}"
    if parameter["remark"]:
        text += f"  # {_remark_text(parameter['remark'])}"
    return text


def _choice(word: str) -> str:
    plain = word == word.strip() and word and not re.search(r'[,()"\x00-\x1f]', word)
    return word if plain else json.dumps(word, ensure_ascii=False)


def _default_text(value: object, kind: Kind) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    _there, again, rest = _default(f"= {value}", kind) if _is_clean(value) else (False, None, "")
    same = isinstance(again, str) and again == value and not rest
    return value if same else json.dumps(value, ensure_ascii=False)


def _remark_text(remark: str) -> str:
    return remark if _is_clean(remark) else json.dumps(remark, ensure_ascii=False)


def _is_clean(text: str) -> bool:
    """Whether it may stand in a line as it is."""
    odd = text != text.strip() or text.startswith('"') or re.search(r"[\x00-\x1f]", text)
    return bool(text) and not odd
