"""The command ``gocron``: verbs of the node. Those of tasks, runs and users: ``cli_data``.

Every ``GocronError`` ends as one paragraph on stderr and exit code 1.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

import gocron
from gocron import logs
from gocron.config import KEYS, Settings, load
from gocron.errors import GocronError

if TYPE_CHECKING:
    from gocron.db.engine import Database
    from gocron.processes.prepare import Prepared


class Gocron(click.Group):
    """Answers errors a user can put right without a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run; ``GocronError`` becomes a paragraph and exit code 1."""
        try:
            return super().main(*args, **kwargs)
        except GocronError as error:
            click.echo(f"gocron: {error}", err=True)
            sys.exit(1)


@click.group(cls=Gocron, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A scheduler that never runs a slot twice and never forgets one."""


def load_settings(**overrides: object) -> Settings:
    """Settings from file, environment and options; fixes the table prefix of this process."""
    settings = load(os.environ, **overrides)
    from gocron.db.naming import choose_prefix

    choose_prefix(settings.db.prefix)
    return settings


def with_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``settings`` and an open ``database`` whose schema is current."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        settings = load_settings()
        logs.configure(settings.log_format, "warning")
        return open_database(
            settings, lambda database: command(settings, database, *args, **kwargs)
        )

    return wrapped


def open_database(settings: Settings, work: Callable[[Database], Any]) -> Any:
    """Call ``work`` with the database; errors of the driver become a paragraph."""
    from sqlalchemy.exc import SQLAlchemyError

    from gocron.db import migrate
    from gocron.db.engine import Database, unavailable
    from gocron.errors import SchemaNotCurrent

    if settings.single_node and not settings.sqlite_path.parent.is_dir():
        raise SchemaNotCurrent(
            f"there is no database at {settings.sqlite_path} yet: start a node, or run "
            "`gocron migrate`; GOCRON_HOME says where it is looked for"
        )
    database = Database(settings)
    try:
        with database.read() as connection:
            problem = migrate.check(connection)
        if problem:
            raise SchemaNotCurrent(problem)
        return work(database)
    except (SQLAlchemyError, OSError) as error:
        raise unavailable(settings, error) from error
    finally:
        database.close()


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", "-p", type=int, help="Port of the panel (5920).")
def web(host: str | None, port: int | None) -> None:
    """Start a node: scheduler, runner and panel."""
    from gocron.node import serve

    settings = load_settings(web_host=host, web_port=port)
    logs.configure(settings.log_format, settings.log_level)
    sys.exit(serve(settings, lambda prepared: announce(settings, prepared)))


def announce(settings: Settings, prepared: Prepared) -> None:
    """Tell the person at the terminal where to click."""
    host = "localhost" if settings.web_host in ("0.0.0.0", "::") else settings.web_host  # noqa: S104
    lines = [f"gocron {gocron.__version__}, node {prepared.identity.name}"]
    if settings.single_node:
        lines.append("SQLite detected, skipping leader election (single-node mode)")
    lines.append(f"Panel: http://{host}:{settings.web_port}")
    if prepared.first_password:
        lines.append(
            f"Log in as {settings.admin_username} with the password {prepared.first_password} "
            "(shown only this once; change it with: gocron user password "
            f"{settings.admin_username})"
        )
    elif not prepared.has_users:
        lines.append("There is no user yet: create one with: gocron user create NAME")
    if os.geteuid() == 0 and not settings.allow_root:
        lines.append(
            "Running as root: shell tasks are refused. Start as a plain user, or allow it with "
            "GOCRON_ALLOW_ROOT=1"
        )
    click.echo("\n".join(lines))


@main.command()
def migrate() -> None:
    """Bring the tables up to date. Nodes do this by themselves when they start."""
    from sqlalchemy.exc import SQLAlchemyError

    from gocron.db import migrate as schema
    from gocron.db.engine import Database, unavailable

    settings = load_settings()
    logs.configure(settings.log_format, "info")
    if settings.single_node:
        from gocron.node import prepare_home

        prepare_home(settings)
    database = Database(settings)
    try:
        with database.read() as connection:
            database.dialect.check_server(connection)
        click.echo(f"the tables are at revision {schema.upgrade(database)}")
    except (SQLAlchemyError, OSError) as error:
        raise unavailable(settings, error) from error
    finally:
        database.close()


@main.command()
def check() -> None:
    """Show the settings in force and try the database."""
    from sqlalchemy.exc import SQLAlchemyError

    from gocron.db import migrate as schema
    from gocron.db.engine import Database, unavailable

    settings = load_settings()
    logs.configure(settings.log_format, "warning")
    click.echo(f"home = {settings.home}")
    for name, (key, variable) in KEYS.items():
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part)
        click.echo(f"{variable} ({key}) = {'' if value is None else value}")
    database = Database(settings)
    try:
        with database.read() as connection:
            words = database.dialect.check_server(connection)
            read_only = database.dialect.is_read_only(connection)
            problem = schema.check(connection)
        click.echo(f"database: {words}{', READ-ONLY' if read_only else ''}")
        click.echo(f"schema: {problem or 'current'}")
    except (SQLAlchemyError, OSError) as error:
        raise unavailable(settings, error) from error
    finally:
        database.close()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_database
def status(_settings: Settings, database: Database, as_json: bool) -> None:
    """Who leads, since when, and which nodes there are. Exit code 2 if nobody leads."""
    from gocron.db import cluster

    found = cluster.look(database)
    if as_json:
        click.echo(json.dumps(asdict(found), default=_plain))
    else:
        click.echo(_status_text(found))
    sys.exit(0 if found.leader else 2)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _status_text(found: Any) -> str:
    leader = found.leader
    if leader is None:
        lines = [f"leader: none (newest term {found.term})"]
    else:
        lines = [
            f"leader: {leader.locked_by} ({leader.node_name})",
            f"term: {leader.term}, since {leader.locked_at:%Y-%m-%d %H:%M:%S} UTC",
            f"lease age: {leader.lease_age_s:.1f} s",
        ]
    lines.append(f"nodes: {len(found.members)}")
    lines += [
        f"  {member.name}  {member.state}  {member.host}:{member.port}  pid {member.pid}  "
        f"heartbeat {member.heartbeat_age_s:.1f} s ago  running {member.running}"
        for member in found.members
    ]
    return "\n".join(lines)


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(gocron.__version__)


def _add_data_commands(group: click.Group) -> None:
    from gocron import cli_data

    for command in cli_data.COMMANDS:
        group.add_command(command)


_add_data_commands(main)
