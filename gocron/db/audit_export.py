"""The audit log as a file, line by line as it is read: CSV for spreadsheets, JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from csv import writer
from dataclasses import asdict
from io import StringIO

from gocron.db.audit_queries import AuditLine

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets take a cell that begins like this for a formula."""

COLUMNS = ("id", "time (UTC)", "actor", "address", "node", "action", "target", "detail")


def csv(lines: Iterable[AuditLine]) -> Iterator[str]:
    """Line by line, a heading first."""
    yield _row(COLUMNS)
    for line in lines:
        detail = json.dumps(line.detail, ensure_ascii=False) if line.detail else ""
        who = (line.actor, line.address, line.node_name)
        yield _row((str(line.id), _moment(line), *who, line.action, line.target, detail))


def jsonl(lines: Iterable[AuditLine]) -> Iterator[str]:
    """An object a line."""
    for line in lines:
        yield json.dumps(asdict(line) | {"at": _moment(line)}, ensure_ascii=False) + "\n"


def _moment(line: AuditLine) -> str:
    return line.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _row(cells: Iterable[str]) -> str:
    buffer = StringIO()
    writer(buffer).writerow([harmless(cell) for cell in cells])
    return buffer.getvalue()


def harmless(cell: str) -> str:
    """A cell that no spreadsheet calculates with."""
    return f"'{cell}" if cell.startswith(DANGEROUS) else cell
