"""Throwing away a lot while per-second tasks run: they do not notice."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, insert, select

from gocron.db import retention
from gocron.db.audit import Actor
from gocron.db.models import LoginAttempts, Run, RunOutput
from gocron.db.retention import Retention
from tests.helpers import ledger
from tests.helpers.cluster import cluster_of, wait_for
from tests.helpers.observed import Observed
from tests.helpers.product import database_of
from tests.helpers.rows import insert_runs, now_of, rows

MANY = 20_000


def test_twenty_thousand_old_runs_go_without_a_slot_being_late(
    server_env: dict[str, str], tmp_path: Path
) -> None:
    with cluster_of(2, tmp_path, server_env) as nodes, database_of(server_env) as database:
        long_ago = now_of(database) - timedelta(days=90)
        insert_runs(
            database,
            (
                {
                    "task_id": 10_000,
                    "task_name": "gone",
                    "scheduled_at": long_ago + timedelta(seconds=number),
                    "created_at": long_ago,
                    "finished_at": long_ago,
                    "state": "success",
                }
                for number in range(MANY)
            ),
        )
        with database.write() as connection:
            ids = connection.execute(select(Run.id).where(Run.task_id == 10_000)).scalars().all()
            connection.execute(
                insert(RunOutput),
                [{"run_id": run_id, "seq": 0, "content": "x" * 500} for run_id in ids],
            )
            connection.execute(
                insert(LoginAttempts).values(address="192.0.2.1", failures=1, began_at=long_ago)
            )
        observed = Observed(tmp_path, server_env)
        leader = nodes.leader()
        began = time.time()
        retention.save(database, Retention(run_days=30), Actor("ada"))

        def left() -> int:
            with database.read() as connection:
                counted = select(func.count(Run.id)).where(Run.task_id == 10_000)
                return int(connection.execute(counted).scalar_one())

        wait_for(lambda: left() == 0, "all old runs are gone", patience_s=60, every_s=0.5)
        wait_for(lambda: retention.last_purge(database), "the round is recorded")
        wait_for(lambda: not rows(database, LoginAttempts), "what has expired is gone as well")
        ended = time.time()
        account = observed.account()
        with database.read() as connection:
            outputs = connection.execute(
                select(func.count()).select_from(RunOutput).where(RunOutput.run_id.in_(ids[:1000]))
            ).scalar_one()
        late = [
            entry.at - entry.slot.timestamp()
            for entry in ledger.read(observed.book)
            if began <= entry.slot.timestamp() <= ended
        ]
        last = retention.last_purge(database)
        assert leader.metric("gocron_leader") == 1, "no renewal was missed"
    assert account.right, account
    assert set(account.states or ()) == {"success"}, account
    assert outputs == 0
    assert last is not None
    assert last.runs == MANY
    late.sort()
    assert late[len(late) * 9 // 10] < 1.0, late[-10:]
