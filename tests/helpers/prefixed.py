"""A short life under a table prefix, in a process of its own: the prefix is fixed once a process.

    python -m tests.helpers.prefixed

The GOCRON_* in the environment say which database, and which prefix. Says what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from typing import Any


def main() -> None:
    from gocron.config import load
    from gocron.db.naming import choose_prefix

    settings = load({name: text for name, text in os.environ.items() if name.startswith("GOCRON_")})
    choose_prefix(settings.db.prefix)
    json.dump(live(settings), sys.stdout, default=str)


def live(settings: Any) -> dict[str, Any]:
    from sqlalchemy import inspect

    from gocron.clock import DatabaseClock
    from gocron.core.definition import define
    from gocron.core.firing import plan
    from gocron.core.timetable import parse
    from gocron.db import (
        adoption,
        cluster,
        migrate,
        nodes,
        run_output,
        run_queries,
        runs,
        starts,
        statistics,
        tasks,
        users,
    )
    from gocron.db import settings as shared
    from gocron.db.audit import Actor
    from gocron.db.claims import Claimant, claim, due
    from gocron.db.engine import Database
    from gocron.db.lock import LockSession
    from gocron.db.models import Base
    from tests.helpers.migrating import differences
    from tests.helpers.rows import now_of

    somebody = Actor("somebody")
    database = Database(settings)
    migrate.upgrade(database)
    prefix = settings.db.prefix
    seen: dict[str, Any] = {
        "differences": [str(one) for one in differences(database) if prefix in str(one)]
    }
    with database.read() as connection:
        database.dialect.check_server(connection)
        seen["problem"] = migrate.check(connection)
        seen["tables"] = sorted(inspect(connection).get_table_names())
    seen["mapped"] = sorted(mapped.name for mapped in Base.metadata.sorted_tables)

    me = nodes.register(database, nodes.Newcomer("me", "host", os.getpid(), 5920, "1"))
    nodes.heartbeat(database, me, 0)
    if settings.single_node:
        term = cluster.lead_alone(database, "host:1", "me")
    else:
        session = LockSession(settings, "host:1", "me")
        session.connect()
        row = session.probe()
        assert row is not None
        term, sent = session.take_over(row.term)
        session.lock_again(sent + 1, time.sleep)
        session.renew_and_commit(term)
        session.close()
    often = {"name": "t", "spec": "* * * * * *", "command": "true", "overlap": "parallel"}
    task_id = tasks.create(database, define(often), somebody)
    clock = DatabaseClock()
    ahead_s, horizon = 2.0, None
    found = due(database, clock, ahead_s, None)
    now = clock.now()
    horizon = max(task.next_fire_at for task in found)
    timetable = parse("* * * * * *", "UTC")
    plans = [plan(task, timetable, now, horizon, horizon - now) for task in found]
    seen["claimed"] = claim(database, Claimant(me.id, term), plans)
    tasks.run_now(database, task_id, somebody)
    orphans = adoption.orphans(database, Claimant(me.id, term))
    adoption.adopt(database, Claimant(me.id, term), [run.id for run in orphans], {})
    works = runs.load(database, me.id, runs.queued_ids(database, me.id))
    started = database.transact(
        lambda connection: starts.start(connection, database.dialect, me, works)
    ).started
    seen["started"] = len(started)
    run_output.write_output(database, [(started[0].id, 0, "hello")], [])
    runs.stop_requests(database, me.id)
    ended = now_of(database)
    runs.finish(
        database, me.id, [runs.End(work.id, "success", "", 0, ended, 5) for work in started]
    )
    run_queries.stop(database, started[0].id, somebody)
    seen["runs"] = statistics.recent(database).runs
    tasks.edit(database, task_id, define({"name": "t", "spec": "@daily", "command": "x"}), somebody)
    tasks.set_enabled(database, [task_id], False, somebody)
    tasks.delete(database, [task_id], somebody)
    users.create_first(database, "admin", "long enough", "a@example.org")
    account = users.authenticate(database, "admin", "long enough")
    seen["user"] = account is not None
    seen["secret"] = len(shared.shared_secret(database)) > 30
    nodes.stopped(database, me)
    seen["members"] = [asdict(member)["state"] for member in cluster.look(database).members]
    database.close()
    return seen


if __name__ == "__main__":
    main()
