"""``gocron run …``: list, show, output, stop."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gocron.cli_output import (
    NOTHING,
    iso,
    print_facts,
    print_json,
    print_json_list,
    print_table,
    short,
)
from gocron.cli_session import me, with_database
from gocron.core.states import RunState
from gocron.errors import Conflict, NotFound

if TYPE_CHECKING:
    from gocron.db.engine import Database
    from gocron.db.run_queries import RunFacts, RunFilter

PAGE = 500
SHOWN = 50


@click.group()
def run() -> None:
    """Look at runs, read their output, stop them."""


@run.command("list")
@click.option("--task", "name", metavar="NAME|ID", help="Only runs of this task.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in RunState]),
    help="Only runs in this state; may be given several times.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    help=f"How many at most; 0 = all ({SHOWN}; with --json all).",
)
@click.option("--json", "as_json", is_flag=True, help="All facts, as one JSON list.")
@with_database
def list_(
    database: Database,
    name: str | None,
    states: Sequence[str],
    limit: int | None,
    as_json: bool,
) -> None:
    """List runs, newest first."""
    from gocron.db.run_queries import RunFilter

    if limit is None:
        limit = 0 if as_json else SHOWN
    task_ids = None if name is None else (_task_id(database, name),)
    wanted = RunFilter(task_ids=task_ids, states=tuple(RunState(state) for state in states))
    found = _each_run(database, wanted, limit)
    if as_json:
        print_json_list(_facts(facts) for facts in found)
        return
    print_table(
        ("ID", "TASK", "STATE", "SCHEDULED (UTC)", "STARTED (UTC)", "SECONDS", "NODE", "REASON"),
        (
            (
                str(facts.id),
                facts.task_name,
                facts.state,
                short(facts.scheduled_at),
                short(facts.started_at),
                NOTHING if (took := facts.duration) is None else f"{took.total_seconds():.1f}",
                facts.node or NOTHING,
                facts.reason or NOTHING,
            )
            for facts in found
        ),
    )


def _each_run(database: Database, wanted: RunFilter, limit: int) -> Iterator[RunFacts]:
    """At most ``limit`` runs (0 = all), a page at a time in memory."""
    from gocron.db import run_queries

    before: int | None = None
    remaining = limit or sys.maxsize
    while remaining:
        page = run_queries.page(database, wanted, min(PAGE, remaining), before)
        yield from page.runs
        if page.older is None:
            return
        before = page.older
        remaining -= len(page.runs)


def _task_id(database: Database, word: str) -> int:
    """A task by name or id; the id of one that was deleted will do, its runs are still there."""
    from gocron.db.listing import find_task

    try:
        return int(find_task(database, word).id)
    except NotFound:
        if word.isascii() and word.isdigit() and len(word) <= 18:
            return int(word)
        raise


def _facts(facts: RunFacts) -> dict[str, Any]:
    """All columns, and gocron's number beside the state."""
    values: dict[str, Any] = {}
    for name, value in asdict(facts).items():
        values[name] = value
        if name == "state":
            values["status"] = facts.state.gocron_status
    return values


@run.command()
@click.argument("run_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@with_database
def show(database: Database, run_id: int, as_json: bool) -> None:
    """Show what became of a run."""
    from gocron.db import run_queries

    facts = run_queries.show(database, run_id)
    if as_json:
        print_json(_facts(facts))
    else:
        print_facts((name, _value(value)) for name, value in _facts(facts).items())


def _value(value: Any) -> str:
    from gocron.core.terminal import plain

    match value:
        case None | "" | [] | ():
            return NOTHING
        case dict():
            return (
                "\n".join(f"{name}={plain(str(part))}" for name, part in value.items()) or NOTHING
            )
        case list() | tuple():
            return "\n".join(
                ", ".join(f"{name} {part}" for name, part in parent.items()) for parent in value
            )
        case str() | int():
            return str(value)
        case _:
            return iso(value)


@run.command()
@click.argument("run_id", metavar="ID", type=int)
@with_database
def output(database: Database, run_id: int) -> None:
    """Print what a run has written so far; on a terminal without what a terminal obeys."""
    from gocron.core.terminal import plain
    from gocron.db import run_queries

    run_queries.show(database, run_id)
    for_people = sys.stdout.isatty()
    last, complete = -1, False
    while not complete:
        found = run_queries.output(database, run_id, last)
        for piece in found.pieces:
            text = plain(piece) if for_people else piece
            click.echo(text.encode("utf-8", "replace"), nl=False)
        last, complete = found.last, found.complete


@run.command()
@click.argument("run_id", metavar="ID", type=int)
@with_database
def stop(database: Database, run_id: int) -> None:
    """Stop a run, on whatever node it is; one that has not begun yet will not begin."""
    from gocron.db import run_queries

    outcome = run_queries.stop(database, run_id, me())
    words = f"run {run_id}: {outcome.value}"
    if outcome is run_queries.Stopped.TOO_LATE:
        raise Conflict(words)
    click.echo(words)


COMMANDS = (run,)
