"""``gocron task backfill`` and ``backfills``, ``gocron run again`` and ``chain``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from gocron.cli_output import NOTHING, print_json, print_json_list, print_table, short
from gocron.cli_session import me, with_database
from gocron.cli_tasks import PARAMETERS, find, parameters_of
from gocron.errors import InvalidTask

if TYPE_CHECKING:
    from gocron.db.engine import Database


@click.command()
@click.argument("name", metavar="NAME|ID")
@click.option("--from", "first", required=True, metavar="TIME", help="First slot (ISO 8601).")
@click.option("--to", "last", required=True, metavar="TIME", help="Last slot, included.")
@click.option(
    "--parallel", type=click.IntRange(1), default=1, show_default=True, help="Runs at once."
)
@PARAMETERS
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@with_database
def backfill(
    database: Database,
    name: str,
    first: str,
    last: str,
    parallel: int,
    given: Sequence[str],
    as_json: bool,
) -> None:
    """Run a task for its past slots from TIME to TIME, in order. Times without an offset are in the
    time zone of the task."""
    from gocron.db import backfills
    from gocron.db.listing import find_task

    row = find_task(database, name)
    zone = ZoneInfo(row.timezone)
    facts = backfills.create(
        database,
        row.id,
        _time("--from", first, zone),
        _time("--to", last, zone),
        me(),
        parallel=parallel,
        given=parameters_of(given),
    )
    if as_json:
        print_json(asdict(facts))
    else:
        click.echo(
            f"backfill {facts.id} of {facts.task_name!r}: {facts.slots} slots, "
            f"{short(facts.first_slot)} to {short(facts.last_slot)} (UTC)"
        )


def _time(option: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        rule = "must be a time such as 2026-12-24T18:00 (ISO 8601)"
        raise InvalidTask(option, f"{rule}, found {text!r}") from error
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


@click.command()
@click.argument("name", metavar="[NAME|ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="All facts, as one JSON list.")
@with_database
def backfills(database: Database, name: str | None, as_json: bool) -> None:
    """List the newest backfills, of one task or of all, with how far they have come."""
    from gocron.db import backfills as service

    task_id = None if name is None else next(iter(find(database, [name])))
    found = service.listing(database, task_id)
    if as_json:
        print_json_list(asdict(facts) for facts in found)
        return
    print_table(
        ("ID", "TASK", "FIRST (UTC)", "LAST (UTC)", "SLOTS", "WAITING", "RUNNING", "ENDED", "GOOD"),
        (
            (
                str(facts.id),
                facts.task_name,
                short(facts.first_slot),
                short(facts.last_slot),
                str(facts.slots),
                str(facts.waiting),
                str(facts.running),
                str(facts.ended),
                str(facts.good),
            )
            for facts in found
        ),
    )


@click.command()
@click.argument("run_id", metavar="ID", type=int)
@with_database
def again(database: Database, run_id: int) -> None:
    """Run the slot of a run that has ended once more, and then what depends on its task."""
    from gocron.db import chains

    new = chains.rerun(database, run_id, me())
    click.echo(f"run {new} is queued: the slot of run {run_id} once more")


@click.command()
@click.argument("run_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="All facts, as one JSON list.")
@with_database
def chain(database: Database, run_id: int, as_json: bool) -> None:
    """Show everything that hangs together with a run: tasks before and after it, for its slot."""
    from gocron.db import chains

    found = chains.show(database, run_id)
    if as_json:
        print_json_list(asdict(step) for step in found)
        return
    print_table(
        ("TASK", "AFTER", "RUN", "STATE", "REASON"),
        (
            (
                "  " * step.level + step.task_name,
                ", ".join(step.parents) or NOTHING,
                NOTHING if step.run_id is None else str(step.run_id),
                NOTHING if step.state is None else str(step.state),
                step.reason or NOTHING,
            )
            for step in found
        ),
    )


TASK_COMMANDS = (backfill, backfills)
RUN_COMMANDS = (again, chain)
