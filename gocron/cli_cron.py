"""``gocron cron explain``: what a schedule means, before a task has it. Needs no database."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from gocron.cli_output import NOTHING, print_json, print_table, short
from gocron.cli_session import load_settings

SHOWN = 5
MOST_SHOWN = 1000


@click.group()
def cron() -> None:
    """Look at schedules."""


@cron.command()
@click.argument("spec")
@click.option("--tz", "zone", metavar="ZONE", help="Time zone; the installation's if not given.")
@click.option(
    "--count",
    type=click.IntRange(0, MOST_SHOWN),
    default=SHOWN,
    show_default=True,
    help="How many slots.",
)
@click.option("--name", "seed", default="", help="The task's name: it decides what H stands for.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def explain(spec: str, zone: str | None, count: int, seed: str, as_json: bool) -> None:
    """Say SPEC in words, with its next slots in local time and in UTC.

    SPEC is one argument, such as "0 30 2 * * *", "30 2 * * mon-fri" or "@every 1h30m".
    """
    from gocron.core.preview import preview
    from gocron.core.timetable import Rules
    from gocron.core.words import explain as in_words

    if zone is None:
        zone = load_settings().settings.timezone
    words = in_words(spec, zone, seed)
    slots = preview(spec, zone, Rules(seed=seed), datetime.now(UTC), count)
    if as_json:
        listed = [
            {"slot": found.slot, "local": found.local.isoformat(), "remark": found.remark}
            for found in slots
        ]
        print_json({"spec": spec, "timezone": zone, "words": words, "slots": listed})
        return
    click.echo(words)
    if not slots:
        if count:
            click.echo("There is no slot to come.")
        return
    click.echo()
    print_table(
        ("LOCAL", "UTC", "REMARK"),
        (
            (f"{found.local:%a %Y-%m-%d %H:%M:%S %z}", short(found.slot), found.remark or NOTHING)
            for found in slots
        ),
    )


COMMANDS = (cron,)
