"""``gocron task …``: import, list, show, enable, disable, delete, run."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gocron import logs
from gocron.cli_output import (
    NOTHING,
    iso,
    print_facts,
    print_json,
    print_json_list,
    print_table,
    short,
)
from gocron.cli_session import load_settings, me, open_database, with_database
from gocron.core.states import RunState
from gocron.errors import InvalidImport

if TYPE_CHECKING:
    from gocron.core.task_files import TaskFile
    from gocron.db.engine import Database
    from gocron.db.tasks import NamesTaken


PARAMETERS = click.option(
    "--param",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    help="A value for a parameter of the task; may be given several times.",
)


def parameters_of(given: Sequence[str]) -> dict[str, object]:
    """What ``--param`` says. Raises ``InvalidTask``."""
    from gocron.errors import InvalidTask

    values: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidTask("parameters", f"{text!r} is not understood; write NAME=VALUE")
        values[name] = value
    return values


@click.group()
def task() -> None:
    """Import, list, change and run tasks. No node has to be running."""


NAMES = click.argument("names", metavar="NAME|ID...", nargs=-1, required=True)


@task.command("import")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "jsonl", "csv"]),
    help="How FILE is written; found out from its name or its first characters if not given.",
)
def import_(file: str, form: str | None) -> None:
    """Create the tasks that stand in FILE: all of them, or none if one is wrong.

    FILE is YAML with a list under "tasks:", JSON lines with one task a line, or CSV with the names
    of the fields in its first line; docs/tasks.md has the fields. A task without a time zone gets
    that of the installation.
    """
    settings = load_settings().settings
    logs.configure(settings.log_format, "warning")
    count = open_database(
        settings, lambda database: _import(database, file, form, {"timezone": settings.timezone})
    )
    click.echo(f"imported {count} task{'s' * (count != 1)}")


def _import(database: Database, file: str, form: str | None, defaults: Mapping[str, str]) -> int:
    from gocron.core.task_files import Form, form_of, parse
    from gocron.db import tasks

    data = _read(file)
    name = "the input" if file == "-" else file
    found = parse(data, name, Form(form) if form else form_of(file, data), defaults)
    del data
    try:
        return tasks.create_many(database, found.definitions, me())
    except tasks.NamesTaken as error:
        raise InvalidImport(_taken(error, found, name)) from None


def _read(file: str) -> bytes:
    """Everything, or one byte more than is allowed."""
    from gocron.core.task_files import LARGEST

    try:
        if file == "-":
            return sys.stdin.buffer.read(LARGEST + 1)
        with open(file, "rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise InvalidImport(
            f"nothing was imported: {file} cannot be read: {error.strerror}"
        ) from error


def _taken(error: NamesTaken, file: TaskFile, name: str) -> str:
    from gocron.core.task_files import MISTAKES_TOLD

    taken = set(error.names)
    lines = [
        f"line {line}: name: {definition.name!r} is taken by a task that is there already"
        for definition, line in zip(file.definitions, file.lines, strict=True)
        if definition.name in taken
    ]
    words = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    more = [f"… and {len(lines) - MISTAKES_TOLD} more"] if len(lines) > MISTAKES_TOLD else []
    head = f"nothing was imported: {name} has {words}"
    return "\n  ".join([head, *lines[:MISTAKES_TOLD], *more])


@task.command("list")
@click.option("--tag", help="Only tasks with this tag.")
@click.option("--enabled/--disabled", default=None, help="Only those.")
@click.option("--json", "as_json", is_flag=True, help="All fields, as one JSON list.")
@with_database
def list_(database: Database, tag: str | None, enabled: bool | None, as_json: bool) -> None:
    """List tasks by id, with their next slot."""
    from gocron.db import listing

    if as_json:
        found = listing.each_task(database, listing.ALL, tag=tag, enabled=enabled)
        print_json_list(row._asdict() for row in found)
        return
    found = listing.each_task(database, listing.BRIEF, tag=tag, enabled=enabled)
    print_table(
        ("ID", "NAME", "SPEC", "TIME ZONE", "PROTOCOL", "ENABLED", "NEXT SLOT (UTC)", "TAG"),
        (
            (
                str(row.id),
                row.name,
                row.spec,
                row.timezone,
                row.protocol,
                "yes" if row.enabled else "no",
                short(row.next_fire_at),
                row.tag or NOTHING,
            )
            for row in found
        ),
    )


@task.command()
@click.argument("name", metavar="NAME|ID")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@with_database
def show(database: Database, name: str, as_json: bool) -> None:
    """Show a task with all its fields."""
    from gocron.db import listing

    row = listing.find_task(database, name)
    if as_json:
        print_json(row._asdict())
    else:
        print_facts((field, _field(value)) for field, value in row._asdict().items())


def _field(value: Any) -> str:
    """A value of a task for people; control characters cannot play with the terminal."""
    from gocron.core.terminal import plain

    if value is None or value in ("", {}, []):
        return NOTHING
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return "\n".join(f"{plain(name)}={plain(str(text))}" for name, text in value.items())
        case list():
            return "\n".join(map(_item, value))
        case str() | int():
            return plain(str(value))
        case _:
            return iso(value)


def _item(value: Any) -> str:
    """What stands in a list: a name, or a mapping, of which only what says something is shown."""
    from gocron.core.terminal import plain

    if not isinstance(value, dict):
        return plain(str(value))
    return ", ".join(f"{name}={plain(str(part))}" for name, part in value.items() if part)


@task.command()
@NAMES
@with_database
def enable(database: Database, names: Sequence[str]) -> None:
    """Let tasks be scheduled (again)."""
    _set_enabled(database, names, True)


@task.command()
@NAMES
@with_database
def disable(database: Database, names: Sequence[str]) -> None:
    """Schedule tasks no more. Runs that have begun go on."""
    _set_enabled(database, names, False)


def _set_enabled(database: Database, names: Sequence[str], enabled: bool) -> None:
    from gocron.db import tasks

    word = "enabled" if enabled else "disabled"
    for task_id, name in find(database, names).items():
        changed = tasks.set_enabled(database, [task_id], enabled, me())
        click.echo(f"{word} {name!r}" if changed else f"{name!r} was {word} already")


@task.command()
@NAMES
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@with_database
def delete(database: Database, names: Sequence[str], yes: bool) -> None:
    """Delete tasks. Their history of runs stays; runs that have begun go on."""
    from gocron.db import tasks

    found = find(database, names)
    if not yes:
        listed = ", ".join(repr(name) for name in found.values())
        click.confirm(f"Delete {listed}?", abort=True)
    for task_id, name in found.items():
        tasks.delete(database, [task_id], me())
        click.echo(f"deleted {name!r}")


@task.command()
@NAMES
@PARAMETERS
@with_database
def run(database: Database, names: Sequence[str], given: Sequence[str]) -> None:
    """Run tasks now, outside their schedule: the leader starts them within half a second."""
    from gocron.db import tasks

    values = parameters_of(given)
    for task_id, name in find(database, names).items():
        run_id = tasks.run_now(database, task_id, me(), values)
        click.echo(f"run {run_id} of {name!r} is {RunState.QUEUED}")


def find(database: Database, names: Sequence[str]) -> dict[int, str]:
    """Ids and names. All are looked up before anything is changed."""
    from gocron.db import listing

    found = [listing.find_task(database, name) for name in names]
    return {row.id: row.name for row in found}


COMMANDS = (task,)
