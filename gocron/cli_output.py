"""How commands print: tables for people, one JSON document for programs. For ``cli*`` only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import click

MEASURED = 500
"""Rows that are looked at to find how wide the columns of a table have to be."""

NOTHING = "-"


def print_json(value: Mapping[str, Any]) -> None:
    """One object."""
    click.echo(json.dumps(value, default=_plain, indent=2))


def print_json_list(rows: Iterable[Mapping[str, Any]]) -> None:
    """A list, written row by row: however long it is, one row at a time is in memory."""
    write = sys.stdout.write
    begin = "[\n"
    for row in rows:
        write(begin + json.dumps(row, default=_plain))
        begin = ",\n"
    write("[]\n" if begin == "[\n" else "\n]\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    return iso(value) if isinstance(value, datetime) else str(value)


def iso(moment: datetime) -> str:
    """ISO 8601, UTC, with Z; fractions of a second only where there are any."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"


def short(moment: datetime | None) -> str:
    """An instant for people, UTC, to the second."""
    return NOTHING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns side by side; the last one is as long as it is."""
    remaining = iter(rows)
    measured = list(islice(remaining, MEASURED))
    widths = [
        max([len(title), *(len(row[column]) for row in measured)])
        for column, title in enumerate(titles)
    ]
    for row in chain([titles], measured, remaining):
        click.echo(_line(row, widths))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """A name and a value a line; the further lines of a value stand below the first."""
    listed = list(facts)
    width = max((len(name) for name, _value in listed), default=0) + 2
    for name, value in listed:
        first, *more = value.split("\n")
        click.echo(f"{name:{width}}{first}".rstrip())
        for line in more:
            click.echo(f"{'':{width}}{line}".rstrip())


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_padded(row, widths)).rstrip()


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for text, width in zip(row, widths, strict=True):
        yield text.ljust(width)
