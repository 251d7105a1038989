"""The command ``gocron``: verbs of the node. All others: ``cli_*``.

Every ``GocronError`` ends as one paragraph on stderr and exit code 1.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

import gocron
from gocron import (
    cli_calendars,
    cli_chains,
    cli_cron,
    cli_groups,
    cli_pauses,
    cli_runs,
    cli_tasks,
    cli_tokens,
    cli_users,
    logs,
)
from gocron.cli_check import check
from gocron.cli_output import print_json
from gocron.cli_session import Gocron, load_settings, with_database
from gocron.config import Loaded, Settings

if TYPE_CHECKING:
    from gocron.db.engine import Database
    from gocron.processes.prepare import Prepared

log = logging.getLogger("gocron.parent")


@click.group(cls=Gocron, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A scheduler that never runs a slot twice and never forgets one."""


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", "-p", type=int, help="Port of the panel (5920).")
def web(host: str | None, port: int | None) -> None:
    """Start a node: scheduler, runner and panel."""
    from gocron.installation import is_installed
    from gocron.node import install_and_serve, serve

    def load() -> Loaded:
        return load_settings(web_host=host, web_port=port)

    loaded = load()
    settings = loaded.settings
    logs.configure(settings.log_format, settings.log_level)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    if is_installed(loaded):
        sys.exit(serve(settings, announce))
    sys.exit(install_and_serve(loaded, load, lambda token: invite(settings, token), announce))


def invite(settings: Settings, token: str) -> None:
    """Tell the person at the terminal how to install. The token stands behind a #, so that it is
    in no request line and no log of a proxy."""
    lines = [
        f"gocron {gocron.__version__} is not installed yet.",
        f"Install it: {_address(settings)}/install#{token}",
        f"One-time token: {token} (also in {settings.home / 'conf' / 'install.token'})",
        "With GOCRON_DB_ENGINE set, a node starts without this (docs/install.md)",
        *_warning_about_root(settings),
    ]
    click.echo("\n".join(lines))


def _address(settings: Settings) -> str:
    host = "localhost" if settings.web_host in ("0.0.0.0", "::") else settings.web_host  # noqa: S104
    return f"http://{host}:{settings.web_port}"


def _warning_about_root(settings: Settings) -> list[str]:
    if os.geteuid() != 0 or settings.allow_root:
        return []
    return [
        "Running as root: shell tasks are refused. Start as a plain user, or allow it with "
        "GOCRON_ALLOW_ROOT=1"
    ]


def announce(settings: Settings, prepared: Prepared) -> None:
    """Tell the person at the terminal where to click."""
    lines = [f"gocron {gocron.__version__}, node {prepared.identity.name}"]
    if settings.single_node:
        lines.append("SQLite detected, skipping leader election (single-node mode)")
    lines.append(f"Panel: {_address(settings)}")
    if prepared.first_password:
        lines.append(
            f"Log in as {settings.admin_username} with the password {prepared.first_password} "
            "(shown only this once; change it with: gocron user password "
            f"{settings.admin_username})"
        )
    elif not prepared.has_users:
        lines.append("There is no user yet: create one with: gocron user create NAME")
    click.echo("\n".join([*lines, *_warning_about_root(settings)]))


@main.command()
def migrate() -> None:
    """Bring the tables up to date. Nodes do this by themselves when they start."""
    from sqlalchemy.exc import SQLAlchemyError

    from gocron.db import migrate as schema
    from gocron.db.engine import Database, unavailable
    from gocron.db.requirements import require_writable

    settings = load_settings().settings
    logs.configure(settings.log_format, "info")
    if settings.single_node:
        from gocron.node import prepare_home

        prepare_home(settings)
    database = Database(settings)
    try:
        with database.read() as connection:
            server = database.dialect.check_server(connection)
            require_writable(server, database.dialect.is_read_only(connection))
        revision = schema.upgrade(database)
    except SQLAlchemyError as error:
        raise unavailable(settings, error) from error
    finally:
        database.close()
    click.echo(f"the tables are at revision {revision}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_database
def status(database: Database, as_json: bool) -> None:
    """Who leads, since when, and which nodes there are. Exit code 2 if nobody leads."""
    from gocron.db import cluster

    found = cluster.look(database)
    if as_json:
        print_json(asdict(found))
    else:
        click.echo(_status_text(found))
    sys.exit(0 if found.leader else 2)


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


for command in (
    check,
    *cli_tasks.COMMANDS,
    *cli_runs.COMMANDS,
    *cli_users.COMMANDS,
    *cli_tokens.COMMANDS,
    *cli_calendars.COMMANDS,
    *cli_cron.COMMANDS,
    *cli_groups.COMMANDS,
    *cli_pauses.COMMANDS,
):
    main.add_command(command)
for command in cli_chains.TASK_COMMANDS:
    cli_tasks.task.add_command(command)
for command in cli_chains.RUN_COMMANDS:
    cli_runs.run.add_command(command)
