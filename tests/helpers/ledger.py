"""The ledger: what commands wrote outside the database, compared with what the database says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

COMMAND = (
    'echo "$GOCRON_TASK_NAME $GOCRON_SCHEDULED_AT $GOCRON_NODE $GOCRON_TERM $(date +%s.%N)" >> {}'
)


@dataclass(frozen=True)
class Entry:
    """One start, as the command itself saw it; ``at`` is POSIX time."""

    task: str
    slot: datetime
    node: str
    term: int
    at: float


def command(path: Path) -> str:
    """A command that appends one entry to the ledger."""
    return COMMAND.format(path)


def read(path: Path) -> list[Entry]:
    """All entries, in the order they were written."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_text().splitlines():
        task, slot, node, term, at = line.rsplit(maxsplit=4)
        entries.append(Entry(task, moment(slot), node, int(term), float(at)))
    return entries


def moment(text: str) -> datetime:
    """An ISO 8601 instant."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


@dataclass
class Account:
    """What became of every slot of per-second tasks in a range."""

    slots: int = 0
    doubles: int = 0
    """Slots with more than one entry in the ledger."""
    missing: int = 0
    """Slots that no row accounts for."""
    unledgered: int = 0
    """Rows that say success, without an entry."""
    unrecorded: int = 0
    """Entries without a row, or whose row says that nothing was started."""
    states: Counter[str] | None = None

    @property
    def right(self) -> bool:
        """Nothing twice, nothing forgotten."""
        return not (self.doubles or self.missing or self.unledgered or self.unrecorded)


def account(
    tasks: Iterable[str],
    first: datetime,
    last: datetime,
    entries: Iterable[Entry],
    rows: Iterable[Mapping[str, Any]],
) -> Account:
    """Compare every second from ``first`` to ``last`` (both included) of per-second tasks with
    ledger and rows (task_name, scheduled_at, state, missed_until)."""  # fmt: skip
    started = Counter((entry.task, entry.slot) for entry in entries)
    by_slot: dict[tuple[str, datetime], str] = {}
    ranges: list[tuple[str, datetime, datetime]] = []
    for row in rows:
        slot = row["scheduled_at"]
        by_slot[(row["task_name"], slot)] = row["state"]
        if row.get("missed_until"):
            ranges.append((row["task_name"], slot, row["missed_until"]))
    result = Account(states=Counter())
    assert result.states is not None
    for task in tasks:
        slot = first
        while slot <= last:
            key = (task, slot)
            state = by_slot.get(key) or next(
                ("missed" for name, low, high in ranges if name == task and low <= slot <= high),
                None,
            )
            result.slots += 1
            result.states[state or "missing"] += 1
            result.missing += state is None
            result.doubles += started[key] > 1
            result.unledgered += state == "success" and not started[key]
            result.unrecorded += bool(started[key]) and state in (
                None, "queued", "missed", "skipped",
            )  # fmt: skip
            slot += timedelta(seconds=1)
    return result
