"""What is kept of a run's output: the beginning, the end, and how much lies between.

Memory is bounded whatever a command writes. Pieces are numbered; those that fall out of the tail
are dropped again in the database, so what is stored is bounded as well, and the end of a long
output is there to be read while the run goes on.
"""

from __future__ import annotations

import codecs
from collections import deque
from dataclasses import dataclass, field

NUL_SHOWN = "\u2400"
"""No database stores NUL in a text; this is the sign for it."""

PIECE_CHARS = 200_000
"""A piece never gets longer than this: one row, one packet."""


@dataclass
class Changes:
    """What a flush wants written: pieces to add (seq, text) and to drop (seq)."""

    add: list[tuple[int, str]] = field(default_factory=list)
    drop: list[int] = field(default_factory=list)


class OutputKeeper:
    """Collects the output of one run; ``limit`` is in bytes, half for the head, half for the
    tail."""

    def __init__(self, limit: int) -> None:
        self.seen = 0
        """Bytes that came, kept or not."""
        self._head_left = limit // 2
        self._tail_limit = limit - limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._tail_seen = 0
        self._written_tail: deque[tuple[int, int]] = deque()
        self._next_seq = 0
        self._marker_seq: int | None = None
        self._decoder = _decoder()

    def feed(self, piece: bytes) -> None:
        """Take a piece as it came from the pipe or the wire."""
        self.seen += len(piece)
        if self._head_left:
            part = piece[: self._head_left]
            self._head += part
            self._head_left -= len(part)
            piece = piece[len(part) :]
        if piece:
            self._tail_seen += len(piece)
            self._tail += piece
            if len(self._tail) > 2 * self._tail_limit:
                del self._tail[: -self._tail_limit]

    @property
    def pending(self) -> bool:
        """Whether a flush would write anything."""
        return bool(self._head or self._tail)

    def flush(self, *, final: bool = False) -> Changes:
        """What to write now; ``final`` also says how much was left out."""
        changes = Changes()
        if self._head or (final and self._marker_seq is None):
            self._add(changes, self._decode(bytes(self._head), final and not self._tail_seen))
            self._head.clear()
        if self._tail_seen and self._marker_seq is None:
            self._marker_seq = self._next_seq
            self._next_seq += 1
            self._decoder = _decoder()
        if self._tail:
            self._flush_tail(changes, final)
        if final and self._marker_seq is not None:
            left_out = self._tail_seen - sum(size for _seq, size in self._written_tail)
            if left_out:
                words = f"\n[gocron: {left_out} bytes left out here]\n"
                changes.add.append((self._marker_seq, words))
        return changes

    def _flush_tail(self, changes: Changes, final: bool) -> None:
        if len(self._tail) > self._tail_limit:
            del self._tail[: -self._tail_limit]
            self._decoder = _decoder()
        size = len(self._tail)
        first = self._next_seq
        self._add(changes, self._decode(bytes(self._tail), final))
        self._tail.clear()
        self._written_tail.append((first, size))
        kept = sum(size for _seq, size in self._written_tail)
        while len(self._written_tail) > 1 and kept - self._written_tail[0][1] >= self._tail_limit:
            seq, size = self._written_tail.popleft()
            kept -= size
            changes.drop.extend(range(seq, self._written_tail[0][0]))

    def _add(self, changes: Changes, text: str) -> None:
        for start in range(0, len(text), PIECE_CHARS):
            changes.add.append((self._next_seq, text[start : start + PIECE_CHARS]))
            self._next_seq += 1

    def _decode(self, piece: bytes, final: bool) -> str:
        return self._decoder.decode(piece, final).replace("\0", NUL_SHOWN)


def _decoder() -> codecs.IncrementalDecoder:
    """UTF-8, whatever comes: what is none is shown as U+FFFD."""
    return codecs.getincrementaldecoder("utf-8")("replace")
