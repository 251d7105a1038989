"""What a task may be: one model for panel, API, command line and import. Pure.

Field names are gocron's (``docs/tasks.md``); its numbers are understood (protocol 1 = http,
2 = shell; http_method 1 = GET, 2 = POST; multi; status), and so are its fields for which there
is nothing here yet, as long as they ask for nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import regex
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from gocron import zones
from gocron.allowed import LONGEST_SHOWN, Allowed, allowed, found, meant, there_are
from gocron.core.parameters import Parameter, require_env_name
from gocron.core.policies import MISSING, Policies, with_zone
from gocron.core.states import Overlap, Protocol
from gocron.core.timetable import parse
from gocron.errors import InvalidSchedule, InvalidTask
from gocron.sayings import inside, said, say

HTTP_TIMEOUT_S = 300
SHELL_TIMEOUT_S = 86_400

LONGEST_ARGUMENT = 131_071
"""Bytes: a command is one argument of ``/bin/sh -c``, and Linux takes no longer one."""

MOST_CHARACTERS = 65_535

HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

NUMBERS: Mapping[str, Mapping[str, str]] = {
    "protocol": {"1": "http", "2": "shell"},
    "http_method": {"1": "GET", "2": "POST"},
}

ALIASES = {"multi": "overlap", "status": "enabled"}
"""gocron's name -> ours."""

NO_SPEC = "@yearly"
"""Stands in where only the time zone is to be looked at."""

NOT_YET: Mapping[str, tuple[object, ...]] = {
    "level": (1, "1"),
    "dependency_task_id": ("", 0, "0"),
    "dependency_status": ("", 0, 1, 2, "0", "1", "2"),
    "log_retention_days": (0, "0"),
    "notify_status": (0, "0"),
    "notify_type": (0, 1, 2, 3, "0", "1", "2", "3"),
    "notify_receiver_id": ("",),
    "notify_keyword": ("",),
}
"""Fields of gocron that this version has nothing for -> the values that ask for nothing."""

INSTEAD = dict.fromkeys(
    ("level", "dependency_task_id", "dependency_status"),
    say("say in depends_on of the other task which tasks it runs after"),
)
"""Some of them, and what to do."""


@dataclass(frozen=True)
class Mistake:
    """What is wrong in one place of a definition; ``path`` is the field, then what is inside.
    ``task`` is the name of the task, where several are looked at."""

    path: tuple[str, ...]
    message: str
    task: str = ""

    @property
    def field(self) -> str:
        """The field at fault."""
        return self.path[0] if self.path else "task"

    @property
    def told(self) -> str:
        """Where it is, and what."""
        return inside(self.path or ("task",), self.message)

    def __str__(self) -> str:
        return str(self.told)


