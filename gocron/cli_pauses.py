"""``gocron pause``, ``gocron resume``, ``gocron pauses``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from gocron import logs
from gocron.cli_output import NOTHING, print_json_list, print_table, short
from gocron.cli_session import load_settings, me, open_database, with_database
from gocron.errors import InvalidSchedule, InvalidSetting

if TYPE_CHECKING:
    from gocron.db.engine import Database

takes_tag = click.option(
    "--tag", default="", help="Only tasks with this tag; everything if it is not given."
)


@click.command()
@takes_tag
@click.option("--reason", required=True, help="Why; runs that wait for the end say it.")
@click.option(
    "--until", metavar="TIME", help="When it ends by itself, such as 2026-12-24T18:00 (ISO 8601)."
)
@click.option("--for", "how_long", metavar="DURATION", help="How long it lasts, such as 2h or 90m.")
def pause(tag: str, reason: str, until: str | None, how_long: str | None) -> None:
    """Let nothing start by itself, until somebody resumes or the time is over.

    What is running goes on; what is run by hand starts all the same. What falls due meanwhile
    follows the misfire policy of its task afterwards. A TIME without an offset is one of the
    installation's time zone. Pausing again gives another reason and end.
    """
    if until is not None and how_long is not None:
        raise click.UsageError("give --until or --for, not both of them")
    settings = load_settings().settings
    logs.configure(settings.log_format, "warning")
    end = None if until is None else _moment(until, settings.timezone)
    lasts = None if how_long is None else _duration(how_long)
    open_database(settings, lambda database: _pause(database, tag, reason, end, lasts))


def _pause(
    database: Database, tag: str, reason: str, until: datetime | None, lasts: timedelta | None
) -> None:
    from gocron.db import pauses

    if lasts is not None:
        with database.read() as connection:
            until = database.dialect.now(connection) + lasts
    pauses.pause(database, tag, reason, until, me())
    tag = tag.strip()
    count = pauses.concerned(database, tag)
    what = f"the tasks with the tag {tag!r}" if tag else "everything"
    end = "until it is resumed" if until is None else f"until {short(until)} UTC"
    click.echo(f"paused {what} ({count} enabled task{'s' * (count != 1)}) {end}")


def _moment(text: str, zone: str) -> datetime:
    """An instant; without an offset it is local time in ``zone``."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidSetting(
            f"--until: {text!r} is no time; write for example 2026-12-24T18:00 or "
            "2026-12-24T18:00+01:00 (ISO 8601)"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def _duration(text: str) -> timedelta:
    """As after ``@every`` in a schedule."""
    from gocron.core.rhythm import every

    try:
        return timedelta(seconds=every(text.strip()).interval_s)
    except InvalidSchedule:
        raise InvalidSetting(
            f"--for: {text!r} is no duration from 1s to 366d; write for example 90m, 2h or 1d12h"
        ) from None


@click.command()
@takes_tag
@with_database
def resume(database: Database, tag: str) -> None:
    """End a pause."""
    from gocron.db import pauses

    what = f"the tasks with the tag {tag.strip()!r}" if tag.strip() else "everything"
    if pauses.resume(database, tag, me()):
        click.echo(f"resumed {what}")
        return
    others = [pause.tag for pause in pauses.listing(database) if pause.in_force]
    click.echo(f"{what}: there was no such pause{_hint(others)}")


def _hint(tags: list[str]) -> str:
    """What is paused instead."""
    words = ", ".join(f"--tag {tag!r}" if tag else "everything" for tag in tags)
    return f"; paused: {words}" if words else ""


@click.command("pauses")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list, with those that have ended.")
@with_database
def pauses_(database: Database, as_json: bool) -> None:
    """List the pauses that are in force."""
    from gocron.db import pauses

    found = pauses.listing(database)
    if as_json:
        print_json_list(asdict(facts) for facts in found)
        return
    print_table(
        ("TAG", "UNTIL (UTC)", "BY", "SINCE (UTC)", "REASON"),
        (
            (
                facts.tag or "(everything)",
                NOTHING if facts.until is None else short(facts.until),
                facts.created_by,
                short(facts.created_at),
                facts.reason,
            )
            for facts in found
            if facts.in_force
        ),
    )


COMMANDS = (pause, resume, pauses_)
