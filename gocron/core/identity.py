"""Who a node is. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """A node as registered in the database. ``incarnation`` is new at every start."""

    id: int
    name: str
    incarnation: str
    host: str
    pid: int

    @property
    def holder(self) -> str:
        """``host:pid``, as in gocron's log lines; the pid is the parent's."""
        return f"{self.host}:{self.pid}"