class Refused(InvalidTask):
    """A definition breaks rules; ``mistakes`` are all that were found."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        first = self.mistakes[0]
        super().__init__(first.field, inside(first.path[1:], first.message))


class TaskDefinition(Policies):
    """A valid task. ``timeout`` is seconds, 0 = none (shell only); ``timezone`` an IANA name;
    ``spec`` is empty for a task that depends on others."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    spec: Annotated[str, Field(max_length=255)] = ""
    timezone: Annotated[str, Field(max_length=64)] = "UTC"
    protocol: Protocol = Protocol.SHELL
    command: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]
    working_dir: Annotated[
        str,
        Field(max_length=1024, pattern=r"^(/[^\n\x00]*)?$"),
        Allowed(say("empty or an absolute path of at most 1024 characters")),
    ] = ""
    environment: dict[str, str] = Field(default_factory=dict, max_length=200)
    http_method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    http_headers: dict[str, str] = Field(default_factory=dict, max_length=100)
    http_body: Annotated[str, Field(max_length=MOST_CHARACTERS)] = ""
    http_statuses: Annotated[str, Field(max_length=255)] = "200-299"
    http_verify_tls: bool = True
    success_pattern: Annotated[str, Field(max_length=1024)] = ""
    timeout: Annotated[
        int,
        Field(ge=0, le=SHELL_TIMEOUT_S),
        Allowed(say("a whole number of seconds from 0 (none) to %(most)s", most=SHELL_TIMEOUT_S)),
    ] = 0
    tag: Annotated[str, Field(max_length=64)] = ""
    remark: Annotated[str, Field(max_length=10_000)] = ""
    enabled: bool = True

    @field_validator("timeout", mode="before")
    @classmethod
    def _a_number_and_no_truth(cls, value: object) -> object:
        if isinstance(value, bool):  # pydantic would take true for 1
            raise ValueError(say("must be a whole number, found %(found)s", found=found(value)))
        return value

    @field_validator("name", "tag", "group", "spec")
    @classmethod
    def _one_clean_line(cls, value: str) -> str:
        value = value.strip()
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise ValueError(say("must be one line without control characters"))
        return value

    @field_validator("name")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value:
            raise ValueError(say("must not be blank"))
        return value

    @field_validator("command", "http_body", "remark", "success_pattern")
    @classmethod
    def _no_nul(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError(say("must not contain NUL characters"))
        return value

    @field_validator("environment")
    @classmethod
    def _environment(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            require_env_name(name)
            if "\0" in text:
                raise ValueError(inside([name], say("must not contain NUL characters")))
        _require_room(value)
        return value

    @field_validator("http_headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(
                    say("%(found)s is not the name of an HTTP header", found=found(name))
                )
            if re.search(r"[\r\n\0]", text):
                raise ValueError(inside([name], say("a header is one line")))
        _require_room(value)
        return value

    @field_validator("http_statuses")
    @classmethod
    def _statuses(cls, value: str) -> str:
        parse_statuses(value)
        return value

    @field_validator("success_pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            regex.compile(value)
        except (regex.error, OverflowError, RecursionError) as error:
            raise ValueError(say("not a regular expression: %(why)s", why=said(error))) from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> TaskDefinition:
        mistakes = [*self._contradictions(), *_wrong_schedule(self.spec, self.timezone)]
        for field, problem in self.contradictions(self.name, self.spec):
            if (field,) not in [mistake.path for mistake in mistakes]:
                mistakes.append(Mistake((field,), problem))
        if mistakes:
            raise Refused(mistakes)
        return self

    def _contradictions(self) -> Iterator[Mistake]:
        if self.protocol is Protocol.SHELL:
            size = len(self.command.encode())
            if size > LONGEST_ARGUMENT:
                yield Mistake(
                    ("command",),
                    say(
                        "%(size)s bytes are too long; at most %(most)s for a shell, put it into a "
                        "script",
                        size=size,
                        most=LONGEST_ARGUMENT,
                    ),
                )
            for parameter in self.parameters:
                if parameter.name in self.environment:
                    problem = inside([parameter.name], say("is a variable in environment as well"))
                    yield Mistake(("parameters",), problem)
            return
        if not re.match(r"https?://[^\s/]+", self.command):
            yield Mistake(("command",), say("an HTTP task needs a URL: http://… or https://…"))
        elif re.search(r"\s", self.command):
            yield Mistake(("command",), say("a URL has no blanks; write %20"))
        if self.parameters and (self.http_method in ("GET", "HEAD") or self.http_body):
            yield Mistake(
                ("parameters",),
                say(
                    "are sent as the JSON body of a request; choose POST, PUT, PATCH or "
                    "DELETE and leave http_body empty"
                ),
            )
        if self.timeout > HTTP_TIMEOUT_S:
            yield Mistake(
                ("timeout",),
                say(
                    "at most %(most)s seconds for HTTP, found %(found)s",
                    most=HTTP_TIMEOUT_S,
                    found=self.timeout,
                ),
            )


def _require_room(texts: Mapping[str, str]) -> None:
    size = sum(len(name) + len(text) for name, text in texts.items())
    if size > MOST_CHARACTERS:
        raise ValueError(
            say(
                "%(size)s characters in all are too many; at most %(most)s",
                size=size,
                most=MOST_CHARACTERS,
            )
        )


def _wrong_schedule(spec: str, timezone: str) -> list[Mistake]:
    try:
        parse(spec or NO_SPEC, timezone)
    except InvalidSchedule as error:
        problem = zones.problem(timezone)
        if problem and str(error) == f"time zone: {problem}" and "TZ=" not in spec:
            return [Mistake(("timezone",), problem)]
        return [Mistake(("spec",), said(error))]
    return []


def parse_statuses(text: str) -> tuple[tuple[int, int], ...]:
    """``200-299,304`` as ranges; raises ``ValueError`` in words."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{3})(?:\s*-\s*([0-9]{3}))?\s*", part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 100 <= low <= high <= 599:
            raise ValueError(
                say(
                    "%(found)s is no status or range of statuses (100-599); write for "
                    "example 200-299,304",
                    found=found(part.strip()),
                )
            )
        ranges.append((low, high))
    return tuple(ranges)


def define(fields: Mapping[str, Any]) -> TaskDefinition:
    """A definition from plain values; None means: not given. Raises ``Refused``, an
    ``InvalidTask`` that names the first field at fault and carries all mistakes."""
    values, mistakes = _understand_gocron(fields)
    try:
        definition = TaskDefinition.model_validate(values)
    except ValidationError as error:
        if not values.get("spec") and not values.get("depends_on"):
            mistakes.append(Mistake(("spec",), MISSING))
        mistakes += [_mistake(problem, fields) for problem in error.errors(include_url=False)]
        mistakes += _also_wrong_schedule(values, mistakes)
    except Refused as error:
        mistakes += error.mistakes
    if mistakes:
        raise Refused(dict.fromkeys(mistakes))
    return definition


def _understand_gocron(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[Mistake]]:
    """Our names and values for gocron's, and what cannot be understood."""
    values = {name: value for name, value in fields.items() if value is not None}
    mistakes = []
    for field, words in NUMBERS.items():
        value = values.get(field)
        if isinstance(value, int | str) and not isinstance(value, bool):
            values[field] = words.get(str(value), value)
    headers = values.get("http_headers")
    if isinstance(headers, str):
        values["http_headers"] = _from_json(headers)
    for alias, field in ALIASES.items():
        if alias not in values:
            continue
        value = values.pop(alias)
        if field in values:
            mistakes.append(
                Mistake((alias,), say("says the same as %(field)s; give one of them", field=field))
            )
        elif alias == "status":
            values[field] = value
        elif str(value) in ("0", "1"):
            values[field] = Overlap.PARALLEL if str(value) == "1" else Overlap.SKIP
        else:
            problem = say(
                "must be 0 (one run at a time) or 1 (parallel), found %(found)s",
                found=found(value),
            )
            mistakes.append(Mistake((alias,), problem))
    with_zone(values)
    for field, nothing in NOT_YET.items():
        if field in values and any(values[field] == value for value in nothing):
            del values[field]
    return values, mistakes


def _from_json(text: str) -> Any:
    """gocron keeps headers as JSON in a text; a text that is none stays one, and is refused."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError):
        return text


def _mistake(problem: ErrorDetails, fields: Mapping[str, Any]) -> Mistake:
    """A problem of pydantic in our words."""
    path = tuple(str(part) for part in problem["loc"] if part != "[key]")
    if len(path) > 1 and isinstance(problem["loc"][1], int):
        path = (path[0], say("number %(number)s", number=int(path[1]) + 1), *path[2:])
    if len(path) > 1 and len(path[1]) > LONGEST_SHOWN:
        path = (path[0], found(path[1]), *path[2:])
    field = path[0] if path else "task"
    for alias, ours in ALIASES.items():
        if field == ours and ours not in fields and alias in fields:
            path = (alias,)
    kind = problem["type"]
    if kind == "extra_forbidden" and len(path) == 1:
        if field in NOT_YET:
            what = INSTEAD.get(field, say("leave it out"))
            return Mistake(
                path, say("is not supported by this version of gocron; %(what)s", what=what)
            )
        known = sorted(TaskDefinition.model_fields, key=Policies.model_fields.__contains__)
        hint = meant(field, [*TaskDefinition.model_fields, *ALIASES], most=1) or there_are(known)
        return Mistake(path, say("there is no such field%(hint)s", hint=hint))
    if kind == "missing" and len(path) == 1:
        return Mistake(path, MISSING)
    if kind == "value_error":
        return Mistake(path, said(problem["ctx"]["error"]))
    if kind == "string_unicode":
        return Mistake(path, say("has characters that are none (half of a surrogate pair)"))
    if field == "parameters" and len(path) > 2:
        return _mistake_in_parameter(path[:3], problem)
    info = TaskDefinition.model_fields[field]
    if len(path) > 1 and not any(isinstance(mark, Allowed) for mark in info.metadata):
        return Mistake(path, say("must be a text, found %(found)s", found=found(problem["input"])))
    rule = allowed(info)
    return Mistake(
        path, say("must be %(rule)s, found %(found)s", rule=rule, found=found(problem["input"]))
    )


def _mistake_in_parameter(path: tuple[str, ...], problem: ErrorDetails) -> Mistake:
    field = path[-1]
    if field not in Parameter.model_fields:
        known = list(Parameter.model_fields)
        hint = meant(field, known, most=1) or there_are(known)
        return Mistake(path, say("a parameter has no such field%(hint)s", hint=hint))
    if problem["type"] == "missing":
        return Mistake(path, say("is missing; every parameter has a name"))
    rule = allowed(Parameter.model_fields[field])
    return Mistake(
        path, say("must be %(rule)s, found %(found)s", rule=rule, found=found(problem["input"]))
    )


def _also_wrong_schedule(values: Mapping[str, Any], mistakes: list[Mistake]) -> list[Mistake]:
    """The schedule is looked at even if other fields are wrong, so that all is said at once."""
    spec, timezone = values.get("spec"), values.get("timezone", "UTC")
    if {"spec", "timezone"} & {mistake.field for mistake in mistakes}:
        return []
    return _wrong_schedule(spec, timezone) if isinstance(spec, str) else []
