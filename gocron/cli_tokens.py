"""``gocron token …``: create, list, revoke the API tokens of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gocron.cli_output import NOTHING, print_json_list, print_table, short
from gocron.cli_session import me, with_database
from gocron.core.access import Scope
from gocron.errors import NotFound

if TYPE_CHECKING:
    from gocron.db.engine import Database


@click.group()
def token() -> None:
    """API tokens of users."""


@token.command()
@click.argument("user")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="How far it goes; each includes those before it, and none goes further than the user.",
)
@click.option("--tag", default="", help="Only tasks with this tag; otherwise all.")
@click.option("--days", type=int, help="It expires after so many days; otherwise never.")
@with_database
def create(
    database: Database, user: str, name: str, scope: str, tag: str, days: int | None
) -> None:
    """Create a token NAME for USER. It is printed once and cannot be read again."""
    from gocron.db import api_tokens, listing
    from gocron.db.api_tokens import Wanted

    ids = {row.username: row.id for row in listing.users(database)}
    if user not in ids:
        raise NotFound(f"there is no user {user!r}; `gocron user list` shows all of them")
    wanted = Wanted(name, Scope(scope), days, tag.strip())
    made = api_tokens.create(database, ids[user], wanted, me())
    click.echo(f"created token {made.id}; it is not shown again", err=True)
    click.echo(made.token)


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@with_database
def list_(database: Database, as_json: bool) -> None:
    """List the tokens, without what is secret about them."""
    from dataclasses import asdict

    from gocron.db import api_tokens

    found = api_tokens.listing(database)
    if as_json:
        print_json_list(asdict(one) for one in found)
        return
    print_table(
        ("ID", "USER", "NAME", "TOKEN", "SCOPE", "TAG", "EXPIRES (UTC)", "LAST USE (UTC)"),
        (
            (
                str(one.id),
                one.username,
                one.name,
                f"{one.hint}…",
                one.scope,
                one.tag or NOTHING,
                short(one.expires_at),
                short(one.last_used_at),
            )
            for one in found
        ),
    )


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@with_database
def revoke(database: Database, token_id: int) -> None:
    """End a token at once."""
    from gocron.db import api_tokens

    name = api_tokens.revoke(database, token_id, me())
    click.echo(f"revoked {name!r}")


COMMANDS = (token,)
