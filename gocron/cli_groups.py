"""``gocron group …``: list, set, delete."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gocron.cli_output import NOTHING, print_json_list, print_table
from gocron.cli_session import me, with_database

if TYPE_CHECKING:
    from gocron.db.engine import Database


@click.group()
def group() -> None:
    """How many runs of all tasks of a group may go on at once, on all nodes together."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@with_database
def list_(database: Database, as_json: bool) -> None:
    """List the groups, with what is going on in them."""
    from gocron.db import groups

    found = groups.listing(database)
    if as_json:
        print_json_list(asdict(facts) for facts in found)
        return
    print_table(
        ("NAME", "LIMIT", "RUNNING", "WAITING", "TASKS", "REMARK"),
        (
            (
                facts.name,
                str(facts.max_running),
                str(facts.running),
                str(facts.waiting),
                str(facts.tasks),
                facts.remark or NOTHING,
            )
            for facts in found
        ),
    )


@group.command("set")
@click.argument("name")
@click.option("--limit", type=int, required=True, help="How many runs at once: 1 to 10000.")
@click.option("--remark", help="What the group is about; as it was if not given.")
@with_database
def set_(database: Database, name: str, limit: int, remark: str | None) -> None:
    """Create a group or change its limit. Runs that have begun go on."""
    from gocron.db import groups

    groups.save(database, name, limit, remark, me())
    click.echo(f"group {name.strip()!r}: at most {limit} run{'s' * (limit != 1)} at once")


@group.command()
@click.argument("name")
@with_database
def delete(database: Database, name: str) -> None:
    """Delete a group that no task belongs to."""
    from gocron.db import groups

    groups.delete(database, name, me())
    click.echo(f"deleted {name!r}")


COMMANDS = (group,)
