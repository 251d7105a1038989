"""The way down, in the order that loses nothing.

1. STANDBY: the scheduler stops dispatching.
2. RELEASE: the elector gives the row up; a follower leads a moment later.
3. DRAIN: the runner lets running commands finish, bounded; then the scheduler ends.
4. CLOSE: the web process answers until the very end.

Each stage has a limit after which the process in question is killed. ``hurry`` shortens them all.
"""

from __future__ import annotations

import logging
import signal
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from gocron.clock import boottime

if TYPE_CHECKING:
    from gocron.supervisor.child import Child

log = logging.getLogger("gocron.parent")

HURRY_S = 8.0
DRAIN_MARGIN_S = 15.0


class Stage(IntEnum):
    """In order."""

    STANDBY = 0
    RELEASE = 1
    DRAIN = 2
    CLOSE = 3
    OVER = 4


LIMITS_S = {Stage.STANDBY: 3.0, Stage.RELEASE: 5.0, Stage.CLOSE: 5.0, Stage.OVER: 0.0}
"""How long a stage may take; DRAIN is as long as the setting says, and a margin."""

KILLED_S = 1.0
"""How long a killed process may take to vanish."""


def limit_s(stage: Stage, drain_s: float) -> float:
    """How long ``stage`` may take."""
    return drain_s + DRAIN_MARGIN_S if stage is Stage.DRAIN else LIMITS_S[stage]


def longest_s(drain_s: float) -> float:
    """No orderly stop takes longer: whoever ends a node (supervisord, a container engine) should
    wait at least this long before using force."""
    return sum(limit_s(stage, drain_s) + KILLED_S for stage in Stage if stage is not Stage.OVER)


class Node(Protocol):
    """What a shutdown needs of the supervisor."""

    children: dict[str, Child]
    drain_s: float
    leading: bool

    def set_lead(self, wanted: bool) -> None:
        """Tell the scheduler what is wanted."""
        ...


class Shutdown:
    """Advances from stage to stage as the children end."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._hurried = False
        self._stage = Stage.STANDBY
        self._until = boottime() + LIMITS_S[Stage.STANDBY]
        self._entered = False

    @property
    def over(self) -> bool:
        """Whether all children have ended."""
        return self._stage is Stage.OVER

    def hurry(self) -> None:
        """Somebody asked twice: commands are ended, nothing is waited for."""
        if not self._hurried:
            log.warning("stopping at once: running commands are ended")
            self._hurried = True
            self._until = min(self._until, boottime() + HURRY_S)
            runner = self._node.children["runner"]
            runner.mark_stopping()
            runner.send(signal.SIGQUIT)

    def advance(self) -> None:
        """Look whether the stage is done; go on if so. Called again and again."""
        while not self.over:
            if not self._entered:
                self._entered = True
                self._enter()
            if not self._done():
                if boottime() < self._until:
                    return
                self._force()
                return
            self._stage = Stage(self._stage + 1)
            self._entered = False

    def _enter(self) -> None:
        limit = limit_s(self._stage, self._node.drain_s)
        if self._hurried:
            limit = min(limit, HURRY_S)
        self._until = boottime() + limit
        if self._stage is Stage.STANDBY:
            self._node.set_lead(False)
        for child in self._ending():
            child.mark_stopping()
            urgent = self._hurried and child.name == "runner"
            child.send(signal.SIGQUIT if urgent else signal.SIGTERM)

    def _ending(self) -> list[Child]:
        """The children that end in this stage."""
        names: dict[Stage, tuple[str, ...]] = {
            Stage.RELEASE: ("elector",),
            Stage.DRAIN: ("runner", "scheduler"),
            Stage.CLOSE: ("web",),
        }
        children = self._node.children
        return [children[name] for name in names.get(self._stage, ()) if name in children]

    def _done(self) -> bool:
        if self._stage is Stage.STANDBY:
            return not self._node.leading or not self._node.children["scheduler"].alive
        return not any(child.alive for child in self._ending())

    def _force(self) -> None:
        """Time is up for this stage."""
        waited_for = [child for child in self._ending() if child.alive]
        if self._stage is Stage.STANDBY:
            waited_for = [self._node.children["scheduler"]]
        for child in waited_for:
            log.error("%s does not end in time: it is killed", child.name)
            child.send(signal.SIGKILL)
        self._until = boottime() + KILLED_S
