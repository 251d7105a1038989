"""Where a node keeps files of its own. Pure: names only."""

from __future__ import annotations

from pathlib import Path


def node_folder(home: Path, node_name: str) -> Path:
    """Two nodes of one host may share a home, so each has a folder by its name."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in node_name)
    return home / "run" / safe
