"""Looking into a node's SQLite file from outside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def rows_in(file: Path, statement: str, *values: object) -> list[dict[str, Any]]:
    """All rows of one statement."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement, values)]


def runs_of(file: Path, task: str) -> list[dict[str, Any]]:
    """The runs of a task, in order."""
    return rows_in(file, "SELECT * FROM run WHERE task_name = ? ORDER BY id", task)


def output_of(file: Path, run_id: int) -> str:
    """What a run has written."""
    pieces = rows_in(file, "SELECT content FROM run_output WHERE run_id = ? ORDER BY seq", run_id)
    return "".join(piece["content"] for piece in pieces)
