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

PIECE_CHARS = 16_000
"""A piece never gets longer than this: in UTF-8 it must fit into the 65,535 bytes that MySQL's
``TEXT`` holds, and MySQL cuts off silently what does not."""


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
        self._gap = False
        """Whether bytes were left out since the last flush."""
        self._written_tail: deque[tuple[int, int]] = deque()
        """First seq and bytes of each flush of the tail that is still stored."""
        self._written = 0
        """Bytes of the tail that are still stored."""
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
                self._cut_tail()

    @property
    def pending(self) -> bool:
        """Whether a flush would write anything."""
        return bool(self._head or self._tail)

    def flush(self, *, final: bool = False) -> Changes:
        """What to write now; ``final`` also says how much was left out."""
        changes = Changes()
        if self._head:
            self._add(changes, self._decode(self._head))
            self._head.clear()
        if self._tail_seen and self._marker_seq is None:
            self._marker_seq = self._next_seq
            self._next_seq += 1
        if self._tail:
            self._flush_tail(changes)
        if final:
            self._finish(changes)
        return changes

    def _flush_tail(self, changes: Changes) -> None:
        if len(self._tail) > self._tail_limit:
            self._cut_tail()
        if self._gap:
            self._decoder = _decoder()  # the character that was cut in two is left out as well
            self._gap = False
        self._written_tail.append((self._next_seq, len(self._tail)))
        self._written += len(self._tail)
        self._add(changes, self._decode(self._tail))
        self._tail.clear()
        while self._written - self._written_tail[0][1] >= self._tail_limit:
            seq, size = self._written_tail.popleft()
            self._written -= size
            changes.drop.extend(range(seq, self._written_tail[0][0]))

    def _finish(self, changes: Changes) -> None:
        self._add(changes, self._decode(b"", final=True))
        left_out = self._tail_seen - self._written
        if left_out and self._marker_seq is not None:
            words = f"\n[gocron: {left_out} bytes left out here]\n"
            changes.add.append((self._marker_seq, words))

    def _cut_tail(self) -> None:
        del self._tail[: -self._tail_limit]
        self._gap = True

    def _add(self, changes: Changes, text: str) -> None:
        for start in range(0, len(text), PIECE_CHARS):
            changes.add.append((self._next_seq, text[start : start + PIECE_CHARS]))
            self._next_seq += 1

    def _decode(self, piece: bytes | bytearray, final: bool = False) -> str:
        return self._decoder.decode(bytes(piece), final).replace("\0", NUL_SHOWN)


def _decoder() -> codecs.IncrementalDecoder:
    """UTF-8, whatever comes: what is none is shown as U+FFFD."""
    return codecs.getincrementaldecoder("utf-8")("replace")
