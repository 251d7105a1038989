"""Named parameters of a task: what may be given for a run, and what a run is given. Pure.

Values are data: they reach a command as environment variables and an HTTP request as its JSON
body, and are never put into the text of a command.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gocron.allowed import Allowed, found, meant, one_of, there_are
from gocron.errors import InvalidTask
from gocron.sayings import inside, said, say

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

MOST_CHARACTERS = 4096
"""Of one value."""

Value = str | int | float | bool


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"


class Parameter(BaseModel):
    """One parameter; without a ``default`` it has to be given for every run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64)]
    type: Kind = Kind.TEXT
    default: Annotated[Value | None, Allowed(say("a text, a number, true or false"))] = None
    choices: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...],
        Field(max_length=100),
        Allowed(say("a list of at most 100 texts of 1 to 256 characters")),
    ] = ()
    remark: Annotated[str, Field(max_length=256)] = ""

    @field_validator("choices", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Parameter:
        require_env_name(self.name)
        if self.type is Kind.CHOICE and not self.choices:
            raise ValueError(inside([self.name], say("the type choice needs choices")))
        if self.choices and self.type is not Kind.CHOICE:
            raise ValueError(
                inside(
                    [self.name],
                    say("choices belong to the type choice, found %(type)s", type=self.type),
                )
            )
        for choice in self.choices:
            if self.choices.count(choice) > 1:
                raise ValueError(
                    inside(
                        [self.name],
                        say("%(found)s is twice among its choices", found=found(choice)),
                    )
                )
            _require_text((self.name, "choices"), choice)
        if self.default is not None:
            try:
                check(self, self.default)
            except ValueError as error:
                raise ValueError(inside([self.name], inside(["default"], said(error)))) from error
        return self


def require_env_name(name: str) -> None:
    """Raise ``ValueError`` unless a command may be given a variable of this name."""
    if not ENV_NAME.fullmatch(name):
        raise ValueError(
            say(
                "%(found)s is not a name for an environment variable; letters, digits "
                "and _ are allowed, not beginning with a digit",
                found=found(name),
            )
        )
    if name.startswith("GOCRON_"):
        raise ValueError(inside([name], say("names that start with GOCRON_ are gocron's own")))


def check(parameter: Parameter, value: object) -> Value:
    """The value as what it is meant to be; texts are understood. ``ValueError`` in words."""
    if not isinstance(value, str | int | float):
        raise ValueError(
            say("must be a text, a number, true or false, found %(found)s", found=found(value))
        )
    try:
        text = str(value).strip()
    except ValueError:  # Python's limit, against numbers that take minutes to write
        raise ValueError(say("has too many digits, found %(found)s", found=found(value))) from None
    if parameter.type is Kind.BOOLEAN:
        if text.lower() in ("true", "yes", "1", "false", "no", "0"):
            return text.lower() in ("true", "yes", "1")
        raise ValueError(say("must be true or false, found %(found)s", found=found(value)))
    if parameter.type is Kind.INTEGER:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            return int(text)
        raise ValueError(say("must be a whole number, found %(found)s", found=found(value)))
    if parameter.type is Kind.NUMBER:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            return int(text)
        if re.fullmatch(
            r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", text
        ) and math.isfinite(float(text)):
            return float(text)
        raise ValueError(say("must be a number, found %(found)s", found=found(value)))
    if not isinstance(value, str):
        raise ValueError(say("must be a text, found %(found)s", found=found(value)))
    _require_text((), value)
    if parameter.type is Kind.CHOICE and value not in parameter.choices:
        raise ValueError(
            say(
                "must be %(choices)s, found %(found)s",
                choices=one_of(parameter.choices),
                found=found(value),
            )
        )
    return value


def _require_text(place: Sequence[str], value: str) -> None:
    """What the database, an environment and JSON can hold."""
    if len(value) > MOST_CHARACTERS:
        problem = say(
            "must have at most %(most)s characters, found %(found)s",
            most=MOST_CHARACTERS,
            found=found(value),
        )
        raise ValueError(inside(place, problem))
    if "\0" in value:
        raise ValueError(inside(place, say("must not contain NUL characters")))
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            inside(place, say("has characters that are none (half of a surrogate pair)"))
        ) from None


def values_for(parameters: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, Value]:
    """What a run is given: what was said, defaults for the rest. Raises ``InvalidTask`` naming
    the parameter that is unknown, wrong or missing."""
    names = [parameter.name for parameter in parameters]
    for name in given:
        if name not in names:
            hint = meant(name, names, most=1) or (
                there_are(names) if names else say("; the task has none")
            )
            raise InvalidTask(
                "parameters",
                say("there is no parameter %(found)s%(hint)s", found=found(name), hint=hint),
            )
    values: dict[str, Value] = {}
    for parameter in parameters:
        value = given.get(parameter.name, parameter.default)
        if value is None:
            raise InvalidTask(
                "parameters", inside([parameter.name], say("has no default and must be given"))
            )
        try:
            values[parameter.name] = check(parameter, value)
        except ValueError as error:
            raise InvalidTask("parameters", inside([parameter.name], said(error))) from error
    return values


def as_environment(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as texts, for a command: true and false, numbers as they are written."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }
