"""What a task may be: one model for panel, API, command line and import. Pure.

Field names are gocron's (``docs/tasks.md``); its numbers are understood (protocol 1 = http,
2 = shell; http_method 1 = GET, 2 = POST; multi; status).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gocron.core.states import Misfire, Overlap, Protocol
from gocron.core.timetable import parse
from gocron.errors import InvalidSchedule, InvalidTask

HTTP_TIMEOUT_S = 300
SHELL_TIMEOUT_S = 86_400

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

NUMBERS = {
    "protocol": {1: "http", 2: "shell", "1": "http", "2": "shell"},
    "http_method": {1: "GET", 2: "POST", "1": "GET", "2": "POST"},
}


class TaskDefinition(BaseModel):
    """A valid task. ``timeout`` is seconds, 0 = none (shell only); ``timezone`` an IANA name."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    name: Annotated[str, Field(min_length=1, max_length=128)]
    spec: Annotated[str, Field(min_length=1, max_length=255)]
    timezone: Annotated[str, Field(max_length=64)] = "UTC"
    protocol: Protocol = Protocol.SHELL
    command: Annotated[str, Field(min_length=1, max_length=65_535)]
    working_dir: Annotated[str, Field(max_length=1024, pattern=r"^(/.*)?$")] = ""
    environment: dict[str, str] = Field(default_factory=dict, max_length=200)
    http_method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    http_headers: dict[str, str] = Field(default_factory=dict, max_length=100)
    http_body: Annotated[str, Field(max_length=65_535)] = ""
    http_statuses: Annotated[str, Field(max_length=255)] = "200-299"
    http_verify_tls: bool = True
    success_pattern: Annotated[str, Field(max_length=1024)] = ""
    timeout: Annotated[int, Field(ge=0, le=SHELL_TIMEOUT_S)] = 0
    overlap: Overlap = Overlap.SKIP
    max_parallel: Annotated[int, Field(ge=0, le=1000)] = 0
    misfire: Misfire = Misfire.RUN_ONCE
    tag: Annotated[str, Field(max_length=64)] = ""
    remark: Annotated[str, Field(max_length=10_000)] = ""
    enabled: bool = True

    @model_validator(mode="before")
    @classmethod
    def _understand_gocron(cls, data: Any) -> Any:
        """gocron's numbers and its names ``multi`` and ``status``."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        for field, words in NUMBERS.items():
            if field in data and not isinstance(data[field], bool):
                data[field] = words.get(data[field], data[field])
        if "multi" in data and "overlap" not in data:
            data["overlap"] = Overlap.PARALLEL if data.pop("multi") in (1, "1") else Overlap.SKIP
        if "status" in data and "enabled" not in data:
            data["enabled"] = data.pop("status")
        return data

    @field_validator("name", "tag")
    @classmethod
    def _one_clean_line(cls, value: str) -> str:
        value = value.strip()
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise ValueError("must be one line without control characters")
        return value

    @field_validator("name")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value:
            raise ValueError("must not be blank")
        return value

    @field_validator("command", "http_body", "remark")
    @classmethod
    def _no_nul(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError("must not contain NUL characters")
        return value

    @field_validator("environment")
    @classmethod
    def _environment(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not ENV_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a name for an environment variable")
            if name.startswith("GOCRON_"):
                raise ValueError(f"{name}: names that start with GOCRON_ are gocron's own")
            if "\0" in text:
                raise ValueError(f"{name}: must not contain NUL characters")
        return value

    @field_validator("http_headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of an HTTP header")
            if re.search(r"[\r\n\0]", text):
                raise ValueError(f"{name}: a header is one line")
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
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> TaskDefinition:
        if self.protocol is Protocol.HTTP:
            if not re.match(r"https?://[^\s/]+", self.command):
                raise InvalidTask("command", "an HTTP task needs a URL: http://… or https://…")
            if re.search(r"\s", self.command):
                raise InvalidTask("command", "a URL has no blanks; write %20")
            if self.timeout > HTTP_TIMEOUT_S:
                raise InvalidTask("timeout", f"at most {HTTP_TIMEOUT_S} seconds for HTTP")
        try:
            timetable = parse(self.spec, self.timezone)
        except InvalidSchedule as error:
            field = "timezone" if "zone" in str(error).split(":")[0] else "spec"
            raise InvalidTask(field, str(error)) from error
        del timetable
        return self


def parse_statuses(text: str) -> tuple[tuple[int, int], ...]:
    """``200-299,304`` as ranges; raises ``ValueError`` in words."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{3})(?:\s*-\s*(\d{3}))?\s*", part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 100 <= low <= high <= 599:
            raise ValueError(
                f"{part.strip()!r} is no status or range of statuses; write for example 200-299,304"
            )
        ranges.append((low, high))
    return tuple(ranges)


def define(fields: dict[str, Any]) -> TaskDefinition:
    """A definition from plain values; raises ``InvalidTask`` naming the first field at fault."""
    try:
        return TaskDefinition.model_validate(fields)
    except ValidationError as error:
        problem = error.errors()[0]
        field = str(problem["loc"][0]) if problem["loc"] else "task"
        if problem["type"] == "extra_forbidden":
            known = ", ".join(TaskDefinition.model_fields)
            raise InvalidTask(field, f"unknown field; known are: {known}") from None
        message = problem["msg"].removeprefix("Value error, ")
        raise InvalidTask(field, f"{message} (found {str(problem['input'])[:80]!r})") from None
