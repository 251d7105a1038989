"""The little form for a task's parameters: what is shown for each, and what was typed. Values are
checked by ``gocron.core.parameters`` alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from admin.fields import unix_lines
from admin.spoken import sentence, spoken
from gocron.core.parameters import Kind, Parameter, as_environment, check
from gocron.errors import InvalidTask
from gocron.sayings import placed

PREFIX = "p-"
"""In front of the names of these fields, so that they are nobody else's."""


@dataclass
class Asked:
    """A parameter with its text, and what is wrong with it."""

    parameter: Parameter
    text: str
    error: str = ""

    @property
    def field(self) -> str:
        """Name and id in the form."""
        return PREFIX + self.parameter.name

    @property
    def options(self) -> tuple[str, ...]:
        """What there is to choose from; empty if anything can be typed."""
        if self.parameter.type is Kind.BOOLEAN:
            return ("true", "false")
        return self.parameter.choices

    @property
    def given(self) -> bool:
        """Whether something is said: an empty text counts if the default is not meant by it."""
        empty_counts = self.parameter.type is Kind.TEXT and self.parameter.default is not None
        return bool(self.text) or empty_counts


class Questions:
    """All parameters of a task, with their defaults or with what was typed."""

    def __init__(
        self, declared: Iterable[Mapping[str, Any]], typed: Mapping[str, str] | None = None
    ) -> None:
        parameters = [Parameter.model_validate(parameter) for parameter in declared]
        self.asked = [Asked(one, _text(one, typed)) for one in parameters]
        self.error = ""

    def values(self) -> dict[str, object] | None:
        """What was given; None if some of it is wrong, which is then said beside it."""
        values: dict[str, object] = {}
        for asked in self.asked:
            if not asked.given:
                if asked.parameter.default is None:
                    asked.error = _("Has no default and must be given.")
                continue
            try:
                values[asked.parameter.name] = check(asked.parameter, asked.text)
            except ValueError as error:
                asked.error = sentence(error)
        return None if any(asked.error for asked in self.asked) else values

    def blame(self, error: InvalidTask) -> None:
        """Show what a service said beside the parameter it is about."""
        place, what = placed(error.message)
        for asked in self.asked:
            if error.field == "parameters" and asked.parameter.name == place:
                asked.error = spoken(what)
                return
        self.error = spoken(error)


def _text(parameter: Parameter, typed: Mapping[str, str] | None) -> str:
    if typed is not None:
        return unix_lines(typed.get(PREFIX + parameter.name)) or ""
    if parameter.default is None:
        return ""
    value = parameter.default
    if parameter.type is Kind.BOOLEAN:
        value = bool(check(parameter, value))
    return as_environment({"": value})[""]
