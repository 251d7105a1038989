"""Output of runs, written piece by piece while it comes. Only the runner's recorder writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, TextClause, text

from gocron.db.dialects import Columns
from gocron.db.engine import Database
from gocron.db.naming import table

CHUNKS: Columns = {"run_id": "int", "seq": "int", "content": "text"}

PACKET_CHARS = 500_000
"""Output written by one statement. A character may become 14 bytes on the way, and MariaDB takes
packets of up to 16 MiB."""


def write_output(
    database: Database, add: Sequence[tuple[int, int, str]], drop: Sequence[tuple[int, int]]
) -> None:
    """Add pieces (run, seq, text) and drop those that fell out of the kept tail. Repeatable."""
    dialect, output = database.dialect, table("run_output")
    insert = text(
        f"INSERT INTO {output} (run_id, seq, content) SELECT c.run_id, c.seq, c.content "
        f"FROM {dialect.unpack(CHUNKS, 'rows', 'c')} "
        f"WHERE 1 = 1{dialect.ignore_conflicts(output, 'seq')}"
    )
    delete = text(f"DELETE FROM {output} WHERE run_id = :run AND seq = :seq")
    for packet in _packets(add):
        values = {"rows": dialect.pack(CHUNKS, packet)}
        database.transact(partial(_execute, statement=insert, values=values))
    if drop:
        gone = [{"run": run_id, "seq": seq} for run_id, seq in drop]
        database.transact(partial(_execute, statement=delete, values=gone))


def _execute(connection: Connection, statement: TextClause, values: Any) -> None:
    connection.execute(statement, values)


def _packets(pieces: Sequence[tuple[int, int, str]]) -> Iterator[list[tuple[int, int, str]]]:
    """Pieces, as many at a time as fit into one statement."""
    packet: list[tuple[int, int, str]] = []
    size = 0
    for piece in pieces:
        if packet and size + len(piece[2]) > PACKET_CHARS:
            yield packet
            packet, size = [], 0
        packet.append(piece)
        size += len(piece[2])
    if packet:
        yield packet
