"""Tasks under observation: what they wrote themselves, beside what the database says of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.database import rows_of_runs
from tests.helpers import ledger
from tests.helpers.cluster import Node, wait_for
from tests.helpers.product import add_task

LEASE_S = 15


class Observed:
    """Five tasks that are due every second, and the books about them."""

    def __init__(self, folder: Path, database: Mapping[str, str]) -> None:
        self.book = folder / "ledger"
        self.database = database
        self.names = [f"task {number}" for number in range(5)]
        for name in self.names:
            # A command of a node that stands still counts as running until the node is lost; by
            # default its task would be skipped for so long, as it should.
            add_task(database, name, command=ledger.command(self.book), overlap="parallel")
        self.begun = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        self.wait_for_start(0.0)

    def wait_for_start(
        self, after: float, on: Node | None = None, not_on: Node | None = None
    ) -> float:
        """Until something is started after the POSIX time ``after``; when that was."""

        def first() -> float | None:
            return min(
                (
                    entry.at
                    for entry in ledger.read(self.book)
                    if entry.at > after
                    and (on is None or entry.node == on.name)
                    and (not_on is None or entry.node != not_on.name)
                ),
                default=None,
            )

        return wait_for(first, "a task starts")

    def account(self) -> ledger.Account:
        """Compare books and rows once every run up to now has come to an end."""
        last = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)

        def settled() -> bool:
            rows = rows_of_runs(self.database)
            return not any(
                row["state"] in ("queued", "running") and row["scheduled_at"] <= last
                for row in rows
            ) and any(row["scheduled_at"] > last for row in rows)

        wait_for(settled, "all runs come to an end", patience_s=2 * LEASE_S)
        return ledger.account(
            self.names, self.begun, last, ledger.read(self.book), rows_of_runs(self.database)
        )
