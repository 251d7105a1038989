"""``gocron user …``: create, role, password, totp-reset, list. A password never stands on a
command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gocron.cli_output import NOTHING, print_json_list, print_table, short
from gocron.cli_session import me, with_database
from gocron.core.access import Role
from gocron.errors import InvalidSetting, NotFound

if TYPE_CHECKING:
    from gocron.db.engine import Database

PASSWORD_VARIABLE = "GOCRON_USER_PASSWORD"  # noqa: S105 -- where one is looked for
LONGEST_PASSWORD = 1024


@click.group()
def user() -> None:
    """Who may use the panel."""


def takes_password(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that says where the password comes from."""
    return click.option(
        "--password-stdin",
        "from_stdin",
        is_flag=True,
        help=f"Read the password from stdin. Otherwise it is ${PASSWORD_VARIABLE}, or asked for.",
    )(command)


def takes_tags(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that says whose tasks an operator may change."""
    return click.option(
        "--tag",
        "tags",
        multiple=True,
        help="An operator may change the tasks with this tag; may be given many times.",
    )(command)


@user.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.ADMIN.value,
    show_default=True,
    help="What the user may do.",
)
@takes_tags
@click.option("--email", default="", help="Where mail for this user goes.")
@takes_password
@with_database
def create(
    database: Database, name: str, role: str, tags: Sequence[str], email: str, from_stdin: bool
) -> None:
    """Create a user."""
    from gocron.db import users

    password = _password(from_stdin)
    users.create(database, name, password, me(), email=email, role=Role(role), tags=tags)
    click.echo(f"created {name!r}")


@user.command()
@click.argument("name")
@click.argument("new_role", metavar="ROLE", type=click.Choice([role.value for role in Role]))
@takes_tags
@with_database
def role(database: Database, name: str, new_role: str, tags: Sequence[str]) -> None:
    """Give a user a role, and the tags named here instead of those from before."""
    from gocron.db import user_admin

    user_admin.set_role(database, _id_of(database, name), Role(new_role), tags, me())
    click.echo(f"{name!r} has the role {new_role}")


@user.command()
@click.argument("name")
@takes_password
@with_database
def password(database: Database, name: str, from_stdin: bool) -> None:
    """Give a user a new password; ends all sessions of this user and lifts a lock."""
    _set_password(database, name, from_stdin)


@click.command()
@click.argument("name", metavar="USER")
@takes_password
@with_database
def resetpwd(database: Database, name: str, from_stdin: bool) -> None:
    """The same as `gocron user password`."""
    _set_password(database, name, from_stdin)


def _set_password(database: Database, name: str, from_stdin: bool) -> None:
    from gocron.db import users

    _id_of(database, name)
    users.set_password(database, name, _password(from_stdin), me())
    click.echo(f"changed the password of {name!r}")


def _id_of(database: Database, name: str) -> int:
    from gocron.db import listing

    ids = {row.username: int(row.id) for row in listing.users(database)}
    if name not in ids:
        raise NotFound(f"there is no user {name!r}; `gocron user list` shows all of them")
    return ids[name]


def _password(from_stdin: bool) -> str:
    """From stdin (one line), from the environment, or asked for twice without showing it."""
    if from_stdin:
        data = sys.stdin.buffer.readline(LONGEST_PASSWORD + 2)
        try:
            return data.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidSetting("the password on stdin is not UTF-8") from None
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        raise InvalidSetting(
            "there is no terminal to ask for a password: give it with --password-stdin or in "
            f"{PASSWORD_VARIABLE}"
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@user.command("totp-reset")
@click.argument("name")
@with_database
def totp_reset(database: Database, name: str) -> None:
    """Turn off the second factor of a user who has lost it; ends all their sessions."""
    from gocron.db import second_factor, user_admin

    for row in user_admin.listing(database):
        if row.username == name:
            second_factor.reset(database, row.id, me())
            click.echo(f"turned off the second factor of {name!r}")
            return
    raise NotFound(f"there is no user {name!r}; `gocron user list` shows all of them")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@with_database
def list_(database: Database, as_json: bool) -> None:
    """List the users."""
    from gocron.db import listing

    found = listing.users(database)
    if as_json:
        print_json_list(row._asdict() for row in found)
        return
    print_table(
        ("NAME", "ROLE", "TAGS", "ENABLED", "CREATED (UTC)", "LAST LOGIN (UTC)", "E-MAIL"),
        (
            (
                row.username,
                row.role,
                ", ".join(row.tags) or NOTHING,
                "yes" if row.enabled else "no",
                short(row.created_at),
                short(row.last_login_at),
                row.email or NOTHING,
            )
            for row in found
        ),
    )


COMMANDS = (user, resetpwd)
