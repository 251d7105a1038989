"""Output on its way to the database: in order, in batches, and bounded while it cannot get there.

Pure; the recorder's.
"""

from __future__ import annotations

from gocron.execution.output import Changes
from gocron.processes.spool import Chunk

BATCH_CHARS = 500_000
"""Characters in one statement. Escaped (up to 12 bytes each) they stay well below MariaDB's packet
of 16 MB; a larger one would cost us the connection, again and again."""

MOST_CHARS = 64 * 1024**2
"""Characters that wait in memory while the database takes none; what comes after is left out."""

Drop = tuple[int, int]


class PendingOutput:
    """Pieces to add (run, seq, text) and to drop (run, seq), oldest first."""

    def __init__(self) -> None:
        self.pieces: list[Chunk] = []
        self.drops: list[Drop] = []
        self._chars = 0

    def __bool__(self) -> bool:
        return bool(self.pieces or self.drops)

    def put(self, run_id: int, changes: Changes) -> None:
        """Take what a keeper wants written."""
        left_out = 0
        for seq, text in changes.add:
            if self._chars + len(text) <= MOST_CHARS:
                self._append((run_id, seq, text))
                continue
            if not left_out:
                words = "\n[gocron: more could not be kept, the database was away]\n"
                self._append((run_id, seq, words))
            left_out += len(text)
        self.drops += [(run_id, seq) for seq in changes.drop]

    def put_back(self, pieces: list[Chunk]) -> None:
        """Take what an earlier process could not write."""
        for piece in pieces:
            self._append(piece)

    def batch(self) -> tuple[list[Chunk], list[Drop]]:
        """What to write next; it stays here until ``written`` is called. Drops come with the last
        batch: a piece must not be added after it was dropped."""
        chars = count = 0
        for _run, _seq, text in self.pieces:
            if count and chars + len(text) > BATCH_CHARS:
                break
            chars += len(text)
            count += 1
        return self.pieces[:count], self.drops[:] if count == len(self.pieces) else []

    def written(self, pieces: list[Chunk], drops: list[Drop]) -> None:
        """``batch`` is in the database, or is given up."""
        self._chars -= sum(len(text) for _run, _seq, text in pieces)
        del self.pieces[: len(pieces)]
        del self.drops[: len(drops)]

    def _append(self, piece: Chunk) -> None:
        if piece[2]:
            self.pieces.append(piece)
            self._chars += len(piece[2])
