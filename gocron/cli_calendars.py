"""``gocron calendar …``: list, show, set, import-ics, delete."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from gocron.cli_output import NOTHING, print_facts, print_json, print_json_list, print_table, short
from gocron.cli_session import me, with_database
from gocron.errors import InvalidImport

if TYPE_CHECKING:
    from gocron.db.engine import Database

LARGEST = 16 * 2**20
"""Bytes of a file; twenty thousand events of an .ics file are smaller."""


@click.group()
def calendar() -> None:
    """Named sets of days that tasks exclude or require: holidays, freezes."""


def takes_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a calendar is made from."""
    for decorate in (
        click.option("--remark", help="What the calendar is about; as it was if not given."),
        click.argument("file", metavar="FILE|-"),
        click.argument("name"),
    ):
        command = decorate(command)
    return command


@calendar.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@with_database
def list_(database: Database, as_json: bool) -> None:
    """List the calendars, without their days."""
    from gocron.db import calendars

    found = calendars.listing(database)
    if as_json:
        print_json_list(asdict(facts) for facts in found)
        return
    print_table(
        ("NAME", "DAYS", "FIRST", "LAST", "TASKS", "CHANGED (UTC)", "REMARK"),
        (
            (
                facts.name,
                str(facts.day_count),
                _day(facts.first_day),
                _day(facts.last_day),
                str(facts.used_by),
                short(facts.updated_at),
                facts.remark or NOTHING,
            )
            for facts in found
        ),
    )


@calendar.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@with_database
def show(database: Database, name: str, as_json: bool) -> None:
    """Show a calendar with all its days."""
    from gocron.db import calendars

    days = [day.isoformat() for day in sorted(calendars.days_of(database, name))]
    facts = calendars.find(database, name)
    if as_json:
        print_json(asdict(facts) | {"days": days})
        return
    print_facts(
        [
            ("name", facts.name),
            ("remark", facts.remark or NOTHING),
            ("tasks", str(facts.used_by)),
            ("changed", f"{short(facts.updated_at)} UTC"),
            ("days", "\n".join(days) or NOTHING),
        ]
    )


@calendar.command("set")
@takes_file
@with_database
def set_(database: Database, name: str, file: str, remark: str | None) -> None:
    """Create a calendar or replace its days by those that stand in FILE, one a line, such as
    2026-12-24."""
    from gocron.core.calendars import parse_days

    _save(database, name, parse_days(_read(file)), remark)


@calendar.command("import-ics")
@takes_file
@with_database
def import_ics(database: Database, name: str, file: str, remark: str | None) -> None:
    """Create a calendar or replace its days by those of the events in an iCalendar FILE (.ics)."""
    from gocron.core.calendars import parse_ics

    with database.read() as connection:
        today = database.dialect.now(connection).date()
    _save(database, name, parse_ics(_read(file), today), remark)


@calendar.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also if tasks name it: they are broken then.")
@with_database
def delete(database: Database, name: str, force: bool) -> None:
    """Delete a calendar."""
    from gocron.db import calendars

    broken = calendars.delete(database, name, me(), force)
    consequence = f"; {_tasks(broken)} that name{'s' * (broken == 1)} it cannot be scheduled now"
    click.echo(f"deleted {name!r}{consequence if broken else ''}")


def _save(database: Database, name: str, days: frozenset[date], remark: str | None) -> None:
    from gocron.db import calendars

    calendars.save(database, name, days, remark, me())
    facts = calendars.find(database, name.strip())
    words = f"{facts.day_count} day{'s' * (facts.day_count != 1)}"
    if facts.day_count:
        words += f" from {facts.first_day} to {facts.last_day}"
    click.echo(f"calendar {facts.name!r}: {words}; named by {_tasks(facts.used_by)}")


def _read(file: str) -> str:
    """A file of UTF-8, with or without a byte order mark."""
    name = "the input" if file == "-" else file
    try:
        if file == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(file, "rb") as opened:
                data = opened.read(LARGEST + 1)
    except OSError as error:
        raise InvalidImport(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise InvalidImport(f"{name} is larger than {LARGEST // 2**20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidImport(f"{name} is not UTF-8: byte {error.start + 1} is wrong") from None


def _day(day: date | None) -> str:
    return NOTHING if day is None else day.isoformat()


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"


COMMANDS = (calendar,)
