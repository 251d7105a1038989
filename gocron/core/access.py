"""Who may do what: roles of users, scopes of tokens, tags. Pure, and the only place that decides.

A user has a role. An operator may also change the tasks of some tags. Whoever uses the API with a
token may do what the user of the token may, as far as the token's scope goes; a token for one tag
sees nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """Of a user."""

    ADMIN = "admin"
    """Everything."""
    OPERATOR = "operator"
    """Sees everything, runs, stops, enables and disables; changes the tasks of their tags."""
    VIEWER = "viewer"
    """Sees everything but accounts, audit and settings."""


class Scope(StrEnum):
    """How far a token goes; each includes those before it."""

    READ = "read"
    RUN = "run"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def includes(self) -> frozenset[Scope]:
        """This one and all below it."""
        scopes = list(Scope)
        return frozenset(scopes[: scopes.index(self) + 1])


@dataclass(frozen=True)
class Access:
    """What somebody may do. ``tags`` are those whose tasks an operator may change; ``scope`` and
    ``only_tag`` are a token's, an empty ``only_tag`` is none."""

    role: Role
    tags: frozenset[str] = field(default_factory=frozenset)
    scope: Scope = Scope.ADMIN
    only_tag: str = ""

    @property
    def visible_tags(self) -> frozenset[str] | None:
        """The tags whose tasks and runs exist for them; None: all, and those without a tag."""
        return frozenset({self.only_tag}) if self.only_tag else None

    def sees(self, tag: str) -> bool:
        """Tasks with ``tag``, and their runs. What somebody does not see, there is not."""
        return self.visible_tags is None or tag in self.visible_tags

    def may_run(self, tag: str) -> bool:
        """Start, stop, run again, enable, disable."""
        able = self.role in (Role.ADMIN, Role.OPERATOR) and Scope.RUN in self.scope.includes
        return able and self.sees(tag)

    def may_edit(self, tag: str) -> bool:
        """Create, change, delete: whoever may that decides what is executed."""
        able = self.role is Role.ADMIN or (self.role is Role.OPERATOR and tag in self.tags)
        return able and Scope.WRITE in self.scope.includes and self.sees(tag)

    def may_pause(self, tag: str) -> bool:
        """Pause and resume the tasks with ``tag``; "" is everything."""
        return self.administers or (bool(tag) and self.may_edit(tag))

    @property
    def may_run_any(self) -> bool:
        """Whether there can be tasks that they may run."""
        return self.may_run(self.only_tag)

    @property
    def may_edit_any(self) -> bool:
        """Whether there can be tasks that they may change."""
        return any(self.may_edit(tag) for tag in {self.only_tag, *self.tags})

    @property
    def administers(self) -> bool:
        """The cluster, calendars, groups, settings, users; and reads the audit log."""
        return self.role is Role.ADMIN and self.scope is Scope.ADMIN and not self.only_tag

    @property
    def manages_account(self) -> bool:
        """Their own tokens and logins; a token that is narrower than a login does not, or it could
        make a wider one."""
        return self.scope is Scope.ADMIN and not self.only_tag

    @property
    def sees_cluster(self) -> bool:
        """What belongs to no task: nodes, calendars, groups, pauses, statistics."""
        return not self.only_tag
