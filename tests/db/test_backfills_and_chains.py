"""Past slots that somebody asks for, and chains that are run again from a point."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gocron.core.definition import define
from gocron.core.states import RunState, Trigger
from gocron.db import backfills, chains, tasks
from gocron.db.audit import Actor
from gocron.db.engine import Database
from gocron.db.models import Run
from gocron.errors import Conflict, InvalidTask, NotFound
from tests.helpers.rows import insert_run, rows

ADA = Actor("ada")
DAY = timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def task(database: Database, name: str = "daily", **fields: Any) -> int:
    fields = {"name": name, "command": "true"} | fields
    if "depends_on" not in fields:
        fields.setdefault("spec", "0 0 3 * * *")
    return tasks.create(database, define(fields), ADA)


def runs_of(database: Database, task_id: int) -> list[Any]:
    return list(rows(database, Run, Run.task_id == task_id))


def test_every_past_slot_of_the_range_is_queued_once_in_order(database):
    daily = task(database)
    facts = backfills.create(database, daily, MIDNIGHT - 4 * DAY, MIDNIGHT, ADA, parallel=2)
    found = runs_of(database, daily)
    assert [run.scheduled_at for run in found] == [
        MIDNIGHT - number * DAY + timedelta(hours=3) for number in (4, 3, 2, 1)
    ]
    assert {run.trigger_kind for run in found} == {Trigger.BACKFILL}
    assert {run.backfill_id for run in found} == {facts.id}
    (listed,) = backfills.listing(database)
    assert (listed.slots, listed.waiting, listed.running, listed.ended) == (4, 4, 0, 0)


def test_a_slot_that_ran_before_runs_again_as_another_attempt(database):
    daily = task(database)
    slot = MIDNIGHT - 2 * DAY + timedelta(hours=3)
    insert_run(database, task_id=daily, scheduled_at=slot, attempt=1, state=RunState.FAILED)
    backfills.create(database, daily, slot, slot, ADA)
    assert [(run.attempt, run.generation) for run in runs_of(database, daily)] == [(1, 0), (2, 1)]


def test_slots_to_come_are_left_to_the_scheduler(database):
    daily = task(database)
    backfills.create(database, daily, MIDNIGHT - 2 * DAY, MIDNIGHT + 30 * DAY, ADA)
    assert all(run.scheduled_at <= datetime.now(UTC) for run in runs_of(database, daily))


@pytest.mark.parametrize(
    ("first", "last", "more", "words"),
    [
        (MIDNIGHT, MIDNIGHT - DAY, {}, "lies before the first"),
        (MIDNIGHT + 9 * DAY, MIDNIGHT + 10 * DAY, {}, "no past slot"),
        (MIDNIGHT - 40_000 * DAY, MIDNIGHT, {}, "more than 10000"),
        (MIDNIGHT - DAY, MIDNIGHT, {"parallel": 0}, "must be 1 to 100"),
        (MIDNIGHT - DAY, MIDNIGHT, {"given": {"X": "1"}}, "no parameter 'X'"),
    ],
)
def test_a_backfill_that_makes_no_sense_is_refused_and_changes_nothing(
    database, first, last, more, words
):
    daily = task(database)
    with pytest.raises(InvalidTask, match=words):
        backfills.create(database, daily, first, last, ADA, **more)
    assert runs_of(database, daily) == []
    assert backfills.listing(database) == []


def test_a_task_without_slots_of_its_own_cannot_be_backfilled(database):
    task(database, "parent")
    child = task(database, "child", depends_on=["parent"])
    boot = task(database, "boot", spec="@reboot")
    for task_id in (child, boot):
        with pytest.raises(InvalidTask, match="no slots of its own"):
            backfills.create(database, task_id, MIDNIGHT - DAY, MIDNIGHT, ADA)
    with pytest.raises(NotFound):
        backfills.create(database, 999, MIDNIGHT - DAY, MIDNIGHT, ADA)


def test_a_chain_is_shown_parents_first_with_the_latest_run_of_each(database):
    extract = task(database, "extract")
    load = task(database, "load", depends_on=["extract"])
    task(database, "report", depends_on={"load": "weak", "extract": "strong"})
    slot = MIDNIGHT - DAY
    run = insert_run(database, task_id=extract, scheduled_at=slot, state=RunState.SUCCESS)
    insert_run(database, task_id=load, scheduled_at=slot, state=RunState.FAILED)
    again = insert_run(database, task_id=load, scheduled_at=slot, attempt=1)
    steps = chains.show(database, run)
    assert [(step.task_name, step.level, step.parents) for step in steps] == [
        ("extract", 0, ()),
        ("load", 1, ("extract",)),
        ("report", 2, ("extract", "load")),
    ]
    assert [(step.run_id, step.state) for step in steps] == [
        (run, RunState.SUCCESS),
        (again, RunState.QUEUED),
        (None, None),
    ]


def test_a_run_again_is_another_attempt_of_its_slot_and_of_a_new_generation(database):
    extract = task(database, "extract")
    load = task(database, "load", depends_on=["extract"])
    slot = MIDNIGHT - DAY
    insert_run(database, task_id=extract, scheduled_at=slot, state=RunState.SUCCESS)
    old = insert_run(database, task_id=load, scheduled_at=slot, state=RunState.FAILED)
    new = chains.rerun(database, old, ADA)
    row = next(run for run in runs_of(database, load) if run.id == new)
    assert (row.scheduled_at, row.attempt, row.generation) == (slot, 1, 1)
    assert (row.state, row.trigger_kind) == (RunState.QUEUED, Trigger.MANUAL)
    assert len(runs_of(database, extract)) == 1


def test_what_has_not_ended_is_not_run_again(database):
    extract = task(database, "extract")
    load = task(database, "load", depends_on=["extract"])
    slot = MIDNIGHT - DAY
    first = insert_run(database, task_id=extract, scheduled_at=slot, state=RunState.SUCCESS)
    insert_run(
        database,
        task_id=load,
        task_name="load",
        scheduled_at=slot,
        state=RunState.RUNNING,
    )
    with pytest.raises(Conflict, match="'load' has not ended"):
        chains.rerun(database, first, ADA)
    with pytest.raises(NotFound):
        chains.rerun(database, 999, ADA)
    with pytest.raises(NotFound):
        chains.show(database, 999)
