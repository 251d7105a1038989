"""Pictures of the panel for the README: two nodes on a private PostgreSQL, sample tasks, Chromium.

    .venv/bin/python -m scripts.screenshots            writes docs/img/*.png

Needs what the tests need: PostgreSQL, chromium and chromedriver.
"""

from __future__ import annotations

import random
import tempfile
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from gocron.core.definition import define
from gocron.core.states import RunState
from gocron.core.timetable import parse
from gocron.db import tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Node as NodeRow
from tests.browser.chromium import started
from tests.browser.person import Person
from tests.helpers.cluster import cluster_of
from tests.helpers.databases import settings_for
from tests.helpers.rows import insert_run, rows
from tests.helpers.servers import PrivatePostgres

PICTURES = Path(__file__).parent.parent / "docs" / "img"
PASSWORD = "for these pictures only"  # noqa: S105
SETTINGS = {"GOCRON_ADMIN_PASSWORD": PASSWORD, "GOCRON_TIMEZONE": "Europe/Berlin"}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
BACKUP = (
    "for table in customers orders invoices shipments; do "
    'printf "\\033[32m%s\\033[0m  dumping %s … \\n" "$(date +%T)" "$table"; sleep 2; done; '
    "echo 4 tables, 1.8 GB"
)
TASKS: tuple[dict[str, Any], ...] = (
    {"name": "nightly-backup", "tag": "database", "spec": "0 30 2 * * *", "command": BACKUP},
    {"name": "rotate-logs", "tag": "system", "spec": "@hourly", "command": "logrotate /etc/l.conf"},
    {"name": "send-digest", "tag": "mail", "spec": "0 8 * * MON-FRI", "command": "digest --send"},
    {
        "name": "warm-cache",
        "tag": "web",
        "spec": "*/45 * * * *",
        "protocol": "http",
        "command": "https://shop.example/warm",
        "enabled": False,
    },
    {
        "name": "billing-export",
        "tag": "finance",
        "spec": "0 6 1 * *",
        "timezone": "America/New_York",
        "command": "export.py --since yesterday",
    },
    {
        "name": "check-certificates",
        "tag": "web",
        "spec": "@every 6h",
        "command": "check-certs --days 14",
    },
    {"name": "reindex-search", "tag": "web", "spec": "0 4 * * SUN", "command": "reindex --all"},
    {
        "name": "sync-inventory",
        "tag": "shop",
        "spec": "*/5 9-18 * * MON-SAT",
        "timezone": "Asia/Tokyo",
        "command": "sync-inventory --fast",
    },
)
ENDS = (
    (RunState.SUCCESS, "", 0, 30),
    (RunState.FAILED, "exit code 1", 1, 2),
    (RunState.TIMEOUT, "took longer than 60 s", None, 1),
    (RunState.SKIPPED, "the run before is still going", None, 1),
)
"""State, reason, exit code, how often."""


def main() -> None:
    """Start, fill, look, stop."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(PrivatePostgres())
        environment = server.environment(server.create_database())
        cluster = stack.enter_context(cluster_of(2, folder, environment, **SETTINGS))
        database = Database(settings_for(environment, folder))
        with closing(database):
            fill(database)
        browser = stack.enter_context(started(folder / "profile"))
        person = Person(browser, f"http://127.0.0.1:{cluster.nodes[0].port}")
        person.forget_everything()
        person.log_in("admin", PASSWORD)
        take_all(person)


def fill(database: Database) -> None:
    """Tasks, and what became of their latest slots."""
    actor = Actor("pictures")
    chance = random.Random(7)  # noqa: S311 -- the same pictures every time
    owners = [row.id for row in rows(database, NodeRow)]
    with database.read() as connection:
        now = database.dialect.now(connection)
    past = []
    for fields in TASKS:
        definition = define({"timezone": "Europe/Berlin"} | fields)
        task_id = tasks.create(database, definition, actor)
        slot = now
        for _ in range(12):
            found = parse(definition.spec, definition.timezone).latest_at_or_before(
                slot - timedelta(seconds=1)
            )
            if found is None:
                break
            past.append((found, task_id, definition.name))
            slot = found
    for slot, task_id, name in sorted(past):
        _insert_end(database, chance, slot, task_id, name, chance.choice(owners))


def _insert_end(
    database: Database, chance: random.Random, slot: Any, task_id: int, name: str, owner: int
) -> None:
    state, reason, code, _often = chance.choices(ENDS, [end[3] for end in ENDS])[0]
    ran = state is not RunState.SKIPPED
    took = timedelta(seconds=60 if state is RunState.TIMEOUT else chance.lognormvariate(1, 1))
    insert_run(
        database,
        task_id=task_id,
        task_name=name,
        scheduled_at=slot,
        created_at=slot,
        state=state,
        reason=reason,
        exit_code=code,
        owner_id=owner if ran else None,
        term=1,
        started_at=slot if ran else None,
        finished_at=slot + took if ran else slot,
    )


def take_all(person: Person) -> None:
    """Light, dark, narrow."""
    person.choose_theme("light")
    person.open("/tasks/")
    person.click(f'{person.row("nightly-backup")} button[title="Run now"]')
    person.see("#output", "invoices")
    take(person, "run")
    person.open("/tasks/")
    take(person, "tasks")
    person.open("/")
    take(person, "overview")
    person.open("/nodes/")
    take(person, "nodes")
    person.choose_theme("dark")
    person.open("/runs/")
    take(person, "runs-dark")
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    person.open("/tasks/")
    take(person, "phone")


def take(person: Person, name: str) -> None:
    """One picture of what is seen."""
    person.see("#leader")
    person.browser.save_screenshot(str(PICTURES / f"{name}.png"))


if __name__ == "__main__":
    main()
