"""What the board says about a node's processes, as the other nodes are told."""

from __future__ import annotations

from collections.abc import Sequence

from gocron.board import Board
from gocron.core.child_state import ChildPhase


def processes_of(board: Board, names: Sequence[str]) -> list[dict[str, object]]:
    """One entry a child, in the order of ``names``."""
    cells = [(name, board.child(name)) for name in names]
    return [
        {
            "name": name,
            "phase": ChildPhase(cell.phase).name.lower(),
            "pid": cell.pid,
            "restarts": cell.restarts,
        }
        for name, cell in cells
    ]
