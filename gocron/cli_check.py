"""``gocron check``: the settings in force, where each is from, and whether the database will do.

Nothing is changed, not even a file made that the first start would make.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

import gocron
from gocron import logs
from gocron.cli_output import NOTHING, print_facts, print_table
from gocron.cli_session import load_settings
from gocron.config import KEYS, Loaded
from gocron.config_view import SERVERS_ONLY, shown, value_of
from gocron.errors import HomeNotWritable, SchemaNotCurrent

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gocron.db.engine import Database


@click.command()
def check() -> None:
    """Show the settings in force and try the database. Changes nothing."""
    loaded = load_settings()
    settings = loaded.settings
    logs.configure(settings.log_format, "warning")
    click.echo(f"gocron {gocron.__version__}\n")
    file = settings.home / "conf" / "app.ini"
    print_facts(
        [
            ("home", f"{settings.home}{'' if settings.home.is_dir() else ' (there is none yet)'}"),
            ("file", f"{file}{'' if file.is_file() else ' (there is none)'}"),
        ]
    )
    click.echo()
    _print_settings(loaded)
    click.echo()
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}\n")
    _require_writable(settings.home)
    _try_database(loaded)


def _print_settings(loaded: Loaded) -> None:
    left_out = SERVERS_ONLY if loaded.settings.single_node else frozenset()
    print_table(
        ("SETTING", "VARIABLE", "VALUE", "FROM"),
        [
            (key, variable, shown(value_of(loaded.settings, name), NOTHING), loaded.source(name))
            for name, (key, variable) in KEYS.items()
            if name not in left_out
        ],
    )


def _require_writable(home: Path) -> None:
    """Raise ``HomeNotWritable`` if a node could not make or use its home."""
    existing = home
    while not existing.exists():
        existing = existing.parent
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        raise HomeNotWritable(
            f"the home folder {home} cannot be written: {existing} belongs to somebody else or is "
            "no folder. Set GOCRON_HOME to a folder that this user owns, or change its owner"
        )


def _try_database(loaded: Loaded) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from gocron.db.engine import Database, place, unavailable
    from gocron.installation import is_installed

    settings = loaded.settings
    if not is_installed(loaded):
        print_facts([("database", "none yet: `gocron web` opens the install wizard")])
        return
    facts = [("database", f"{settings.db.engine}, {place(settings)}")]
    if settings.single_node and not settings.sqlite_path.exists():
        facts.append(("", "no database yet, it will be created at first start"))
        print_facts(facts)
        return
    database = Database(settings)
    try:
        with database.read() as connection:
            facts += _server(database, connection)
            facts += _schema(connection)
    except SQLAlchemyError as error:
        raise unavailable(settings, error) from error
    finally:
        print_facts(facts)
        database.close()


def _server(database: Database, connection: Connection) -> list[tuple[str, str]]:
    from gocron.db.requirements import require_writable

    server = database.dialect.check_server(connection)
    require_writable(server, database.dialect.is_read_only(connection))
    return [("server", f"{server}, writable")]


def _schema(connection: Connection) -> list[tuple[str, str]]:
    from gocron.db import migrate

    found, newest = migrate.current(connection), migrate.newest()
    if found is None:
        words = "no tables yet, the first node to start makes them"
    elif found < newest:
        words = f"revision {found}, the first node to start brings it to {newest}"
    elif problem := migrate.check(connection):
        raise SchemaNotCurrent(problem)
    elif found > newest:
        words = f"revision {found}, newer than this version's {newest}: they work together"
    else:
        words = f"revision {found}, current"
    return [("tables", words)]
