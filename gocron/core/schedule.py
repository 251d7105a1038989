"""The timetable of a task: its spec together with its window and its calendars. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Protocol

from gocron.core.timetable import Rules, Timetable, parse
from gocron.errors import InvalidSchedule
from gocron.sayings import say

Calendars = Mapping[str, frozenset[date]]
"""Name -> days. The same set must be the same object as long as it is unchanged: that is what
makes a timetable found again."""

NO_CALENDARS: Calendars = {}


class HasSchedule(Protocol):
    """A task's definition, row, or what a leader reads of it."""

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> str: ...
    @property
    def timezone(self) -> str: ...
    @property
    def starts_at(self) -> datetime | None: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def exclude_calendars(self) -> Sequence[str]: ...
    @property
    def require_calendars(self) -> Sequence[str]: ...


def timetable_of(task: HasSchedule, calendars: Calendars = NO_CALENDARS) -> Timetable | None:
    """When the task is due; None if it has no schedule of its own because it runs after others.

    Raises ``InvalidSchedule``, also if a calendar that it names does not exist.
    """
    if not task.spec:
        return None
    return parse(task.spec, task.timezone, rules_of(task, calendars))


def rules_of(task: HasSchedule, calendars: Calendars = NO_CALENDARS) -> Rules:
    """What surrounds the spec of a task. Raises ``InvalidSchedule`` if a calendar that it names
    does not exist."""
    excluded = _named(task.exclude_calendars, calendars)
    required = _named(task.require_calendars, calendars)
    return Rules(
        seed=task.name,
        starts_at=task.starts_at,
        ends_at=task.ends_at,
        excluded=_any_of(excluded),
        required=_all_of(required) if required else None,
    )


def _named(names: Sequence[str], calendars: Calendars) -> tuple[frozenset[date], ...]:
    for name in names:
        if name not in calendars:
            raise InvalidSchedule(
                say("the calendar %(name)s does not exist (any more)", name=repr(name))
            )
    return tuple(calendars[name] for name in names)


@lru_cache(maxsize=256)
def _any_of(sets: tuple[frozenset[date], ...]) -> frozenset[date]:
    return frozenset().union(*sets)


@lru_cache(maxsize=256)
def _all_of(sets: tuple[frozenset[date], ...]) -> frozenset[date]:
    return sets[0].intersection(*sets[1:])
