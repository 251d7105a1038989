"""What is thrown away, and what is not, on every database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from gocron.db import purge, retention
from gocron.db.audit import Actor
from gocron.db.models import AuditLog, Leadership, Run, RunOutput
from gocron.db.retention import Retention
from gocron.errors import InvalidTask
from tests.helpers.rows import insert_run, now_of, rows

ADA = Actor("ada")
DAY = timedelta(days=1)


def ended(database, days_ago: float, **fields):
    """A run that ended so long ago."""
    moment = now_of(database) - days_ago * DAY
    slot = moment + timedelta(microseconds=len(rows(database, Run)))
    values = {"state": "success", "scheduled_at": slot, "created_at": moment}
    return insert_run(database, **values | {"finished_at": moment} | fields)


def write(database, run_id: int, *pieces: str) -> None:
    with database.write() as connection:
        for seq, piece in enumerate(pieces):
            connection.execute(insert(RunOutput).values(run_id=run_id, seq=seq, content=piece))


def left(database) -> set[int]:
    return {run.id for run in rows(database, Run)}


def purge_old(database, days: int) -> int:
    gone, after = 0, 0
    while True:
        step = purge.old_runs(database, now_of(database) - days * DAY, after)
        gone += step.gone
        if step.after is None:
            return gone
        after = step.after


# runs by age ------------------------------------------------------------------------------------


def test_old_runs_go_with_their_output_and_young_ones_stay(database):
    old, young = ended(database, 31), ended(database, 29)
    for run_id in (old, young):
        write(database, run_id, "first", "second")
    assert purge_old(database, 30) == 1
    assert left(database) == {young}
    assert {piece.run_id for piece in rows(database, RunOutput)} == {young}


def test_what_has_not_ended_or_has_a_follow_up_to_come_stays_however_old(database):
    kept = {
        ended(database, 90, state="queued", finished_at=None),
        ended(database, 90, state="running", finished_at=None),
        ended(database, 90, follow_up=True),
    }
    ends = list(purge.ENDED)
    for state in ends:
        ended(database, 90, state=state)
    assert purge_old(database, 30) == len(ends)
    assert left(database) == kept


def test_a_run_of_a_slot_long_ago_that_has_just_ended_stays(database):
    """As a backfill makes them."""
    slot = now_of(database) - 400 * DAY
    run_id = ended(database, 0, scheduled_at=slot, trigger="backfill", backfill_id=1)
    assert purge_old(database, 30) == 0
    assert left(database) == {run_id}


def test_many_go_in_several_transactions_past_what_stays(database, monkeypatch):
    monkeypatch.setattr(purge, "BATCH", 10)
    kept = set()
    for number in range(35):
        fields = {"state": "running", "finished_at": None} if number % 7 == 0 else {}
        run_id = ended(database, 90, **fields)
        if fields:
            kept.add(run_id)
    kept.add(ended(database, 1))
    step = purge.old_runs(database, now_of(database) - 30 * DAY)
    assert step.gone <= 10
    assert step.after is not None
    purge_old(database, 30)
    assert left(database) == kept


def test_a_transaction_does_not_grow_with_the_output(database, monkeypatch):
    monkeypatch.setattr(purge, "MOST_BYTES", 1000)
    for _number in range(5):
        ended(database, 90, output_bytes=400)
    large = ended(database, 90, output_bytes=5000)
    step = purge.old_runs(database, now_of(database) - 30 * DAY)
    assert step.gone == 2
    assert purge_old(database, 30) == 4
    assert large not in left(database)


# runs by number ---------------------------------------------------------------------------------


def test_of_each_task_the_newest_runs_stay(database):
    busy = [ended(database, 30 - number, task_id=1) for number in range(15)]
    rare = [ended(database, 60, task_id=2)]
    assert purge.tasks_with_runs(database, 0, 10) == [1, 2]
    assert purge.tasks_with_runs(database, 1, 10) == [2]
    assert purge.surplus_runs(database, 1, 10).gone == 5
    assert purge.surplus_runs(database, 1, 10).gone == 0
    assert purge.surplus_runs(database, 2, 10).gone == 0
    assert left(database) == {*busy[5:], *rare}


def test_what_ended_just_now_stays_however_many_there_are(database):
    fresh = {ended(database, 0) for _number in range(13)}
    old = [ended(database, 1) for _number in range(3)]
    younger = {ended(database, 1) for _number in range(10)}
    step = purge.surplus_runs(database, 1, 10)
    assert step.gone == len(old)
    assert left(database) == fresh | younger


def test_surplus_that_may_not_go_does_not_keep_the_round_from_its_end(database, monkeypatch):
    monkeypatch.setattr(purge, "BATCH", 4)
    kept = {ended(database, 90, follow_up=True) for _number in range(4)}
    for _number in range(10):
        kept.add(ended(database, 1))
    step = purge.surplus_runs(database, 1, 10)
    assert (step.gone, step.after) == (0, None)
    assert left(database) == kept


# audit log and history --------------------------------------------------------------------------


def test_old_audit_lines_go_and_the_log_says_so(database):
    now = now_of(database)
    with database.write() as connection:
        for days in (100, 50, 1):
            connection.execute(
                insert(AuditLog).values(
                    at=now - days * DAY, actor="x", action="a", target=str(days), detail={}
                )
            )
    step = purge.old_audit_lines(database, now - 30 * DAY)
    assert (step.gone, step.after) == (2, None)
    purge.say_audit_was_shortened(database, "node1", step.gone, now - 30 * DAY)
    kept, said = rows(database, AuditLog)
    assert kept.target == "1"
    assert (said.actor, said.action, said.node_name) == ("gocron", "audit.purge", "node1")
    assert said.detail["lines"] == 2


def test_old_terms_go_but_the_newest_one_stays(database):
    now = now_of(database)
    with database.write() as connection:
        for term in (1, 2, 3):
            connection.execute(
                insert(Leadership).values(
                    term=term, locked_by="a:1", node_name="a", began_at=now - 90 * DAY,
                    ended_at=now - 80 * DAY,
                )
            )  # fmt: skip
    assert purge.old_terms(database, now - 30 * DAY).gone == 2
    assert [past.term for past in rows(database, Leadership)] == [3]


def test_where_there_is_nothing_nothing_goes(database):
    now = now_of(database)
    assert purge.old_runs(database, now) == purge.Step(0, None)
    assert purge.surplus_runs(database, 1, 10) == purge.Step(0, None)
    assert purge.old_audit_lines(database, now) == purge.Step(0, None)
    assert purge.old_terms(database, now) == purge.Step(0, None)
    assert purge.tasks_with_runs(database, 0, 10) == []


# rules ------------------------------------------------------------------------------------------


def test_unless_somebody_says_otherwise_everything_is_kept(database):
    assert retention.rules(database) == Retention(None, None, None, None)
    assert retention.last_purge(database) is None


def test_rules_are_shared_and_a_change_is_audited_once(database):
    wanted = Retention(run_days=30, runs_per_task=1000)
    assert retention.save(database, wanted, ADA)
    assert not retention.save(database, wanted, ADA)
    assert retention.rules(database) == wanted
    (line,) = rows(database, AuditLog)
    assert (line.actor, line.action) == ("ada", "settings.save")
    assert line.detail["before"]["run_days"] is None
    assert line.detail["after"]["run_days"] == 30
    assert retention.save(database, Retention(), ADA)
    assert retention.rules(database) == Retention()


@pytest.mark.parametrize(
    "wrong",
    [
        {"run_days": 0},
        {"run_days": 36_501},
        {"runs_per_task": 9},
        {"audit_days": -1},
        {"leadership_days": 0},
    ],
)
def test_rules_that_would_surprise_are_refused(database, wrong):
    with pytest.raises(InvalidTask) as refused:
        retention.save(database, Retention(**wrong), ADA)
    assert refused.value.field == next(iter(wrong))
    assert retention.rules(database) == Retention()


def test_the_last_round_is_remembered(database):
    retention.record_purge(database, 7, 8, 9)
    retention.record_purge(database, 1, 2, 3)
    last = retention.last_purge(database)
    assert last is not None
    assert (last.runs, last.audit, last.leadership) == (1, 2, 3)
    assert abs(now_of(database) - last.at) < timedelta(seconds=10)


def test_sizes_are_about_right_without_counting(database):
    assert retention.sizes(database)["runs"] == 0
    for _number in range(5):
        ended(database, 1)
    assert 0 < retention.sizes(database)["runs"] <= 5
