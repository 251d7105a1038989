"""Processes that migrate a database, as nodes do when they start. Run as a module:

    python -m tests.helpers.migrating '{"processes": 8, "die_after": 3}'

The GOCRON_* in the environment say which database. Each process begins at the same moment and
answers with one JSON object a line. A process of its own, because the table prefix is fixed once
per process, and because some of them are killed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def migrate_in_processes(
    environment: Mapping[str, str],
    home: Path,
    processes: int = 1,
    *,
    slowly_s: float = 0.0,
    die_after: int = 0,
) -> list[dict[str, Any]]:
    """What the processes that lived to tell it have to say: ``migrated`` is whether it was this
    one that did the work, ``revision`` the one in force, ``error`` what was raised.

    ``slowly_s`` is slept before each table. With ``die_after``, the first process that migrates
    is killed when it has created that many tables.
    """
    wanted = {"processes": processes, "slowly_s": slowly_s, "die_after": die_after}
    finished = subprocess.run(
        [sys.executable, "-m", "tests.helpers.migrating", json.dumps(wanted)],
        env={**os.environ, **environment, "GOCRON_HOME": str(home)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=90,
    )
    return [json.loads(line) for line in finished.stdout.splitlines()]


def main() -> None:
    wanted = json.loads(sys.argv[1])
    from gocron.config import load
    from gocron.db.naming import choose_prefix

    settings = load({name: text for name, text in os.environ.items() if name.startswith("GOCRON_")})
    choose_prefix(settings.db.prefix)

    import gocron.db.migrate  # noqa: F401 -- before the forks, so that they begin together

    go, begin = os.pipe()
    children = []
    for _number in range(wanted["processes"]):
        child = os.fork()
        if child == 0:
            os.close(begin)
            os.read(go, 1)
            _migrate(settings, wanted)
            os._exit(0)
        children.append(child)
    os.close(go)
    os.close(begin)
    for child in children:
        os.waitpid(child, 0)


def _migrate(settings: Any, wanted: dict[str, Any]) -> None:
    from gocron.db import migrate
    from gocron.db.engine import Database

    _interfere(settings.home, wanted)
    said: list[str] = []
    log = logging.getLogger("gocron.migrate")
    log.setLevel(logging.INFO)
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    answer: dict[str, Any] = {}
    database = Database(settings, silence_s=2.0)
    try:
        answer["revision"] = migrate.upgrade(database)
    except Exception as error:
        answer["error"] = repr(error)
    answer["migrated"] = any("migrating the database" in words for words in said)
    os.write(1, json.dumps(answer).encode() + b"\n")


def differences(database: Any) -> list[Any]:
    """What alembic would change to make the tables what the models say."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from gocron.db.models import Base
    from gocron.db.naming import table

    options = {"compare_type": True, "version_table": table("alembic_version")}
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))


def _interfere(home: Path, wanted: dict[str, Any]) -> None:
    from gocron.db import schema_steps

    create, created = schema_steps.create_table, 0

    def create_slowly(*arguments: Any, **options: Any) -> None:
        nonlocal created
        time.sleep(wanted["slowly_s"])
        create(*arguments, **options)
        created += 1
        if created == wanted["die_after"] and _first(home / "killed"):
            os.kill(os.getpid(), signal.SIGKILL)

    schema_steps.create_table = create_slowly


def _first(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if __name__ == "__main__":
    main()
