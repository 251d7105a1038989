"""Values that all nodes share and no file holds."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, text

from gocron.db.engine import Database
from gocron.db.naming import table

AUTH_SECRET = "auth_secret"  # noqa: S105 -- the name of the row, not a secret


def shared_secret(database: Database) -> str:
    """The secret that signs sessions, drawn once by whichever node asks first. Used when no
    GOCRON_AUTH_SECRET is set; then whoever can read the database can forge sessions."""

    def work(connection: Connection) -> str:
        connection.execute(
            text(
                f"INSERT INTO {table('setting')} (name, value) VALUES (:name, :value)"
                f"{database.dialect.ignore_conflicts(table('setting'), 'name')}"
            ),
            {"name": AUTH_SECRET, "value": secrets.token_urlsafe(48)},
        )
        return str(
            connection.execute(
                text(f"SELECT value FROM {table('setting')} WHERE name = :name"),
                {"name": AUTH_SECRET},
            ).scalar_one()
        )

    return database.transact(work)
