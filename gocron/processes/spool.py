"""Results that the database could not take, kept on local disk until it can.

One JSON object a line, on disk before ``keep`` returns; a torn line is what a crash leaves and is
passed over. Reading and writing the same result twice does no harm: the database takes it once.
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
        self._complained = False

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept and not cleared since."""
        return self._path.exists()

    def keep(self, ends: Iterable[End], chunks: Iterable[Chunk] = ()) -> bool:
        """Append; whether it is safe on disk. An error is logged, once, because there is nobody
        left to tell."""
        lines = [json.dumps({"output": list(chunk)}) for chunk in chunks]
        lines += [
            json.dumps({"end": asdict(end) | {"finished_at": end.finished_at.isoformat()}})
            for end in ends
        ]
        if not lines:
            return True
        try:
            self._append("".join(line + "\n" for line in lines).encode())
        except OSError as error:
            if not self._complained:
                log.error("results cannot be kept in %s: %s", self._path, error)
            self._complained = True
            return False
        self._complained = False
        return True

    def _append(self, text: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.open("a+b") as file:
            if file.tell() == 0:
                _sync_folder(self._path.parent)
            else:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    text = b"\n" + text  # what was torn stays torn, but does not take us with it
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def load(self) -> tuple[list[End], list[Chunk]]:
        """What is kept."""
        ends: list[End] = []
        chunks: list[Chunk] = []
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ends, chunks
        for line in filter(None, lines):
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
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.error("%s cannot be removed: %s", self._path, error)


def _sync_folder(folder: Path) -> None:
    """A new file is there after a power cut only if its folder was written too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
