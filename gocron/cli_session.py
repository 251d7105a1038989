"""What a command works with: settings, log, database. For ``cli`` and ``cli_*`` only.

The table prefix has to be known before the tables are mapped, so modules of ``gocron.db`` are
imported by functions, after ``load_settings``.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from gocron import logs
from gocron.config import Loaded, Settings, load_with_sources
from gocron.errors import GocronError

if TYPE_CHECKING:
    from gocron.db.audit import Actor
    from gocron.db.engine import Database


class Gocron(click.Group):
    """Answers errors a user can put right without a traceback: a paragraph, exit code 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run."""
        try:
            return super().main(*args, **kwargs)
        except GocronError as error:
            click.echo(f"gocron: {error}", err=True)
            sys.exit(1)


def load_settings(**overrides: object) -> Loaded:
    """Settings from file, environment and options; fixes the table prefix of this process."""
    loaded = load_with_sources(os.environ, **overrides)
    from gocron.db.naming import choose_prefix

    choose_prefix(loaded.settings.db.prefix)
    return loaded


def with_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an open ``database`` whose schema is current, as its first argument."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        settings = load_settings().settings
        logs.configure(settings.log_format, "warning")
        return open_database(settings, lambda database: command(database, *args, **kwargs))

    return wrapped


def open_database(settings: Settings, work: Callable[[Database], Any]) -> Any:
    """Call ``work`` with the database; errors of the driver become a paragraph."""
    from sqlalchemy.exc import SQLAlchemyError

    from gocron.db import migrate
    from gocron.db.engine import Database, unavailable
    from gocron.errors import SchemaNotCurrent

    if settings.single_node and not settings.sqlite_path.is_file():
        raise SchemaNotCurrent(
            f"there is no database at {settings.sqlite_path} yet: start a node (`gocron web` opens "
            "the install wizard), or run `gocron migrate`; GOCRON_HOME says where it is looked for"
        )
    database = Database(settings)
    try:
        with database.read() as connection:
            problem = migrate.check(connection)
        if problem:
            raise SchemaNotCurrent(problem)
        return work(database)
    except SQLAlchemyError as error:
        raise unavailable(settings, error) from error
    finally:
        database.close()


def me() -> Actor:
    """Who gives this command, for the audit log: the user of the operating system."""
    from gocron.db.audit import Actor

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's made-up number
        name = str(os.getuid())
    return Actor(f"cli:{name}")
