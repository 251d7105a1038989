"""The product's own services, used by tests in their own process: to set a scene, quickly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gocron.config import load
from gocron.core.definition import define
from gocron.db import tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database

SOMEBODY = Actor("somebody")


@contextmanager
def database_of(environment: Mapping[str, str]) -> Iterator[Database]:
    """An open database for the GOCRON_* in ``environment``."""
    wanted = {name: text for name, text in environment.items() if name.startswith("GOCRON_")}
    database = Database(load(wanted))
    try:
        yield database
    finally:
        database.close()


def add_task(environment: Mapping[str, str], name: str, **fields: Any) -> int:
    """A new task; its id. By default a command that is due every second."""
    fields = {"spec": "* * * * * *", "command": "true"} | fields
    with database_of(environment) as database:
        return tasks.create(database, define({"name": name, **fields}), SOMEBODY)
