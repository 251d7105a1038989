"""How long things are kept: what all nodes share about it, in the table ``setting``.

Nothing is thrown away unless somebody has said so: the default of each rule is "for ever".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gocron.db import audit
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import AuditLog, Leadership, Run, Setting
from gocron.db.users import wait_for_turn
from gocron.errors import InvalidTask
from gocron.sayings import say

RULES = "retention"
LAST_PURGE = "retention.last"

LONGEST_DAYS = 36_500
FEWEST_RUNS = 10
MOST_RUNS = 10_000_000


@dataclass(frozen=True)
class Retention:
    """Days, and runs for each task; None: for ever, all of them."""

    run_days: int | None = None
    runs_per_task: int | None = None
    audit_days: int | None = None
    leadership_days: int | None = None


@dataclass(frozen=True)
class LastPurge:
    """What the last round of throwing away did, and when."""

    at: datetime
    runs: int
    audit: int
    leadership: int


LIMITS = {
    "run_days": (1, LONGEST_DAYS),
    "runs_per_task": (FEWEST_RUNS, MOST_RUNS),
    "audit_days": (1, LONGEST_DAYS),
    "leadership_days": (1, LONGEST_DAYS),
}


def rules(database: Database) -> Retention:
    """Those in force."""
    with database.read() as connection:
        return read_rules(connection)


def read_rules(connection: Connection) -> Retention:
    """The same; what another version may have written besides is passed over."""
    found = _value(connection, RULES)
    known = {field.name for field in fields(Retention)}
    return Retention(**{name: value for name, value in found.items() if name in known})


def save(database: Database, wanted: Retention, actor: Actor) -> bool:
    """Let other rules hold from now on; whether that is a change. Raises ``InvalidTask``."""
    for name, (least, most) in LIMITS.items():
        value = getattr(wanted, name)
        if value is not None and not least <= value <= most:
            raise InvalidTask(
                name,
                say(
                    "must be a whole number from %(least)s to %(most)s, or empty",
                    least=least,
                    most=most,
                ),
            )

    def work(connection: Connection) -> bool:
        wait_for_turn(connection, database.dialect)
        before = read_rules(connection)
        if before == wanted:
            return False
        _write(connection, RULES, asdict(wanted))
        detail: dict[str, object] = {"before": asdict(before), "after": asdict(wanted)}
        audit.record(connection, database.dialect, actor, "settings.save", "retention", detail)
        return True

    return database.transact(work)


def last_purge(database: Database) -> LastPurge | None:
    """The last one; None if there has been none."""
    with database.read() as connection:
        found = _value(connection, LAST_PURGE)
    if not found:
        return None
    moment = datetime.fromisoformat(found["at"])
    return LastPurge(moment, found["runs"], found["audit"], found["leadership"])


def record_purge(database: Database, runs: int, audit_lines: int, terms: int) -> None:
    """Remember what was thrown away in this round."""

    def work(connection: Connection) -> None:
        now = database.dialect.now(connection).isoformat()
        done = {"at": now, "runs": runs, "audit": audit_lines, "leadership": terms}
        _write(connection, LAST_PURGE, done)

    database.transact(work)


def sizes(database: Database) -> dict[str, int]:
    """About how many rows there are, without counting them."""
    with database.read() as connection:
        return {
            name: database.dialect.estimate_rows(connection, str(model.__tablename__))
            for name, model in (("runs", Run), ("audit", AuditLog), ("leadership", Leadership))
        }


def _value(connection: Connection, name: str) -> dict[str, Any]:
    text = connection.execute(
        select(Setting.value).where(Setting.name == name)
    ).scalar_one_or_none()
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def _write(connection: Connection, name: str, value: Mapping[str, object]) -> None:
    connection.execute(delete(Setting).where(Setting.name == name))
    connection.execute(insert(Setting).values(name=name, value=json.dumps(value)))
