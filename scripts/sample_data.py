"""An installation as a small company might have it, for the pictures: tasks that depend on each
other, calendars, groups, a pause, and half a year of runs."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from gocron.core.definition import define
from gocron.core.states import RunState
from gocron.core.timetable import parse
from gocron.db import calendars, groups, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Node as NodeRow
from gocron.db.models import Run
from tests.helpers.rows import RUN_DEFAULTS, by_column, rows

ADA = Actor("ada", "10.0.0.7", "node1")
ZONE = "Europe/Berlin"
MOST_RUNS_OF_A_TASK = 200
SINCE = timedelta(days=170)
BACKUP = (
    "for table in customers orders invoices shipments; do "
    'printf "\\033[32m%s\\033[0m  dumping %s … \\n" "$(date +%T)" "$table"; sleep 2; done; '
    "echo 4 tables, 1.8 GB"
)
TASKS: tuple[dict[str, Any], ...] = (
    {
        "name": "nightly-backup",
        "tag": "database",
        "spec": "0 30 2 * * *",
        "command": BACKUP,
        "group": "database",
        "remark": "Dumps all tables; the two tasks after it look whether that is any good.",
    },
    {
        "name": "verify-backup",
        "tag": "database",
        "command": "verify --latest",
        "depends_on": {"nightly-backup": "strong"},
    },
    {
        "name": "copy-offsite",
        "tag": "database",
        "command": "rclone copy /backup offsite:",
        "depends_on": {"verify-backup": "strong"},
    },
    {
        "name": "backup-report",
        "tag": "mail",
        "command": "report --backup",
        "depends_on": {"verify-backup": "weak", "copy-offsite": "weak"},
    },
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
        "exclude_calendars": ["holidays"],
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


def fill(database: Database) -> None:
    """Tasks, and what became of their latest slots."""
    chance = random.Random(7)  # noqa: S311 -- the same pictures every time
    calendars.save(
        database, "holidays", frozenset({date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)}),
        "No invoices on these.", ADA,
    )  # fmt: skip
    groups.save(database, "database", 2, "Two dumps at a time.", ADA)
    owners = [row.id for row in rows(database, NodeRow)]
    with database.read() as connection:
        now = database.dialect.now(connection)
    past: list[tuple[datetime, int, str]] = []
    for fields in TASKS:
        definition = define({"timezone": ZONE} | fields)
        task_id = tasks.create(database, definition, ADA)
        past += [(slot, task_id, definition.name) for slot in _slots(definition, now)]
    ends = [
        _end(chance, slot, task, name, chance.choice(owners)) for slot, task, name in sorted(past)
    ]
    with database.write() as connection:
        connection.execute(insert(Run), [by_column(Run, RUN_DEFAULTS | end) for end in ends])
    _edit_a_task(database)


def _slots(definition: Any, now: datetime) -> list[datetime]:
    found: list[datetime] = []
    slot: datetime | None = now
    while definition.spec and slot and len(found) < MOST_RUNS_OF_A_TASK:
        slot = parse(definition.spec, definition.timezone).latest_at_or_before(
            slot - timedelta(seconds=1)
        )
        if slot is None or slot < now - SINCE:
            break
        found.append(slot)
    return found


def _end(
    chance: random.Random, slot: datetime, task_id: int, name: str, owner: int
) -> dict[str, Any]:
    state, reason, code, _often = chance.choices(ENDS, [end[3] for end in ENDS])[0]
    ran = state is not RunState.SKIPPED
    began = slot + timedelta(milliseconds=chance.randint(2, 40))
    took = timedelta(seconds=60 if state is RunState.TIMEOUT else chance.lognormvariate(1, 1))
    return {
        "task_id": task_id,
        "task_name": name,
        "scheduled_at": slot,
        "start_at": slot,
        "created_at": slot - timedelta(seconds=1),
        "state": state,
        "reason": reason,
        "exit_code": code,
        "owner_id": owner if ran else None,
        "term": 1,
        "started_at": began if ran else None,
        "finished_at": began + took if ran else slot,
    }


def _edit_a_task(database: Database) -> None:
    """So that there are versions to compare."""
    first = TASKS[0]
    for change in (
        {"timeout": 3600},
        {"spec": "0 15 2 * * *", "retry_times": 2},
        {"spec": first["spec"]},
    ):
        tasks.edit(database, 1, define({"timezone": ZONE} | first | change), ADA)
