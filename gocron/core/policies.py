"""The part of a task's definition that says when it may run, and what happens when it could not.
Pure; ``definition.TaskDefinition`` builds on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from gocron import zones
from gocron.allowed import Allowed, found
from gocron.core.parameters import Parameter
from gocron.core.states import Backoff, Misfire, Need, OnLost, Overlap
from gocron.sayings import inside, say

Name = Annotated[str, Field(min_length=1, max_length=128)]

RetryOn = Literal["failed", "timeout", "lost"]

Moment = Annotated[
    AwareDatetime | None, Allowed(say("empty or a time such as 2026-12-24T18:00 (ISO 8601)"))
]

Calendars = Annotated[list[Name], Allowed(say("a list of at most 20 names of calendars"))]

FIRST, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Instants that a task can have; timetables have slots between them."""

MISSING = say("is missing; every task has a name, a spec and a command")

ONLY_WITH_A_SCHEDULE = ("starts_at", "ends_at", "jitter", "exclude_calendars", "require_calendars")

DEFAULT_RETRY_ON: tuple[RetryOn, ...] = ("failed", "timeout")


class Policies(BaseModel):
    """``misfire_grace``, ``jitter`` and the retry times are seconds; ``misfire_grace`` None means
    the installation's. Instants are aware."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    starts_at: Moment = None
    ends_at: Moment = None
    jitter: Annotated[
        int, Field(ge=0, le=3600), Allowed(say("a whole number of seconds from 0 to 3600"))
    ] = 0
    exclude_calendars: Calendars = Field(default_factory=list, max_length=20)
    require_calendars: Calendars = Field(default_factory=list, max_length=20)
    misfire: Misfire = Misfire.RUN_ONCE
    misfire_grace: Annotated[
        int | None,
        Field(ge=1, le=86_400),
        Allowed(say("empty or a whole number of seconds from 1 to 86400")),
    ] = None
    catch_up_limit: Annotated[int, Field(ge=1, le=1000)] = 100
    overlap: Overlap = Overlap.SKIP
    max_parallel: Annotated[int, Field(ge=0, le=1000)] = 0
    group: Annotated[str, Field(max_length=64)] = ""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    retry_times: Annotated[int, Field(ge=0, le=10)] = 0
    retry_interval: Annotated[
        int,
        Field(ge=0, le=3600),
        Allowed(say("a whole number of seconds from 0 (1, 2, 3 ... minutes) to 3600")),
    ] = 0
    retry_backoff: Backoff = Backoff.FIXED
    retry_jitter: Annotated[
        int, Field(ge=0, le=3600), Allowed(say("a whole number of seconds from 0 to 3600"))
    ] = 0
    retry_on: Annotated[list[RetryOn], Allowed(say("a list of failed, timeout and lost"))] = Field(
        default_factory=lambda: list(DEFAULT_RETRY_ON), max_length=3
    )
    on_lost: OnLost = OnLost.FAIL
    depends_on: Annotated[
        dict[Name, Need], Allowed(say("at most 100 names of tasks, each of them strong or weak"))
    ] = Field(default_factory=dict, max_length=100)
    parameters: Annotated[
        list[Parameter],
        Allowed(
            say(
                "a list of at most 50 parameters, each with name, and if needed type, "
                "default, choices and remark"
            )
        ),
    ] = Field(default_factory=list, max_length=50)

    @field_validator(
        "jitter",
        "misfire_grace",
        "catch_up_limit",
        "max_parallel",
        "priority",
        "retry_times",
        "retry_interval",
        "retry_jitter",
        mode="before",
    )
    @classmethod
    def _no_truth_for_a_number(cls, value: object) -> object:
        if isinstance(value, bool):  # pydantic would take true for 1
            raise ValueError(say("must be a whole number, found %(found)s", found=found(value)))
        return value

    @field_validator("misfire_grace", mode="before")
    @classmethod
    def _empty_is_not_given(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("exclude_calendars", "require_calendars", "retry_on", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("exclude_calendars", "require_calendars")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
        names = {name.strip() for name in value}
        if "" in names:
            raise ValueError(say("the name of a calendar must not be blank"))
        return sorted(names)

    @field_validator("retry_on")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        return sorted(set(value))

    @field_validator("starts_at", "ends_at", mode="before")
    @classmethod
    def _a_time_and_no_number(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value.strip())
            except ValueError:
                pass
        elif value is None or isinstance(value, datetime):
            return value
        raise ValueError(
            say(
                "must be empty or a time such as 2026-12-24T18:00 (ISO 8601), found %(found)s",
                found=found(value),
            )
        )

    @field_validator("starts_at", "ends_at")
    @classmethod
    def _within_what_timetables_know(cls, value: datetime | None) -> datetime | None:
        if value is not None and not FIRST <= value < END:
            raise ValueError(
                say("must lie in the years 1970 to 8999, found %(value)s", value=value.isoformat())
            )
        return value

    @field_validator("depends_on", mode="before")
    @classmethod
    def _names_alone_are_strong(cls, value: object) -> object:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return dict.fromkeys(value, Need.STRONG)
        return value

    @field_validator("depends_on")
    @classmethod
    def _names_as_tasks_have_them(cls, value: dict[str, Need]) -> dict[str, Need]:
        clean = {name.strip(): need for name, need in value.items()}
        if "" in clean:
            raise ValueError(say("the name of a task must not be blank"))
        if len(clean) < len(value):
            raise ValueError(say("names a task twice"))
        return clean

    @field_validator("parameters")
    @classmethod
    def _names_differ(cls, value: list[Parameter]) -> list[Parameter]:
        names = [parameter.name for parameter in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(inside([name], say("there are two parameters of this name")))
        return value

    def contradictions(self, name: str, spec: str) -> Iterator[tuple[str, str]]:
        """(field, problem) of what does not fit together."""
        if self.starts_at and self.ends_at and self.ends_at < self.starts_at:
            yield (
                "ends_at",
                say("lies before starts_at (%(moment)s)", moment=self.starts_at.isoformat()),
            )
        both = sorted({*self.exclude_calendars} & {*self.require_calendars})
        if both:
            yield (
                "require_calendars",
                say("%(name)s is excluded as well: no day would be left", name=both[0]),
            )
        if self.depends_on and spec:
            yield (
                "spec",
                say(
                    "a task that depends on others runs after them and has no schedule of its own; "
                    "leave spec empty"
                ),
            )
        if self.depends_on:
            for field in ONLY_WITH_A_SCHEDULE:
                if getattr(self, field):
                    yield (
                        field,
                        say(
                            "has no effect on a task that runs after others; "
                            "give it to those that it depends on"
                        ),
                    )
        if self.retry_times and not self.retry_on:
            yield (
                "retry_on",
                say("is empty, so nothing would be retried; leave it out, or set retry_times to 0"),
            )
        if self.retry_backoff is Backoff.EXPONENTIAL and not self.retry_interval:
            yield (
                "retry_interval",
                say("must be at least 1 second for retry_backoff: exponential, found 0"),
            )
        if not self.depends_on and not spec:
            yield "spec", MISSING
        if name in self.depends_on:
            yield "depends_on", say("%(name)s cannot depend on itself", name=repr(name))
        if spec and (needed := [p.name for p in self.parameters if p.default is None]):
            yield (
                "parameters",
                inside(
                    [needed[0]],
                    say("needs a default, because scheduled runs are given nothing else"),
                ),
            )


def with_zone(values: dict[str, Any]) -> None:
    """Make times without an offset those of the task's zone; what is no time stays as it is, and
    is refused later."""
    zone = values.get("timezone", "UTC")
    for field in ("starts_at", "ends_at"):
        value = values.get(field)
        if value == "":
            values[field] = None
        elif isinstance(value, str | datetime) and isinstance(zone, str):
            values[field] = _aware(value, zone)


def _aware(value: str | datetime, zone: str) -> object:
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        return value
    if moment.tzinfo is None:
        # A zone that does not exist is told about by itself.
        return moment.replace(tzinfo=UTC if zones.problem(zone) else ZoneInfo(zone))
    return moment
