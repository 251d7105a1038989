"""The board: a page of memory that the parent and its children share.

It carries what must be known without asking anybody: until when this node may trust its
leadership, what the scheduler is wanted to do, and how the children are. Made by the parent before
it forks, so every child maps the same page. One writer for each cell:

=============  ==========================================  =======================
cell           says                                        written by
=============  ==========================================  =======================
trust          term, trusted until, renewed at             elector (parent: when
                                                           the elector is gone)
wanted         scheduler should lead; node is stopping     parent
acting         term the scheduler dispatches under, tick   scheduler
runner         runs in flight, results in the spool        runner
children       phase, pid, restarts                        parent
counters       elections won, election errors              elector
=============  ==========================================  =======================

Readers never lock: a cell of several values is versioned and read again if it was being written. A
version is odd while its cell is being written, and is itself written in one piece: ``struct`` would
clear it first, and a reader could take the moment in between for a cell full of zeros.
"""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass

CHILDREN = ("elector", "scheduler", "runner", "web")

_TRUST = (0, struct.Struct("=qddd"))
_WANTED = (64, struct.Struct("=qq"))
_ACTING = (128, struct.Struct("=qd"))
_RUNNER = (192, struct.Struct("=qqdd"))
_COUNTERS = (256, struct.Struct("=qqd"))
_CHILD = struct.Struct("=qqq")
_CHILDREN_AT = 512
_VERSION_BYTES = 8  # in front of each cell
SIZE = mmap.PAGESIZE

EAGER_READS = 200
PATIENT_READS = 100
PATIENCE_S = 0.001
"""A writer that lost its processor in the middle of a cell is given this long, as many times."""


@dataclass(frozen=True)
class TrustCell:
    """Leadership as the elector knows it; moments are boottime seconds."""

    term: int = 0
    until: float = 0.0
    renewed: float = 0.0
    heard: float = 0.0
    """When the elector last had an answer from the database, leading or following."""

    def holds(self, now: float) -> bool:
        """Whether this node may act as leader at ``now``."""
        return self.until > now


@dataclass(frozen=True)
class ChildCell:
    """One child as the parent knows it; ``phase`` is a ``ChildPhase`` value."""

    phase: int = 0
    pid: int = 0
    restarts: int = 0


class Board:
    """The shared page; survives every child, dies with the last process that maps it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE)
        self._versions = memoryview(self._memory).cast("Q")

    def _write(self, cell: tuple[int, struct.Struct], *values: float) -> None:
        offset, layout = cell
        writing = self._versions[offset // _VERSION_BYTES] | 1
        self._versions[offset // _VERSION_BYTES] = writing
        layout.pack_into(self._memory, offset + _VERSION_BYTES, *values)
        self._versions[offset // _VERSION_BYTES] = writing + 1

    def _read(self, cell: tuple[int, struct.Struct]) -> tuple[float, ...]:
        offset, layout = cell
        for attempt in range(EAGER_READS + PATIENT_READS):
            version = self._versions[offset // _VERSION_BYTES]
            values = layout.unpack_from(self._memory, offset + _VERSION_BYTES)
            if version == self._versions[offset // _VERSION_BYTES] and not version & 1:
                return values
            if attempt >= EAGER_READS:
                time.sleep(PATIENCE_S)
        # The writer died between two instructions: nothing in the cell can be relied on.
        return (0,) * len(values)

    # trust ------------------------------------------------------------------------------------

    def write_trust(self, trust: TrustCell) -> None:
        """Elector only, or the parent while there is no elector."""
        self._write(_TRUST, trust.term, trust.until, trust.renewed, trust.heard)

    def trust(self) -> TrustCell:
        """What the elector last published."""
        term, until, renewed, heard = self._read(_TRUST)
        return TrustCell(int(term), until, renewed, heard)

    # wanted -----------------------------------------------------------------------------------

    def want(self, *, lead: bool, stop: bool) -> None:
        """Parent only: what the scheduler should do, and whether the node is ending."""
        self._write(_WANTED, int(lead), int(stop))

    @property
    def wanted_to_lead(self) -> bool:
        """Whether the parent wants the scheduler to lead."""
        return bool(self._read(_WANTED)[0])

    @property
    def stopping(self) -> bool:
        """Whether the node is on its way down."""
        return bool(self._read(_WANTED)[1])

    # acting, runner, counters -----------------------------------------------------------------

    def write_acting(self, term: int, tick: float) -> None:
        """Scheduler only: the term it dispatches under (0: none), and that it is alive."""
        self._write(_ACTING, term, tick)

    def acting(self) -> tuple[int, float]:
        """(term, boottime of the last round)."""
        term, tick = self._read(_ACTING)
        return int(term), tick

    def write_runner(self, running: int, spooled: int, heartbeat: float, tick: float) -> None:
        """Runner only: runs in flight, results waiting for the database, last heartbeat that the
        database took, and that the event loop turns."""
        self._write(_RUNNER, running, spooled, heartbeat, tick)

    def runner(self) -> tuple[int, int, float]:
        """(running, spooled, boottime of the last heartbeat that the database took)."""
        running, spooled, heartbeat, _tick = self._read(_RUNNER)
        return int(running), int(spooled), heartbeat

    def ticks(self) -> dict[str, float]:
        """Child -> boottime of its last sign of life; 0 if it has given none."""
        return {"scheduler": self._read(_ACTING)[1], "runner": self._read(_RUNNER)[3]}

    def write_counters(self, elections: int, errors: int, reserved: float = 0.0) -> None:
        """Elector only: elections won and errors met since the node started."""
        self._write(_COUNTERS, elections, errors, reserved)

    def counters(self) -> tuple[int, int]:
        """(elections won, election errors)."""
        elections, errors, _reserved = self._read(_COUNTERS)
        return int(elections), int(errors)

    # children ---------------------------------------------------------------------------------

    def write_child(self, name: str, child: ChildCell) -> None:
        """Parent only."""
        self._write(self._child(name), child.phase, child.pid, child.restarts)

    def child(self, name: str) -> ChildCell:
        """How the parent sees a child."""
        phase, pid, restarts = self._read(self._child(name))
        return ChildCell(int(phase), int(pid), int(restarts))

    @staticmethod
    def _child(name: str) -> tuple[int, struct.Struct]:
        return _CHILDREN_AT + 64 * CHILDREN.index(name), _CHILD
