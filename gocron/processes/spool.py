"""Results that the database could not take, kept on local disk until it can.

One JSON object a line, flushed to disk line by line; a torn last line is what a crash leaves and
is passed over. Reading and writing the same result twice does no harm: the database takes it once.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from gocron.db.runs import End

log = logging.getLogger("gocron.runner")

Chunk = tuple[int, int, str]


class Spool:
    """A file of results; ``folder`` belongs to one node."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "results.jsonl"

    def keep(self, ends: Iterable[End], chunks: Iterable[Chunk] = ()) -> None:
        """Append; an error here is logged, because there is nobody left to tell."""
        lines = [json.dumps({"output": list(chunk)}) for chunk in chunks]
        lines += [
            json.dumps({"end": asdict(end) | {"finished_at": end.finished_at.isoformat()}})
            for end in ends
        ]
        if not lines:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            log.error("results cannot be kept in %s: %s", self._path, error)

    def load(self) -> tuple[list[End], list[Chunk]]:
        """What is kept."""
        ends: list[End] = []
        chunks: list[Chunk] = []
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ends, chunks
        for line in lines:
            try:
                entry = json.loads(line)
                if "end" in entry:
                    fields = entry["end"]
                    fields["finished_at"] = datetime.fromisoformat(fields["finished_at"])
                    ends.append(End(**fields))
                else:
                    run_id, seq, text = entry["output"]
                    chunks.append((run_id, seq, text))
            except (ValueError, KeyError, TypeError):
                log.warning("a torn line in %s was passed over", self._path)
        return ends, chunks

    def clear(self) -> None:
        """Everything has been written."""
        self._path.unlink(missing_ok=True)
