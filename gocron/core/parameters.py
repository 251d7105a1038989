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

from gocron.allowed import Allowed, found, meant, one_of
from gocron.errors import InvalidTask

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
    default: Annotated[Value | None, Allowed("a text, a number, true or false")] = None
    choices: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...],
        Field(max_length=100),
        Allowed("a list of at most 100 texts of 1 to 256 characters"),
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
            raise ValueError(f"{self.name}: the type choice needs choices")
        if self.choices and self.type is not Kind.CHOICE:
            raise ValueError(f"{self.name}: choices belong to the type choice, found {self.type}")
        for choice in self.choices:
            if self.choices.count(choice) > 1:
                raise ValueError(f"{self.name}: {found(choice)} is twice among its choices")
            _require_text(f"{self.name}: choices: ", choice)
        if self.default is not None:
            try:
                check(self, self.default)
            except ValueError as error:
                raise ValueError(f"{self.name}: default: {error}") from error
        return self


def require_env_name(name: str) -> None:
    """Raise ``ValueError`` unless a command may be given a variable of this name."""
    if not ENV_NAME.fullmatch(name):
        raise ValueError(
            f"{found(name)} is not a name for an environment variable; "
            "letters, digits and _ are allowed, not beginning with a digit"
        )
    if name.startswith("GOCRON_"):
        raise ValueError(f"{name}: names that start with GOCRON_ are gocron's own")


def check(parameter: Parameter, value: object) -> Value:
    """The value as what it is meant to be; texts are understood. ``ValueError`` in words."""
    if not isinstance(value, str | int | float):
        raise ValueError(f"must be a text, a number, true or false, found {found(value)}")
    try:
        text = str(value).strip()
    except ValueError:  # Python's limit, against numbers that take minutes to write
        raise ValueError(f"has too many digits, found {found(value)}") from None
    if parameter.type is Kind.BOOLEAN:
        if text.lower() in ("true", "yes", "1", "false", "no", "0"):
            return text.lower() in ("true", "yes", "1")
        raise ValueError(f"must be true or false, found {found(value)}")
    if parameter.type is Kind.INTEGER:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            return int(text)
        raise ValueError(f"must be a whole number, found {found(value)}")
    if parameter.type is Kind.NUMBER:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            return int(text)
        if re.fullmatch(
            r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", text
        ) and math.isfinite(float(text)):
            return float(text)
        raise ValueError(f"must be a number, found {found(value)}")
    if not isinstance(value, str):
        raise ValueError(f"must be a text, found {found(value)}")
    _require_text("", value)
    if parameter.type is Kind.CHOICE and value not in parameter.choices:
        raise ValueError(f"must be {one_of(parameter.choices)}, found {found(value)}")
    return value


def _require_text(where: str, value: str) -> None:
    """What the database, an environment and JSON can hold."""
    if len(value) > MOST_CHARACTERS:
        rule = f"must have at most {MOST_CHARACTERS} characters"
        raise ValueError(f"{where}{rule}, found {found(value)}")
    if "\0" in value:
        raise ValueError(f"{where}must not contain NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{where}has characters that are none (half of a surrogate pair)"
        ) from None


def values_for(parameters: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, Value]:
    """What a run is given: what was said, defaults for the rest. Raises ``InvalidTask`` naming
    the parameter that is unknown, wrong or missing."""
    names = [parameter.name for parameter in parameters]
    for name in given:
        if name not in names:
            hint = meant(name, names, most=1) or (
                f"; there are {', '.join(names)}" if names else "; the task has none"
            )
            raise InvalidTask("parameters", f"there is no parameter {found(name)}{hint}")
    values: dict[str, Value] = {}
    for parameter in parameters:
        value = given.get(parameter.name, parameter.default)
        if value is None:
            raise InvalidTask("parameters", f"{parameter.name}: has no default and must be given")
        try:
            values[parameter.name] = check(parameter, value)
        except ValueError as error:
            raise InvalidTask("parameters", f"{parameter.name}: {error}") from error
    return values


def as_environment(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as texts, for a command: true and false, numbers as they are written."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }
